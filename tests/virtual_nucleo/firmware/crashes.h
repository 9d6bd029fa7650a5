/* Ways to crash on purpose. tests/firmware/test_crashing.py builds the firmware with this in main.c: LAYER
 * with number 200 + n does the n-th. Each function has its line marked with its name. */
#include <stdint.h>

#define APART __attribute__((noinline)) static

volatile uint32_t one = 1;

APART void read_nothing(void)
{
    one = *(volatile uint32_t *)0xA0000000U; /* line: read_nothing */
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

APART uint32_t deeper(uint32_t depth)
{
    volatile uint32_t frame[64];
    frame[depth % 64] = depth;
    return depth == 0 ? 0 : deeper(depth + one) + frame[(depth + 1) % 64];
}

/* Endless. It overwrites every variable before it leaves the RAM. */
APART void overflow(void)
{
    one = deeper(1);
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

static void leave_main(void)
{
    leave = true;
}

static void (*const crashes[])(void) = {
    read_nothing, undefined, call_null, jump_nowhere, overflow,
    unaligned, float_off, supervisor_call, wipe, lose_stack, leave_main,
};

/* In place of requests_answer(). */
static void crash_or_answer(const frame *request)
{
    if (request->type != REQUEST_LAYER || request->payload[0] < 200) {
        requests_answer(request);
        return;
    }
    crashes[request->payload[0] - 200]();
    one++; /* so that this is the caller */
}
