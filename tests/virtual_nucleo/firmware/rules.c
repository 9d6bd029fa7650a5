/* The byte from the host chooses the rule of clocks, power, flash or bus that is broken. */
#if defined(F401) && !defined(BEYOND_RAM)
#define STACK_TOP 0x20018000 /* 96 KB of RAM */
#endif
#include "board.c"

#include "clocks.h"

RULE(port_clock, REG(0x40020800) = 1)
RULE(port_clock_read, put((uint8_t)REG(0x40020810)))
RULE(power_clock, PWR_CR = 0)
RULE(crystal, RCC_CR |= HSEON)
RULE(bypass_late, hse_on(); RCC_CR &= ~HSEBYP)
RULE(pll_source, RCC_PLLCFGR = FASTEST; RCC_CR |= HSEBYP | HSEON | PLLON)
RULE(pll_m, hse_on(); RCC_PLLCFGR = PLL_FACTORS(2u, 90u, 2u, 8u, 2u); RCC_CR |= PLLON)
RULE(pll_n, hse_on(); RCC_PLLCFGR = PLL_FACTORS(4u, 49u, 2u, 8u, 2u); RCC_CR |= PLLON)
RULE(pll_q, hse_on(); RCC_PLLCFGR = PLL_FACTORS(4u, 180u, 2u, 0u, 2u); RCC_CR |= PLLON)
RULE(pll_vco, hse_on(); RCC_PLLCFGR = PLL_FACTORS(4u, 250u, 4u, 8u, 2u); RCC_CR |= PLLON)
RULE(pll_output, hse_on(); RCC_PLLCFGR = PLL_FACTORS(4u, 200u, 2u, 8u, 2u); RCC_CR |= PLLON)
RULE(pll_changed, hse_on(); pll_on(FASTEST); RCC_PLLCFGR = PLL_FACTORS(4u, 160u, 2u, 8u, 2u))
RULE(not_ready, RCC_CR |= HSEBYP | HSEON; RCC_CFGR = 1; wait(&RCC_CFGR, 0xC, 1u << 2);
     put((uint8_t)RCC_CFGR))
RULE(never_ready, RCC_CFGR = 2; put((uint8_t)(RCC_CFGR & 0xF)))
RULE(hsi_off, RCC_CR &= ~1u; put((uint8_t)(RCC_CR & 3)))
RULE(source_off, full_speed(); RCC_CR &= ~HSEON)
RULE(system_clock, hse_on(); voltage(SCALE); pll_on(PLL_FACTORS(4u, 200u, 4u, 8u, 2u));
     RCC_CFGR = PRESCALERS | 8u << 4 | 3u) /* line: system_clock */
RULE(apb1_clock, hse_on(); voltage(SCALE); pll_on(FASTEST); overdrive_on(); FLASH_ACR = WAIT_STATES;
     RCC_CFGR = 4u << 13 | 2u) /* line: apb1_clock */
RULE(apb2_clock, hse_on(); voltage(SCALE); pll_on(FASTEST); overdrive_on(); FLASH_ACR = WAIT_STATES;
     RCC_CFGR = 5u << 10 | 2u) /* line: apb2_clock */
RULE(prescaler_late, full_speed(); RCC_CFGR &= ~(7u << 10))
RULE(too_few_wait_states, hse_on(); voltage(SCALE); pll_on(FASTEST); overdrive_on();
     FLASH_ACR = WAIT_STATES - 1; RCC_CFGR = PRESCALERS | 2u) /* line: too_few_wait_states */
RULE(wait_states_fall, full_speed(); FLASH_ACR = 0)
RULE(no_overdrive, hse_on(); voltage(SCALE); pll_on(FASTEST); FLASH_ACR = WAIT_STATES;
     RCC_CFGR = PRESCALERS | 2u) /* line: no_overdrive */
RULE(low_voltage, hse_on(); voltage(1); pll_on(FASTEST); FLASH_ACR = WAIT_STATES;
     RCC_CFGR = PRESCALERS | 2u) /* line: low_voltage */
