/* stack: 48 bytes */
/* The loops of dense_packed_cortex_m4.c. ENTER, BEGIN, FINISH and LEAVE around them are those of int8
 * (dense_cortex_m4.h). Four rows share the loads of x.
 *
 * int4: SMLAD takes the codes of four rows as one halfword h = A + 16 B + 256 C + 4096 D, which has
 * a sign, so D has. As with int8 (dense_int8_cortex_m4.S), 5 instructions for 4 columns give
 *   mixed = sum of h x,   upper = sum of (C + 16 D) x,   so sum of (A + 16 B) x = mixed - 256 upper
 * and 7 with B and D masked out those of C and A: 12 for 16 multiply-accumulates (MACs). Known from
 * its own sum is the upper byte, so that it does not matter when `mixed` wraps around.
 * int2, binary: one AND with a shifted word takes a pair of codes out of it, those half a word
 * apart, as two halfwords: 2 instructions for 2 MACs. The inputs are spread in the same order.
 * Clustered: each byte is looked up among all pairs of weights: 3 instructions for 2 MACs. Loads
 * side by side take a cycle each, which is why LDRB takes the bytes apart.
 * Ternary: four inputs have only 81 sums with weights of -1, 0 and 1. They are computed once for
 * all rows, which look them up: 3 instructions for 4 MACs. */
#include "dense_packed_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .global \name
    .type   \name, %function
    .thumb_func
    .p2align 4                     /* a line of flash: waits do not depend on the place */
\name:
.endm
.macro END name
    LEAVE
    .size   \name, . - \name
