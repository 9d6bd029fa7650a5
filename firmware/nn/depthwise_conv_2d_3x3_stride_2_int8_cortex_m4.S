/* stack: 84 bytes */
/* The inner loops of depthwise_conv_2d_3x3_stride_2_int8_cortex_m4.c, in assembly because they need
 * every register.
 *
 * SMLAD takes two 32-bit words, each of two 16-bit numbers, and adds both products to a sum.
 * SMLABT multiplies the bottom number of the first word by the top number of the second only, and
 * so on: B is the bottom number, which lies first in memory, T the top one. LDM loads several words
 * at once. */
#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* On the stack: of the channel, but for STEP, */
    .equ    MULTIPLIER, 0
    .equ    ROUNDING, 4
    .equ    BIAS, 8
    .equ    STEP, 12
    .equ    SHIFT, 16
    .equ    ODD, 20                         /* and what the C file's struct `filtering` has, */
    .equ    COUNT, 24
    .equ    END, 28                         /*   OUTPUTS, then where a line's input ends, */
    .equ    TO_LINE, 32
    .equ    FROM_LINE, 36
    .equ    PITCH, 40
    .equ    BEGIN, 44                       /*   and where the loop begins */
    .equ    FRAME, 48

/* The sums in r2 and r3 to bytes, as nn_rescale() does, by the multiplier in r9 and the rounding in
 * r10. Bit 8 of a channel's shift says which of the two macros it takes: UP is for channels that
 * are as depthwise_conv_2d_3x3.h says, whose sums are multiplied by so much that the shift is 11
 * for all of them. */
    .macro SCALE_UP
    smmla   r2, r2, r9, r10
    smmla   r3, r3, r9, r10
    ssat    r2, #8, r2, asr #11
    ssat    r3, #8, r3, asr #11
    .endm

    .macro SCALE_BOTH                       /* 1 less is added to what is below zero */
    add     r12, r10, r2, asr #31
    add     r10, r10, r3, asr #31
    smmlar  r2, r2, r9, r12
    smmlar  r3, r3, r9, r10
    ldrd    r12, r9, [sp, #STEP]            /* and SHIFT */
    asr     r2, r2, r9
    asr     r3, r3, r9
    ssat    r2, #8, r2
    ssat    r3, #8, r3
    .endm

/* Two outputs. x0 to x4 are columns of a pair of lines, y0 to y4 those of the upper line of the
 * pair below; a b c are the rows of the weights: r4-r6 are (a0 b0) (a1 b1) (a2 b2), r7 is (c0 c1)
 * and r8 c2; r11 is the bias. x0 x1 x2 and y0 y1 y2 make the one (r2), x2 x3 x4 and y2 y3 y4 the
 * other (r3): each takes three SMLAD of two multiply-accumulates and three SMLABx of one. Then the
 * bytes, and the way to the next output is twice r12. */
    .macro  TWO_OUTPUTS how
    ldm     r0, {r3, r9, r10, r12}          /* x0 x1 x2 x3, each of two lines */
    smlad   r2, r3, r4, r11                 /* x0 (a0 b0) */
    smlad   r3, r10, r4, r11                /* x2 (a0 b0) */
    smlad   r2, r9, r5, r2                  /* x1 (a1 b1) */
    smlad   r3, r12, r5, r3                 /* x3 (a1 b1) */
    smlad   r2, r10, r6, r2                 /* x2 (a2 b2) */
    ldr     r9, [r0, #64]!                  /* x4 */
    smlad   r3, r9, r6, r3                  /* x4 (a2 b2) */
    ldm     r1, {r9-r12}                    /* y0 y1 y2 y3, and the lower line */
    smlabb  r2, r9, r7, r2                  /* y0 c0 */
    smlabb  r3, r11, r7, r3                 /* y2 c0 */
    smlabt  r2, r10, r7, r2                 /* y1 c1 */
    smlabt  r3, r12, r7, r3                 /* y3 c1 */
    smlabb  r2, r11, r8, r2                 /* y2 c2 */
    ldr     r9, [r1, #64]!                  /* y4 */
    smlabb  r3, r9, r8, r3                  /* y4 c2 */
    ldm     sp, {r9-r12}                    /* MULTIPLIER to STEP */
    SCALE_\how
    strb    r3, [lr, r12]
    strb    r2, [lr]
    add     lr, lr, r12, lsl #1
    .endm

/* The loop: r0 walks along a pair of lines of the input, r1 along the next one, and lr is where the
 * output goes. Four times two outputs, 72 multiply-accumulates, take 100 instructions where UP. A
 * line of other than fours of pairs leaves out the first of its first four. */
    .macro  LINES how
    TWO_OUTPUTS \how
lines_\how\()_2:
    TWO_OUTPUTS \how
    TWO_OUTPUTS \how
lines_\how\()_4:
    TWO_OUTPUTS \how
    add     r2, sp, #ODD
    ldm     r2, {r2, r3, r9, r10, r12}      /* ODD to FROM_LINE */
    cmp     r0, r9
    bne     lines_\how
    cbnz    r2, 2f
1:  add     lr, lr, r10                     /* to the next line */
    ldr     r10, [sp, #PITCH]
    add     r0, r0, r12
    add     r1, r1, r12
    subs    r3, r3, #1
    add     r9, r9, r10
    strd    r3, r9, [sp, #COUNT]            /* and END */
    it      ne
    ldrne   pc, [sp, #BEGIN]
    add     sp, sp, #FRAME
    pop     {r4-r11, pc}
/* An odd line has one output more: one more pair with a STEP of 0, so that its second output is
 * stored where the first goes, just before it. A STEP of 0 says that this is done. */
2:  ldr     r3, [sp, #STEP]
    cbz     r3, 3f
    mov     r3, #0
    add     r9, r9, #64
    str     r3, [sp, #STEP]
    str     r9, [sp, #END]
    b       lines_\how\()_4
3:  str     r2, [sp, #STEP]                 /* as it was: ODD is what STEP is, where not 0 */
    ldr     r3, [sp, #COUNT]
    sub     r9, r9, #64
    b       1b
    .endm

/* A row of weights, doubled as often as the lowest byte of r2 says. */
    .macro  WEIGHTS first, second, third
    ldrsb   \first, [r1]
    ldrsb   \second, [r1, r10]
    ldrsb   \third, [r1, r10, lsl #1]
    add     r1, r1, r11
    lsl     \first, \first, r2
    lsl     \second, \second, r2
    lsl     \third, \third, r2
    .endm

/* void nn_depthwise_3x3_stride_2(const filtering *how, const int8_t *weights,
 *                                const int32_t *channel, int8_t *output)
 *
 * Lines of one channel. */
    .section .text.nn_depthwise_3x3_stride_2, "ax", %progbits
    .global nn_depthwise_3x3_stride_2
    .type   nn_depthwise_3x3_stride_2, %function
    .thumb_func
nn_depthwise_3x3_stride_2:
    push    {r4-r11, lr}
    mov     lr, r3
    ldm     r2, {r3-r6}                     /* bias, multiplier, rounding, shift */
    ldr     r7, [r0], #4                    /* what a line leaves out of the loop */
    lsls    r2, r6, #23
    bmi     2f
    rsb     r2, r6, #10                     /* d - 1: to be doubled d times more than r6 says */
    mov     r8, #1
    orr     r5, r8, r5, lsl #1
    lsl     r5, r5, r2                      /* the rounding times 2^d, and 2^d / 2 */
    add     r2, r2, #1
    lsl     r3, r3, r2                      /* the bias times 2^d */
    add     r2, r2, #1
    mov     r8, #lines_UP_2 - lines_UP
    adr     r9, lines_UP + 1                /* + 1: a Thumb address */
1:  mla     r9, r7, r8, r9
    push    {r9}                            /* BEGIN */
    ldmia   r0!, {r7-r12}                   /* ODD to PITCH */
    push    {r6-r12}                        /* SHIFT to PITCH */
    ldm     r0, {r0, r7, r10, r11}          /* input, STEP, from one weight to the next */
    mov     r6, r3
    push    {r4-r7}                         /* MULTIPLIER to STEP */
    add     r9, r0, r9
    str     r9, [sp, #END]
    add     r12, r0, r12
    WEIGHTS r4, r5, r6
    WEIGHTS r7, r8, r9
    pkhbt   r4, r4, r7, lsl #16
    pkhbt   r5, r5, r8, lsl #16
    pkhbt   r6, r6, r9, lsl #16
    WEIGHTS r7, r9, r8
    pkhbt   r7, r7, r9, lsl #16
    mov     r1, r12
    ldr     r11, [sp, #BIAS]
    ldr     pc, [sp, #BEGIN]
2:  lsr     r2, r6, #9
    mov     r8, #lines_BOTH_2 - lines_BOTH
    adr     r9, lines_BOTH + 1
    b       1b
    .balign 4
lines_UP:
    LINES   UP
    .balign 4
lines_BOTH:
    LINES   BOTH
    .size   nn_depthwise_3x3_stride_2, .-nn_depthwise_3x3_stride_2

/* Two lines of four channels, called a and b, one column: at r0 the words of the four channels, at
 * r2 the input, r1 from column to column and r3 from a to b. */
    .macro  COLUMN
    ldr     r9, [r2, r3]                    /* b0 b1 b2 b3 */
    ldr     r8, [r2]                        /* a0 a1 a2 a3 */
    add     r2, r2, r1
    pkhtb   r10, r9, r8, asr #16            /* a2 a3 b2 b3 */
    pkhbt   r8, r8, r9, lsl #16             /* a0 a1 b0 b1 */
    sxtb16  r9, r8                          /* (a0 b0) */
    sxtb16  r8, r8, ror #8                  /* (a1 b1), and so on */
    sxtb16  r11, r10
    sxtb16  r10, r10, ror #8
    str     r8, [r0, #16]
    str     r11, [r0, #32]
    str     r10, [r0, #48]
    str     r9, [r0], #4
    .endm

/* Of the words of four columns, a0 a1 b0 b1 each: (a0 b0) of the four, then (a1 b1). */
    .macro  FOUR_COLUMNS first, second, third, fourth
    sxtb16  r4, \first
    sxtb16  r5, \second
    sxtb16  r6, \third
    sxtb16  r7, \fourth
    sxtb16  r8, \first, ror #8
    sxtb16  r9, \second, ror #8
    sxtb16  r10, \third, ror #8
    sxtb16  r11, \fourth, ror #8
    stmia   r0!, {r4-r11}
    .endm

/* On the stack: what the struct `widening` of the C file has, */
    .equ    COLUMN_STEP, 0
    .equ    THREE_STEPS, 4
    .equ    LOWER, 8
    .equ    BLOCKS_END, 12                  /* where the blocks' input ends */
    .equ    FIRST, 16
    .equ    BLOCKS, 20
    .equ    LAST, 24
    .equ    TO_PAIR, 28
    .equ    FROM_PAIR, 32
    .equ    PAIRS_END, 36                   /* and where all input ends */

/* void nn_depthwise_stride_2_widen(const widening *how, word *to, const int8_t *from,
 *                                  const int8_t *end)
 *
 * Pairs of lines of four channels: 39 instructions for a block of 32 numbers, the input of 72
 * multiply-accumulates. What is left before and after whole blocks goes by columns. */
    .section .text.nn_depthwise_stride_2_widen, "ax", %progbits
    .global nn_depthwise_stride_2_widen
    .type   nn_depthwise_stride_2_widen, %function
    .thumb_func
nn_depthwise_stride_2_widen:
    push    {r3-r11, lr}
    ldm     r0, {r4-r12}
    sub     sp, sp, #PAIRS_END
    stm     sp, {r4-r12}
    mov     r0, r1
1:  ldrd    r4, r5, [sp, #FIRST]            /* and BLOCKS */
    cbz     r4, 3f
    ldr     r1, [sp, #COLUMN_STEP]
    ldr     r3, [sp, #LOWER]
2:  COLUMN
    subs    r4, r4, #1
    bne     2b
    add     r0, r0, #48                     /* to the next block */
    cmp     r5, #0
    beq     5f
3:  add     r6, r2, r5
    str     r6, [sp, #BLOCKS_END]
4:  ldm     sp, {r1, r3, r12, lr}           /* COLUMN_STEP to BLOCKS_END */
    ldr     r4, [r2]                        /* a0 a1 a2 a3 of the first column, */
    ldr     r5, [r2, r1]
    ldr     r6, [r2, r1, lsl #1]
    ldr     r7, [r2, r3]                    /*   to the fourth */
    add     r12, r2, r12
    add     r2, r2, r1, lsl #2
    cmp     r2, lr                          /* for the end of the loop */
    ldr     r8, [r12]                       /* b0 b1 b2 b3 of the same */
    ldr     r9, [r12, r1]
    ldr     r10, [r12, r1, lsl #1]
    ldr     r11, [r12, r3]
    pkhtb   r1, r8, r4, asr #16             /* a2 a3 b2 b3 */
    pkhtb   r3, r9, r5, asr #16
    pkhtb   r12, r10, r6, asr #16
    pkhtb   lr, r11, r7, asr #16
    pkhbt   r8, r4, r8, lsl #16             /* a0 a1 b0 b1 */
    pkhbt   r9, r5, r9, lsl #16
    pkhbt   r10, r6, r10, lsl #16
    pkhbt   r11, r7, r11, lsl #16
    FOUR_COLUMNS r8, r9, r10, r11
    FOUR_COLUMNS r1, r3, r12, lr
    bne     4b
5:  add     r4, sp, #LAST
    ldm     r4, {r4-r7}                     /* LAST to PAIRS_END */
    cbz     r4, 7f
    ldr     r1, [sp, #COLUMN_STEP]
    ldr     r3, [sp, #LOWER]
6:  COLUMN
    subs    r4, r4, #1
    bne     6b
7:  add     r0, r0, r5
    add     r2, r2, r6
    cmp     r2, r7
    bne     1b
    add     sp, sp, #PAIRS_END
    pop     {r3-r11, pc}
    .size   nn_depthwise_stride_2_widen, .-nn_depthwise_stride_2_widen
#endif
