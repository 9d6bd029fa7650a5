/* From reset to main(): the vector table, the FPU, and variables with their first values. */
#include "stm32f446.h"

#include <stddef.h>
#include <stdint.h>

int main(void);
void Reset_Handler(void);

/* From stm32f446re.ld */
extern uint32_t stack_top[];
extern const uint32_t data_in_flash[];
extern uint32_t data_start[], data_end[], bss_start[], bss_end[];

static void unexpected(void)
{
    for (;;) { /* stops here for a debugger to find */
    }
}

static void copy_data(void)
{
    const uint32_t *source = data_in_flash;
    for (uint32_t *word = data_start; word < data_end; word++) {
        *word = *source++;
    }
}

static void clear_bss(void)
{
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
}

void Reset_Handler(void)
{
    SCB_CPACR |= SCB_CPACR_CP10_CP11_FULL; /* before any floating-point instruction */
    __asm volatile("dsb\n\tisb");
    copy_data();
    clear_bss();
    main();
    unexpected();
}

/* The exceptions of the core, PM0214 table 17. The firmware polls: it enables no interrupts. */
typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top},    {.handler = Reset_Handler},
    {.handler = unexpected}, /* NMI */
    {.handler = unexpected}, /* HardFault */
    {.handler = unexpected}, /* MemManage */
    {.handler = unexpected}, /* BusFault */
    {.handler = unexpected}, /* UsageFault */
    {.stack = NULL},         {.stack = NULL},
    {.stack = NULL},         {.stack = NULL},
    {.handler = unexpected},                          /* SVCall */
    {.handler = unexpected},                          /* Debug monitor */
    {.stack = NULL},         {.handler = unexpected}, /* PendSV */
    {.handler = unexpected},                          /* SysTick */
};