RULE(voltage_late, hse_on(); RCC_APB1ENR |= 1u << 28; pll_on(FASTEST); PWR_CR = 2u << 13)
RULE(overdrive_early, hse_on(); voltage(SCALE); pll_on(FASTEST); PWR_CR |= ODEN; PWR_CR |= ODSWEN)
RULE(overdrive_late, full_speed(); PWR_CR &= ~(ODEN | ODSWEN))
RULE(overdrive_absent, voltage(SCALE); PWR_CR |= ODEN)
RULE(backup_domain, REG(0x40023870) = 1)
RULE(wrong_key, REG(0x40023C04) = 0x12345678)
RULE(flash_locked, REG(0x40023C10) = 1)
RULE(flash_program, REG(0x40023C04) = 0x45670123; REG(0x40023C04) = 0xCDEF89AB; REG(0x40023C10) = 1)
RULE(option_bytes, REG(0x40023C08) = 0x08192A3B)
RULE(cache_reset, FLASH_ACR = 1u << 9; FLASH_ACR |= 1u << 11)
RULE(byte_access, *(volatile uint8_t *)0x4000440C = 0)
RULE(f446_register, REG(0x40023894) = 1)
RULE(no_register, REG(0x40023828) = 1)
RULE(other_peripheral, REG(0x40012000) = 1)
RULE(no_peripheral, REG(0x40023400) = 1)

static void speed(void) {
  full_speed();
  put('f');
  put_word(RCC_CFGR);
}

static void unlock(void) { /* and lock again */
  put((uint8_t)(REG(0x40023C10) >> 31));
  REG(0x40023C04) = 0x45670123;
  REG(0x40023C04) = 0xCDEF89AB;
  put((uint8_t)(REG(0x40023C10) >> 31));
  REG(0x40023C10) = 1u << 31;
  put((uint8_t)(REG(0x40023C10) >> 31));
}

static void mute(volatile uint32_t *reg) { /* one byte is lost, the next one leaves */
  uint32_t right = *reg;
  *reg = 0;
  USART_DR = 'x'; /* line: mute */
  *reg = right;
  put('y');
}

static void slower(void) { /* down again, in the right order */
  full_speed();
  run_from(0);
  baud_at(16000000);
  RCC_CFGR = 0;
  FLASH_ACR = 0;
  PWR_CR &= ~(ODEN | ODSWEN);
  RCC_CR &= ~PLLON;
  wait(&RCC_CR, PLLRDY, 0);
  RCC_CR &= ~HSEON;
  put('s');
}

static void (*const rules[])(void) = {
    port_clock,     port_clock_read, power_clock,         crystal,          bypass_late,
    pll_source,     pll_m,           pll_n,               pll_q,            pll_vco,
    pll_output,     pll_changed,     not_ready,           never_ready,      hsi_off,
    source_off,     system_clock,    apb1_clock,          apb2_clock,       prescaler_late,
    no_overdrive,   low_voltage,     too_few_wait_states, wait_states_fall, voltage_late,
    backup_domain,  overdrive_early, overdrive_late,      overdrive_absent, wrong_key,
    flash_locked,   flash_program,   option_bytes,        cache_reset,      byte_access,
    f446_register,      no_register,    other_peripheral, no_peripheral,
};

int main(void) {
  for (;;) {
    uint8_t chosen = get();
    switch (chosen) {
    case 'f': speed(); break;
    case 'u': unlock(); break;
    case 'p': mute(&GPIOA_AFRL); break;
    case 'e': mute(&USART_CR1); break;
    case 'b': mute(&USART_BRR); break;
    case 's': slower(); break;
    case 'c': put_word(REG(0x40023874)); break; /* RCC_CSR */
    case 'C': REG(0x40023874) |= 1u << 24; put('C'); break;
    case 'R': put('!'); SCB_AIRCR = 0x05FA0004; for (;;) { }
    case 'i': put_word(REG(0xE0042000)); break;
    case 'm': put(((volatile uint8_t *)0x20018000)[0]); put('m'); break; /* beyond 96 KB */
    default: rules[chosen](); put('.');
    }
  }
}
