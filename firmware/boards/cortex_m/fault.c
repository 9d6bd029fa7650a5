/* Where every exception leads: it collects what is known and hands it to the application.
 *
 * A fault may come from a broken stack or from overwritten variables, so nothing in RAM is trusted:
 * the handler has a stack of its own, and what it needs to know of clock and serial port it reads
 * from their registers. */
#include "cortex_m.h"
#include "parts.h"

extern const uint32_t ram_start[], stack_top[]; /* from sections.ld */

void fault_report(const uint32_t *stack, uint32_t exception);

/* Used by name from assembly below; the stack grows down from its end. */
__attribute__((used, aligned(8))) uint8_t fault_stack[1024];

__attribute__((naked)) void fault_entry(void)
{
    __asm volatile("mrs r0, msp\n\t"
                   "mrs r1, ipsr\n\t"
                   "ldr r2, =fault_stack + 1024\n\t"
                   "mov sp, r2\n\t"
                   "b fault_report\n\t"
                   ".ltorg");
}

/* What the core pushed before it came here (ARMv7-M section B1.5.6), where that is in RAM. */
static void copy_stacked(uint32_t to[8], const uint32_t *stack)
{
    const bool aligned = (uintptr_t)stack % sizeof *stack == 0;
    for (uint32_t i = 0; aligned && stack >= ram_start && stack + 8 <= stack_top && i < 8; i++) {
        to[i] = stack[i];
    }
}

__attribute__((used)) void fault_report(const uint32_t *stack, uint32_t exception)
{
    FPU_FPCCR &= ~FPU_FPCCR_LSPACT; /* else the old stack might be written to for the FPU's sake */
    board_crash crash = {exception, {SCB_CFSR, SCB_HFSR, SCB_MMFAR, SCB_BFAR}, {0}};
    copy_stacked(crash.stacked, stack);
    serial_forget();         /* its counts may be overwritten */
    if (!serial_started()) { /* a fault so early that there is no serial port yet */
        pins_start();
        serial_start();
        time_start();
    }
    board_crashed(&crash);
}
