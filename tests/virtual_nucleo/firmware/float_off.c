/* Uses the floating-point unit although nothing has switched it on. */
#define FPU_STAYS_OFF
#include "board.c"

int main(void) {
  put('a');
  __asm volatile("vmov.f32 s0, #1.0" ::: "s0"); /* line: main */
  put('b');
  get();
}
