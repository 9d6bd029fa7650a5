/* A fault handler that sends the fault registers and what was saved on the stack, and then answers:
 * 'R' restarts the chip, 'f' faults again, anything else comes back. */
#define FAULT_HANDLER HardFault_Handler
#include "board.c"

__attribute__((used)) void report(const uint32_t *saved, uint32_t returning, uint32_t stack) {
  static const uint16_t registers[] = {0xD28, 0xD2C, 0xD38}; /* CFSR, HFSR, BFAR */
  put('!');
  for (int i = 0; i < 3; i++) {
    put_word(REG(0xE000E000 + registers[i]));
  }
  for (int i = 0; i < 8; i++) {
    put_word(saved[i]);
  }
  uint32_t number;
  __asm volatile("mrs %0, ipsr" : "=r"(number));
  put_word(returning);
  put_word(stack);
  put_word(number);
  for (;;) {
    uint8_t byte = get();
    if (byte == 'R') {
      SCB_AIRCR = 0x05FA0004;
    } else if (byte == 'f') {
      REG(0x10000000) = 2;
    }
    put(byte);
  }
}

__attribute__((naked)) void HardFault_Handler(void) {
  __asm volatile("mov r0, sp\n mov r1, lr\n mov r2, sp\n b report");
}

__attribute__((naked, noinline)) static void fault(uint32_t kind) { /* r1-r3, r12: known values */
  __asm volatile("movs r1, #1\n movs r2, #2\n movs r3, #3\n mov r12, #12\n mov r11, #0x10000000\n"
                 "cmp r0, #1\n beq 1f\n cmp r0, #2\n beq 2f\n cmp r0, #3\n beq 3f\n"
                 "str r0, [r11]\n" /* line: store */
                 "1: udf #0\n"     /* line: undefined */
                 "2: push {r0}\n vmov.f32 s1, #1.0\n"
                 "vldr s0, [r3]\n"                      /* line: unaligned float */
                 "3: ldr r0, =0x30000001\n bx r0\n"); /* line: jump */
}

int main(void) {
  SCB_CPACR &= ~(0xFu << 20); /* a program that does not use the FPU before it faults */
  __asm volatile("dsb\n isb");
  for (;;) {
    uint8_t byte = get();
    if (byte == 2) {
      SCB_CPACR |= 0xFu << 20;
      __asm volatile("dsb\n isb");
    }
    if (byte < 4) {
      fault(byte);
    }
    put(byte);
  }
}
