/* DSP and floating-point instructions of the Cortex-M4F on operands from the host. */
#include "board.c"

static uint32_t smlad(uint32_t a, uint32_t b, uint32_t sum) {
  __asm volatile("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}

static uint32_t sxtb16(uint32_t a) {
  __asm volatile("sxtb16 %0, %0, ror #8" : "+r"(a));
  return a;
}

static uint32_t ssat(uint32_t a) {
  __asm volatile("ssat %0, #8, %0" : "+r"(a));
  return a;
}

static float fma(float a, float b, float sum) {
  __asm volatile("vfma.f32 %0, %1, %2" : "+t"(sum) : "t"(a), "t"(b));
  return sum;
}

static uint32_t bits(float value) {
  union { float f; uint32_t u; } view = {.f = value};
  return view.u;
}

static float number(uint32_t word) {
  union { float f; uint32_t u; } view = {.u = word};
  return view.f;
}

int main(void) {
  for (;;) {
    uint32_t a = get_word(), b = get_word(), c = get_word();
    put_word(smlad(a, b, c));
    put_word(sxtb16(a));
    put_word(ssat(a));
    put_word(b ? a / b : 0);
    put_word(bits(fma(number(a), number(b), number(c))));
    put_word(bits(number(a) / number(b)));
  }
}
