/* The right way to a fast clock, step by step, for test programs that include board.c. */
#define RCC_CR REG(0x40023800)
#define RCC_PLLCFGR REG(0x40023804)
#define RCC_CFGR REG(0x40023808)
#define PWR_CR REG(0x40007000)
#define PWR_CSR REG(0x40007004)
#define FLASH_ACR REG(0x40023C00)
#define HSEON (1u << 16)
#define HSERDY (1u << 17)
#define HSEBYP (1u << 18)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define ODEN (1u << 16)
#define ODSWEN (1u << 17)
#define PLL_FACTORS(m, n, p, q, r) \
  ((m) | (n) << 6 | ((p) / 2 - 1) << 16 | 1u << 22 | (q) << 24 | (unsigned)(r) << 28)
#ifdef F401 /* 8 MHz / 4 * 168 would be below the VCO's 192 MHz */
#define FASTEST PLL_FACTORS(8u, 336u, 4u, 7u, 2u)
#define SCALE 2u
#define PRESCALERS (4u << 10) /* APB1: 42 MHz */
#define WAIT_STATES 2u
#define APB1_HZ 42000000u
__attribute__((used)) const char board_mcu[] = "stm32f401re";
#else
#define FASTEST PLL_FACTORS(4u, 180u, 2u, 8u, 2u)
#define SCALE 3u
#define PRESCALERS (5u << 10 | 4u << 13) /* APB1: 45 MHz, APB2: 90 MHz */
#define WAIT_STATES 5u
#define APB1_HZ 45000000u
#endif

static inline void wait(volatile uint32_t *word, uint32_t mask, uint32_t value) {
  for (int i = 0; i < 100000 && (*word & mask) != value; i++) {
  }
}

static inline void hse_on(void) {
  RCC_CR |= HSEBYP;
  RCC_CR |= HSEON;
  wait(&RCC_CR, HSERDY, HSERDY);
}

static inline void pll_on(uint32_t factors) {
  RCC_PLLCFGR = factors;
  RCC_CR |= PLLON;
  wait(&RCC_CR, PLLRDY, PLLRDY);
}

static inline void voltage(uint32_t vos) {
  RCC_APB1ENR |= 1u << 28;
  PWR_CR = (PWR_CR & ~(3u << 14)) | vos << 14;
}

static inline void overdrive_on(void) {
#ifndef F401
  PWR_CR |= ODEN;
  wait(&PWR_CSR, ODEN, ODEN);
  PWR_CR |= ODSWEN;
  wait(&PWR_CSR, ODSWEN, ODSWEN);
#endif
}

static inline void run_from(uint32_t source) {
  RCC_CFGR = (RCC_CFGR & ~3u) | source;
  wait(&RCC_CFGR, 3u << 2, source << 2);
}

static inline void baud_at(uint32_t hz) {
  USART_BRR = (hz + BAUD / 2) / BAUD;
}

static inline void full_speed(void) {
  hse_on();
  voltage(SCALE);
  pll_on(FASTEST);
  overdrive_on();
  FLASH_ACR = 7u << 8 | WAIT_STATES; /* with prefetch and both caches */
  RCC_CFGR = PRESCALERS;
  run_from(2);
  baud_at(APB1_HZ);
}
