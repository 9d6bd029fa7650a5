/* Ways to crash on purpose. tests/firmware/test_crashing.py builds the firmware with this in main.c: LAYER
 * with number 200 + n does the n-th. Each function has its line marked with its name. */
#include <stdint.h>

#define APART __attribute__((noinline)) static

volatile uint32_t one = 1;

APART uint32_t read_nothing(void)
{
    return *(volatile uint32_t *)0xA0000000U + one; /* line: read_nothing */
}

APART void undefined(void)
{
    __asm volatile("udf #1"); /* line: undefined */
}

APART void call_null(void)
{
    void (*volatile function)(void) = 0;
    function(); /* line: call_null */
    one++;
}

APART void jump_nowhere(void)
{
    void (*volatile function)(void) = (void (*)(void))0xA0000001U;
    function(); /* line: jump_nowhere */
    one++;
}

/* Endless. It overwrites every variable before it leaves the RAM. */
APART uint32_t overflow(uint32_t depth)
{
    volatile uint32_t frame[64];
    frame[depth % 64] = depth;
    return depth == 0 ? 0 : overflow(depth + one) + frame[(depth + 1) % 64]; /* line: overflow */
}

APART void unaligned(void)
{
    uint32_t *volatile address = (uint32_t *)0x20000001U;
    __asm volatile("ldrd r0, r1, [%0]" : : "r"(address) : "r0", "r1"); /* line: unaligned */
}

APART void float_off(void)
{
    *(volatile uint32_t *)0xE000ED88U = 0;
    __asm volatile("dsb\n\tisb\n\tvmov s0, r0"); /* line: float_off */
}

APART void supervisor_call(void)
{
    __asm volatile("svc #0"); /* line: supervisor_call */
}

/* All of RAM overwritten, and the stack pointer with it: nothing but the registers is left. */
APART void wipe(void)
{
    __asm volatile("ldr r0, =0x20000000\n\t"
                   "ldr r1, =0x20020000\n\t"
                   "ldr r2, =0xA5A5A5A5\n\t"
                   "1: str r2, [r0], #4\n\t"
                   "cmp r0, r1\n\t"
                   "bne 1b\n\t"
                   "ldr r2, =0x20000400\n\t"
                   "mov sp, r2\n\t"
                   "udf #2"); /* line: wipe */
}

APART void lose_stack(void)
{
    __asm volatile("ldr r2, =0x10000000\n\tmov sp, r2\n\tudf #3"); /* line: lose_stack */
}

static bool leave; /* main() */

/* In place of requests_answer(). */
static void crash_or_answer(const frame *request)
{
    if (request->type != REQUEST_LAYER || request->payload[0] < 200) {
        requests_answer(request);
        return;
    }
    switch (request->payload[0] - 200) {
    case 0:
        read_nothing();
        break;
    case 1:
        undefined();
        break;
    case 2:
        call_null();
        break;
    case 3:
        jump_nowhere();
        break;
    case 4:
        overflow(1);
        break;
    case 5:
        unaligned();
        break;
    case 6:
        float_off();
        break;
    case 7:
        supervisor_call();
        break;
    case 8:
        wipe();
        break;
    case 9:
        lose_stack();
        break;
    default:
        leave = true;
        break;
    }
}