.endm
/* As BEGIN, of sums of codes. */
.macro BEGIN_CODES
    ldr     r2, [sp, #8]
    ldrd    r1, lr, [r2, #WORK_X]
    str     lr, [sp]
    .irp    sum, r6, r7, r8, r9
    mov     \sum, #0
    .endr
.endm
/* As FINISH, of the sums of codes A, B, C, D in r6 to r9. nn_dense_four_outputs takes A and C as sums
 * of earlier sections, and what it adds to them is 0. */
.macro FINISH_CODES next
    ldr     r2, [sp, #8]
    ldrd    r3, r4, [r2, #WORK_STEP]
    .irp    sum, r6, r7, r8, r9
    mla     \sum, \sum, r3, r4      /* step * codes + less */
    .endr
    strd    r6, r8, [r2, #WORK_SUMS]
    mov     r6, r7
    mov     r8, r9
    FINISH  \next
.endm
/* Words a and b of int4, columns 0, 2 and 1, 3, times r2 and r3. UXTAB16's twin with a sign, and
 * ROR #8 for the upper bytes; the rest is TWO_ROWS of dense_cortex_m4.h. */
.macro BYTES a, b, mixed, upper
    smlad   \mixed, \a, r2, \mixed
    smlad   \mixed, \b, r3, \mixed
    sxtab16 \a, r3, \a, ror #8
    sxtab16 \b, r2, \b, ror #8
    smlad   \upper, \a, \b, \upper
.endm
.macro FOUR_COLUMNS a, b
    ldmia   r1!, {r2, r3}
    and     r4, \a, #0x0F0F0F0F
    and     r5, \b, #0x0F0F0F0F
    BYTES   \a, \b, r6, r7
    BYTES   r4, r5, r8, r9
.endm
.macro EIGHT_COLUMNS
    ldmia   r0!, {r10-r12, lr}
    FOUR_COLUMNS r10, r11
    FOUR_COLUMNS r12, lr
.endm
FUNCTION nn_dense_run_int4
    ENTER
1:  BEGIN
    sub     lr, lr, r1
    tst     lr, #16                 /* an odd number of eights: the first turn has one */
    bne     3f
2:  EIGHT_COLUMNS
3:  EIGHT_COLUMNS
    ldr     lr, [sp]
    cmp     r1, lr
    bne     2b
    ldr     r2, [sp, #8]
    ldr     r4, [r2, #WORK_LESS]
    sub     r6, r6, r7, lsl #8      /* A + 16 B */
    sub     r3, r8, r9, lsl #8      /* A */
    sub     r6, r6, r3              /* 16 B */
    sub     r7, r7, r9              /* 16 D */
    mov     r8, r9
    rsb     r9, r4, r7, asr #4      /* D: its codes have no offset as yet */
    asr     r7, r6, #4
    mov     r6, r3
    FINISH_CODES 1b
    END     nn_dense_run_int4

/* The codes at bit `shift` of both halves of a word, times an x; of four words. */
.macro CODE sum, word, x, shift
    and     lr, r2, \word, lsr #\shift
    smlad   \sum, lr, \x, \sum
.endm
.macro FOUR x, shift
    CODE    r6, r3, \x, \shift
    CODE    r7, r4, \x, \shift
    CODE    r8, r5, \x, \shift
    CODE    r9, r10, \x, \shift
.endm
/*   r0 weights   r1 x   r2 mask   r3-r5, r10 words   r6-r9 sums   r11, r12 of x   lr codes */
.macro CODES name, bits, mask
    FUNCTION \name
    ENTER
1:  BEGIN_CODES
    mov     r2, #\mask
2:  ldmia   r0!, {r3-r5, r10}       /* a word of each of four rows */
    .set    at, 0
    .rept   8 / \bits
    ldmia   r1!, {r11, r12}
    FOUR    r11, at
    FOUR    r12, at + \bits
    .set    at, at + 2 * \bits
    .endr
    ldr     lr, [sp]
    cmp     r1, lr
    bne     2b
    FINISH_CODES 1b
    END     \name
.endm
    CODES   nn_dense_run_int2, 2, 0x00030003
    CODES   nn_dense_run_binary, 1, 0x00010001
/* Byte `at` of the words of four rows.
 *   r0 weights   r1 x   r2 table   r3 of x   r4, r5, r10, r11 pairs   r6-r9 sums   lr end of x */
.macro LOOK_UP at
    ldr     r3, [r1], #4
    ldrb    r4, [r0, #\at]
    ldrb    r5, [r0, #\at + 4]
    ldrb    r10, [r0, #\at + 8]
    ldrb    r11, [r0, #\at + 12]
    ldr     r4, [r2, r4, lsl #2]
    ldr     r5, [r2, r5, lsl #2]
    ldr     r10, [r2, r10, lsl #2]
    ldr     r11, [r2, r11, lsl #2]
    smlad   r6, r4, r3, r6
    smlad   r7, r5, r3, r7
    smlad   r8, r10, r3, r8
    smlad   r9, r11, r3, r9
.endm
FUNCTION nn_dense_run_clustered
    ENTER
1:  BEGIN_CODES
    sub     r2, r1, #1024           /* the table lies before x */
2:  .irp    at, 0, 1, 2, 3
    LOOK_UP \at
    .endr
    add     r0, #16
    cmp     r1, lr
    bne     2b
    FINISH_CODES 1b
    END     nn_dense_run_clustered
FUNCTION nn_dense_run_sums
    ENTER
1:  ldmia   r0!, {r6-r9}
    FINISH_CODES 1b
    END     nn_dense_run_sums

/* Nine of 81 sums, of pairs in r8 to r12 and what the first two inputs add; the last halfword is
 * overwritten by the next. Then the second input's weight is 1 more. */
.macro NINE
    .irp    pair, r8, r9, r10, r11
    sadd16  r0, \pair, r2
    str     r0, [r1], #4
    .endr
    sadd16  r0, r12, r2
    str     r0, [r1], #2
    sadd16  r2, r2, r5
.endm
/* A word of ternary is 20 digits as a fraction of 2^32: times 81, the upper word of the product is
 * the number of the next four, and the lower one the rest.
 *   r0 weights   r1 sums   r3-r7 tables   r8 81   r9 the rest, a sum   r2, r10-r12, lr numbers */
.macro TWENTY_COLUMNS
    ldr     r9, [r0], #4
    .irp    number, r2, r10, r11, r12, lr
    umull   r9, \number, r9, r8
    .endr
    ldrsh   r2, [r3, r2, lsl #1]
    ldrsh   r10, [r4, r10, lsl #1]
    ldrsh   r11, [r5, r11, lsl #1]
    ldrsh   r12, [r6, r12, lsl #1]
    ldrsh   lr, [r7, lr, lsl #1]
    ldr     r9, [r1]
    .irp    term, r2, r10, r11, r12, lr
    add     r9, \term
    .endr
    str     r9, [r1], #4
.endm

/* At first the tables, which end where the sums begin.
 *   r0, r2, r7   r1 tables   r3 inputs   r4-r6 inputs a, b, c   r8-r12 pairs   lr where the sums begin */
FUNCTION nn_dense_add_ternary
    push    {r0-r2, r4-r11, lr}
    mov     lr, r1
    sub     r1, r1, #(5 * TABLE_OF_FOUR)
1:  ldrsb   r4, [r3], #4
    ldrsb   r5, [r3, #-3]
    ldrsb   r6, [r3, #-2]
    ldrsb   r7, [r3, #-1]
    .irp    x, r4, r5, r6
    pkhbt   \x, \x, \x, lsl #16     /* inputs a, b, c in both halves; d is r7 */
    .endr
    rsb     r0, r7, #0
    uxth    r11, r0
    ssub16  r8, r11, r6             /* -c - d, -c */
    sub     r9, r7, r6
    pkhbt   r9, r9, r0, lsl #16     /* -c + d, -d */
    lsl     r10, r7, #16            /* 0, d */
    sadd16  r11, r11, r6            /* c - d, c */
    sadd16  r12, r7, r6             /* c + d */
    mov     r2, #0
    ssub16  r2, r2, r4
    ssub16  r2, r2, r5              /* -a - b, the first of nine */
    mov     r7, #3
2:  NINE
    NINE
    NINE
    ssub16  r2, r2, r5
    ssub16  r2, r2, r5
    ssub16  r2, r2, r5
    sadd16  r2, r2, r4
    subs    r7, #1
    bne     2b
    add     r1, #2
    cmp     r1, lr
    bne     1b
    pop     {r0, r1}                /* where the sums end lies first then */
    .irp    table, r3, r4, r5, r6, r7
    sub     \table, lr, #(5 * TABLE_OF_FOUR)
    add     lr, #TABLE_OF_FOUR
    .endr
    mov     r8, #81
3:  .rept   4
    TWENTY_COLUMNS
    .endr
    ldr     lr, [sp]
    cmp     r1, lr
    bne     3b
    pop     {r2, r4-r11, pc}
    .size   nn_dense_add_ternary, . - nn_dense_add_ternary

#endif
