/* DSP and floating-point instructions of the Cortex-M4F on operands from the host. */
#include "board.c"

typedef union {
  uint32_t u;
  float f;
} number;

int main(void) {
  for (;;) {
    number a = {get_word()}, b = {get_word()}, c = {get_word()}, fused = c, quotient;
    uint32_t sum = c.u, pair = a.u, clipped = a.u;
    __asm volatile("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a.u), "r"(b.u));
    __asm volatile("sxtb16 %0, %0, ror #8" : "+r"(pair));
    __asm volatile("ssat %0, #8, %0" : "+r"(clipped));
    __asm volatile("vfma.f32 %0, %1, %2" : "+t"(fused.f) : "t"(a.f), "t"(b.f));
    quotient.f = a.f / b.f;
    const uint32_t results[] = {sum, pair, clipped, b.u ? a.u / b.u : 0, fused.u, quotient.u};
    for (int i = 0; i < 6; i++) {
      put_word(results[i]);
    }
  }
}
