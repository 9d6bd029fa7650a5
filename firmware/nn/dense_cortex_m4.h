/* What the three dense kernels share on the Cortex-M4. Each is a function in assembly for one row
 * of the input; C prepares its nn_dense_work. The idea is told in dense_int8_cortex_m4.S. */
#pragma once

/* Where the fields of nn_dense_work lie, in bytes. */
#define WORK_WEIGHTS 0
#define WORK_X 4
#define WORK_TURNS_END 12
#define WORK_END 16
#define WORK_SECTION 20
#define WORK_BLOCK 24
#define WORK_PAIRS 28
#define WORK_PRODUCTS 32
#define WORK_TOTAL 36
#define WORK_BIAS 40
#define WORK_MULTIPLIER 44
#define WORK_MINIMUM 60
#define WORK_OUTPUT 68
#define WORK_SUMS 76

#if defined(__ASSEMBLER__)

/* clang-format off */

/* Registers, from macro to macro:
 *   r0 weights   r1 inputs   r6 mixed AB   r7 odd B   r8 mixed CD   r9 odd D
 * On the stack: where the inner loop ends, and the nn_dense_work. */
.macro ENTER
    push    {r0, r4-r11, lr}
    sub     sp, #8
    ldr     r0, [r0, #WORK_WEIGHTS]
.endm

.macro LEAVE
    add     sp, #12
    pop     {r4-r11, pc}
.endm

/* Four rows from the first input on. What Winograd's product will have too much is off before. */
.macro BEGIN
    ldr     r2, [sp, #8]
    ldr     r3, [r2, #WORK_PAIRS]
    ldmia   r3!, {r7, r9}
    str     r3, [r2, #WORK_PAIRS]
    ldr     r4, [r2, #WORK_PRODUCTS]
    mov     r6, #0
    mov     r8, #0
    sub     r7, r4, r7
    sub     r9, r4, r9
    strd    r6, r8, [r2, #WORK_SUMS]
    ldrd    r1, lr, [r2, #WORK_X]
    str     lr, [sp]
.endm

/* Of the sums, and the nn_dense_work in r2; r3 is how many are left, 0 or less at the end. */
.macro FOUR_OUTPUTS
    bl      nn_dense_four_outputs
.endm

/* Four outputs; then back to label `next` while there are more. */
.macro FINISH next
    ldr     r2, [sp, #8]
    FOUR_OUTPUTS
    cmp     r3, #0
    bgt     \next
.endm

/* Four columns of two rows, 8 multiply-accumulates in 5 instructions. a is (256 A + B) of columns 0
 * and 2, b of columns 1 and 3; x_even and x_odd are the inputs of these columns.
 *   mixed += (256 A0 + B0) x0 + (256 A2 + B2) x2
 *   mixed += (256 A1 + B1) x1 + (256 A3 + B3) x3
 *   a = x1 + B0, x3 + B2
 *   b = x0 + B1, x2 + B3
 *   odd += (x1 + B0) (x0 + B1) + (x3 + B2) (x2 + B3) */
.macro TWO_ROWS a, b, x_even, x_odd, mixed, odd
    smlad   \mixed, \a, \x_even, \mixed
    smlad   \mixed, \b, \x_odd, \mixed
    uxtab16 \a, \x_odd, \a
    uxtab16 \b, \x_even, \b
    smlad   \odd, \a, \b, \odd
.endm

/* Four columns of four rows: a group of weights. */
.macro GROUP x_even, x_odd
    ldmia   r0!, {r10, r11, r12, lr}
    TWO_ROWS r10, r12, \x_even, \x_odd, r6, r7
    TWO_ROWS r11, lr, \x_even, \x_odd, r8, r9
.endm

/* At the end of a section: is it that of all turns? Else what 32 bits may not hold much longer goes
 * to the sums of A and C, all but the last 8 bits, and the next section begins at label `turn`. */
.macro NEXT_SECTION turn
    ldr     r2, [sp, #8]
    ldr     r3, [r2, #WORK_TURNS_END]
    cmp     r1, r3
    beq     100f
    ldrd    r4, r5, [r2, #WORK_SUMS]
    sub     r10, r6, r7
    add     r4, r4, r10, asr #8
    uxtab   r6, r7, r10
    sub     r10, r8, r9
    add     r5, r5, r10, asr #8
    uxtab   r8, r9, r10
    strd    r4, r5, [r2, #WORK_SUMS]
    ldr     r4, [r2, #WORK_SECTION]
    add     lr, r1, r4
    cmp     lr, r3
    it      hi
    movhi   lr, r3
    str     lr, [sp]
    b       \turn
100:
.endm

/* clang-format on */

#elif defined(__ARM_FEATURE_DSP)

#include "dense.h"

#include <stddef.h>

/* No part of its caller: what it takes of the stack is free again before the assembly runs. */
#define NN_DENSE_APART __attribute__((noinline))

/* All that the assembly needs for a row of the input; it moves the pointers on. */
typedef struct {
    const int8_t *weights;
    const void *x;
    const void *section_end; /* of the first section: as many turns of the inner loop as 32 bits */
    const void *turns_end;   /*   hold; of all of them */
    const void *end;         /* of what is left for single steps */
    uint32_t section;        /* bytes of x */
    uint32_t block;          /* bytes of weights of a block of rows */
    const int32_t *pairs;
    int32_t products; /* -(sum of the products of neighbors in x) */
    int32_t total;    /* 128 * (sum of x) */
    const int32_t *bias;
    const int32_t *multiplier;
    const uint8_t *shift;
    uint32_t step; /* 4 per channel, else 0; and 1 more where a shift is less than 33 */
    int32_t zero_point;
    uint32_t minimum; /* in each byte */
    uint32_t maximum;
    int8_t *output;
    uint32_t left;   /* how many outputs are */
    int32_t sums[2]; /* of A and C, in the sections that are done */
} nn_dense_work;

_Static_assert(offsetof(nn_dense_work, bias) == WORK_BIAS, "as the assembly has it");
_Static_assert(offsetof(nn_dense_work, sums) == WORK_SUMS, "as the assembly has it");

/* The outputs of a row of inputs, which `x` is. */
void nn_dense_run_wide(nn_dense_work *work);  /* x: two words a group, x0, x2 and x1, x3 */
void nn_dense_run_bytes(nn_dense_work *work); /* x: four bytes a group */
void nn_dense_run_wide8(nn_dense_work *work); /* x: two words a group, x0, x1 and x2, x3 */
void nn_dense_run_list(nn_dense_work *work);  /* x: where in a block, and x0, x1 or x2, x3 */

/* Everything of a layer that does not depend on the input. */
void nn_dense_prepare(nn_dense_work *work, const nn_dense_int8_params *p, int8_t *output);

/* Sets x, which has `steps` of `bytes` each, `turn` of them a turn of the inner loop. */
void nn_dense_set_x(nn_dense_work *work, const void *x, uint32_t steps, uint32_t bytes,
                    uint32_t turn);

/* nn_requantize() for the assembly. */
int32_t nn_dense_requantize(int32_t sum, int32_t multiplier, uint32_t shift);

/* Four bytes at any address: the compiler loads them with one LDR. */
typedef struct {
    uint32_t word;
} __attribute__((packed, may_alias)) nn_four_bytes;

static inline uint32_t nn_both_halves(int32_t value)
{
    return ((uint32_t)value & 0xFFFF) * 0x10001U;
}

/* Signed bytes 0 and 2 of a word, widened and added to the halfwords of `to`. */
static inline uint32_t nn_add_bytes_0_and_2(uint32_t to, uint32_t bytes)
{
    uint32_t sum;
    __asm("sxtab16 %0, %1, %2" : "=r"(sum) : "r"(to), "r"(bytes));
    return sum;
}

static inline uint32_t nn_add_bytes_1_and_3(uint32_t to, uint32_t bytes)
{
    uint32_t sum;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(to), "r"(bytes));
    return sum;
}

/* Both products of signed halfwords, added to `to`. */
static inline int32_t nn_add_products(uint32_t a, uint32_t b, int32_t to)
{
    int32_t sum;
    __asm("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(to));
    return sum;
}

/* The sum of four inputs, added to `to`. */
static inline int32_t nn_add_inputs(uint32_t even, uint32_t odd, int32_t to)
{
    return nn_add_products(odd, 0x10001, nn_add_products(even, 0x10001, to));
}

/* The next four inputs; zeros take the place of what is missing behind the last. */
static inline uint32_t nn_four_inputs(const nn_dense_int8_params *p, const int8_t *input,
                                      uint32_t left)
{
    if (left >= 4) {
        return ((const nn_four_bytes *)input)->word;
    }
    uint32_t bytes = 0;
    for (uint32_t i = 4; i-- > 0;) {
        bytes = bytes << 8 | (uint8_t)(i < left ? input[i] : p->input_zero_point);
    }
    return bytes;
}

#endif
