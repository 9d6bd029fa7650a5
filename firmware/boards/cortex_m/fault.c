/* Where every exception leads: it collects what is known and hands it to the application.
 *
 * A fault may come from a broken stack or from overwritten variables, so nothing in RAM is trusted:
 * the handler has a stack of its own, and what it needs to know of clock and serial port it reads
 * from their registers. */
#include "cortex_m.h"
#include "parts.h"

#define STACKED_WORDS 8U /* ARMv7-M section B1.5.6: what the core pushes */

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

static void copy_stacked(uint32_t *to, const uint32_t *stack)
{
    const bool aligned = (uintptr_t)stack % sizeof *stack == 0;
    if (aligned && stack >= ram_start && stack + STACKED_WORDS <= stack_top) {
        for (uint32_t i = 0; i < STACKED_WORDS; i++) {
            to[i] = stack[i];
        }
    }
}

/* A fault so early that there is no serial port yet. */
static void start_what_is_missing(void)
{
    if (!serial_started()) {
        pins_start();
        serial_start();
        time_start();
    }
}

__attribute__((used)) void fault_report(const uint32_t *stack, uint32_t exception)
{
    FPU_FPCCR &= ~FPU_FPCCR_LSPACT; /* else the old stack might be written to for the FPU's sake */
    board_crash crash = {
        .exception = exception,
        .cfsr = SCB_CFSR,
        .hfsr = SCB_HFSR,
        .mmfar = SCB_MMFAR,
        .bfar = SCB_BFAR,
    };
    copy_stacked(crash.stacked, stack);
    serial_forget(); /* its counts may be overwritten */
    start_what_is_missing();
    board_crashed(&crash);
}
