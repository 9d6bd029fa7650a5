/* The pins of a Nucleo-64 board: LED LD2 on PA5, button B1 on PC13, and the serial port to the
 * ST-LINK on PA2 and PA3 (UM1724, section 6). */
#include "registers.h"
#include "parts.h"

#define TX_PIN 2U
#define RX_PIN 3U
#define LED_PIN 5U
#define BUTTON_PIN 13U

/* Modes of a pin: two bits each in MODER. */
#define INPUT 0U
#define OUTPUT 1U
#define ALTERNATE 2U

void pins_start(void)
{
    GPIO_ENR |= GPIO_ENR_GPIOAEN | GPIO_ENR_GPIOCEN;
    (void)GPIO_ENR; /* the read waits until the clocks are on (STM32F446 errata, 2.2.7) */
    set_field(&GPIOC_MODER, 3U << (2 * BUTTON_PIN), INPUT);
    set_field(&GPIOA_MODER, 3U << (2 * LED_PIN), OUTPUT);
    set_field(&GPIOA_AFRL, 15U << (4 * TX_PIN), 7); /* USART2 */
    set_field(&GPIOA_AFRL, 15U << (4 * RX_PIN), 7);
    set_field(&GPIOA_MODER, 3U << (2 * TX_PIN), ALTERNATE);
    set_field(&GPIOA_MODER, 3U << (2 * RX_PIN), ALTERNATE);
}

void board_led(bool on)
{
    GPIOA_BSRR = 1U << (on ? LED_PIN : LED_PIN + 16); /* the upper half clears */
}

bool board_button(void)
{
    return !(GPIOC_IDR & (1U << BUTTON_PIN)); /* pulled up, low while held */
}
