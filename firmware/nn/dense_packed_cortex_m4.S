/* stack: 44 bytes */
/* The inner loops of dense_packed_cortex_m4.c, as dense_packed_cortex_m4.h declares them.
 *
 * Codes of 4, 2 or 1 bits: SMLAD multiplies two pairs of halfwords and adds both products. One AND
 * with a shifted word takes a pair of codes out of it, those half a word apart, as two halfwords:
 * 2 instructions for 2 multiply-accumulates (MACs). The inputs are spread in the same order. Four
 * rows share the loads.
 *
 * Ternary: five digits to the base 3 of a number N are a byte v, so that floor(v * 3^i / 256) is t_i,
 * the number of the first i digits (packing.py). Digit i is t_i - 3 t_(i-1); so the sum of digits
 * times inputs is that of t_i times (x_i - 3 x_(i+1)), which is computed once for all rows; of the
 * last, t_5 times x_5. Two bytes at once as halfwords, which v * 3^5 still fits: 3 instructions for
 * 2 MACs. Two rows share the loads. */
#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .global \name
    .type   \name, %function
    .thumb_func
    .p2align 2
\name:
.endm

/* The codes at bit `shift` of both halves of four words, times an x. */
.macro FOUR x, shift
    and     lr, r2, r7, lsr #\shift
    smlad   r3, lr, \x, r3
    and     lr, r2, r8, lsr #\shift
    smlad   r4, lr, \x, r4
    and     lr, r2, r9, lsr #\shift
    smlad   r5, lr, \x, r5
    and     lr, r2, r10, lsr #\shift
    smlad   r6, lr, \x, r6
.endm

/* A word of each of four rows.
 *   r0 weights   r1 x   r2 mask   r3-r6 sums   r7-r10 words   r11, r12 of x   lr codes */
.macro WORD bits
    ldmia   r0!, {r7-r10}
    .set    at, 0
    .rept   4 / \bits
    ldmia   r1!, {r11, r12}
    FOUR    r11, at
    .set    at, at + \bits
    FOUR    r12, at
    .set    at, at + \bits
    ldmia   r1!, {r11, r12}
    FOUR    r11, at
    .set    at, at + \bits
    FOUR    r12, at
    .set    at, at + \bits
    .endr
.endm

.macro ENTER
    push    {r2-r11, lr}            /* where x ends lies first, where the sums go then */
    mov     r3, #0
    mov     r4, #0
    mov     r5, #0
    mov     r6, #0
.endm

.macro LEAVE
    add     sp, #4
    pop     {r7}
    stmia   r7, {r3-r6}
    pop     {r4-r11, pc}
.endm

FUNCTION nn_dense_sums_of_int4
    ENTER
    sub     lr, r2, r1
    mov     r2, #0x000F000F
    tst     lr, #16                 /* an odd number of words: the first turn has one */
    bne     2f
1:  WORD    4
2:  WORD    4
    ldr     lr, [sp]
    cmp     r1, lr
    bne     1b
    LEAVE
    .size   nn_dense_sums_of_int4, . - nn_dense_sums_of_int4

FUNCTION nn_dense_sums_of_int2
    ENTER
    mov     r2, #0x00030003
1:  WORD    2
    ldr     lr, [sp]
    cmp     r1, lr
    bne     1b
    LEAVE
    .size   nn_dense_sums_of_int2, . - nn_dense_sums_of_int2

FUNCTION nn_dense_sums_of_binary
    ENTER
    mov     r2, #0x00010001
1:  WORD    1
    ldr     lr, [sp]
    cmp     r1, lr
    bne     1b
    LEAVE
    .size   nn_dense_sums_of_binary, . - nn_dense_sums_of_binary

/* Byte `at` of four words as a pair of weights from the table at r2, times an x. Loads side by side
 * take a cycle each. */
.macro LOOK_UP at
    ldr     r11, [r1], #4
    ubfx    r12, r7, #\at, #8
    ubfx    lr, r8, #\at, #8
    ldr     r12, [r2, r12, lsl #2]
    ldr     lr, [r2, lr, lsl #2]
    smlad   r3, r12, r11, r3
    smlad   r4, lr, r11, r4
    ubfx    r12, r9, #\at, #8
    ubfx    lr, r10, #\at, #8
    ldr     r12, [r2, r12, lsl #2]
    ldr     lr, [r2, lr, lsl #2]
    smlad   r5, r12, r11, r5
    smlad   r6, lr, r11, r6
.endm

FUNCTION nn_dense_sums_of_clustered
    ENTER
    sub     r2, r1, #1024
1:  ldmia   r0!, {r7-r10}
    LOOK_UP 0
    LOOK_UP 8
    LOOK_UP 16
    LOOK_UP 24
    ldr     lr, [sp]
    cmp     r1, lr
    bne     1b
    LEAVE
    .size   nn_dense_sums_of_clustered, . - nn_dense_sums_of_clustered

/* The digits of two bytes, which are the halfwords of r6, times r8 to r12. */
.macro DIGITS sum
    .irp    x, r8, r9, r10, r11, r12
    add     r6, r6, r6, lsl #1
    uxtb16  r7, r6, ror #8
    smlad   \sum, r7, \x, \sum
    .endr
.endm

/* r0 weights   r1 x   r2 its end   r3, lr sums   r4, r5 words   r6, r7 bytes   r8-r12 of x */
FUNCTION nn_dense_sums_of_ternary
    push    {r3-r11, lr}
    mov     r3, #0
    mov     lr, #0
1:  ldmia   r0!, {r4, r5}
    ldmia   r1!, {r8-r12}
    uxtb16  r6, r4
    DIGITS  r3
    uxtb16  r6, r5
    DIGITS  lr
    ldmia   r1!, {r8-r12}
    uxtb16  r6, r4, ror #8
    DIGITS  r3
    uxtb16  r6, r5, ror #8
    DIGITS  lr
    cmp     r1, r2
    bne     1b
    pop     {r4}
    strd    r3, lr, [r4]
    pop     {r4-r11, pc}
    .size   nn_dense_sums_of_ternary, . - nn_dense_sums_of_ternary

#endif
