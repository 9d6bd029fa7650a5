/* From reset to main(): the vector table, the FPU, and variables with their first values. */
#include "cortex_m.h"
#include "parts.h"

#define PAINT 0x57ACC0DEU /* in each word of the stack at first: what is still so was not used */

int main(void);
void Reset_Handler(void);

/* From sections.ld */
extern uint32_t stack_limit[], stack_top[];
extern const uint32_t data_in_flash[];
extern uint32_t data_start[], data_end[], bss_start[], bss_end[];

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

/* Up to the part that is in use already. */
static void paint_stack(void)
{
    const uint32_t *used;
    __asm volatile("mov %0, sp" : "=r"(used));
    for (uint32_t *word = stack_limit; word < used; word++) {
        *word = PAINT;
    }
}

void stack_describe(board_status *status)
{
    const uint32_t *word = stack_limit;
    while (word < stack_top && *word == PAINT) {
        word++;
    }
    status->stack_used = (uint32_t)(stack_top - word) * sizeof(uint32_t);
    status->stack_reserved = (uint32_t)(stack_top - stack_limit) * sizeof(uint32_t);
}

void Reset_Handler(void)
{
    SCB_CPACR |= SCB_CPACR_CP10_CP11_FULL; /* before any floating-point instruction */
    __asm volatile("dsb\n\tisb");
    paint_stack();
    copy_data();
    clear_bss();
    main();
    __builtin_trap(); /* main() returned: an undefined instruction, so that the fault is reported */
}

/* The exceptions of the core, PM0214 table 17. The firmware polls: it enables no interrupts. Faults
 * of all kinds escalate to HardFault, because the handlers of their own are off after reset. */
typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top},
    {.handler = Reset_Handler},
    [2 ... 15] = {.handler = fault_entry},
};
