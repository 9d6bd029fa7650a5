/* stack: 68 bytes */
/* The inner loop of conv_2d_four_int8_cortex_m4.c, in assembly because it needs every register.
 *
 * SMLAD takes two 32-bit words, each of two 16-bit numbers, and adds both products to a sum: two
 * multiply-accumulates in one cycle. LDM loads several words at once. */
#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* void nn_conv_2d_quad(const quad *arguments)
 *
 * Four windows for pairs of channels. Where `distance` is 0, they are those of a pooling, and the
 * outputs of the largest sums go to `y`. Else the outputs of each window go `distance` bytes behind
 * those of the one before.
 *
 * x: two taps of each window in turn, and so on; weights: the same with two channels.
 *
 *              weights of channel 0   channel 1
 *                              r4     r5
 *  windows 0, 2    r2          r6 r10 r7 r11
 *  windows 1, 3    r3          r8 r12 r9 lr
 *
 * A step loads two taps of four windows and of two channels, six words, and multiplies each with
 * each: 11 instructions for 16 multiply-accumulates. */
    .macro STEP
    ldmia   r0!, {r2, r3}
    ldmia   r1!, {r4, r5}
    smlad   r6, r2, r4, r6
    smlad   r7, r2, r5, r7
    smlad   r8, r3, r4, r8
    smlad   r9, r3, r5, r9
    ldmia   r0!, {r2, r3}
    smlad   r10, r2, r4, r10
    smlad   r11, r2, r5, r11
    smlad   r12, r3, r4, r12
    smlad   lr, r3, r5, lr
    .endm

    .macro LARGER a, b
    cmp     \a, \b
    it      lt
    movlt   \a, \b
    .endm

    .macro CHANNEL                  /* a row of `channels`: bias, multiplier, rounding, shift */
    ldr     r0, [sp, #16]
    ldmia   r0!, {r2-r5}
    str     r0, [sp, #16]
    .endm

    .macro FINISH sum               /* as nn_rescale() */
    add     \sum, \sum, r2
    and     r0, r5, \sum, asr #31
    sub     r0, r4, r0, lsr #8
    smmlar  \sum, \sum, r3, r0
    asr     \sum, \sum, r5
    ssat    \sum, #8, \sum
    .endm

    .section .text.nn_conv_2d_quad, "ax", %progbits
    .global nn_conv_2d_quad
    .type   nn_conv_2d_quad, %function
    .thumb_func
nn_conv_2d_quad:
    push    {r4-r11, lr}
    ldmia   r0, {r4-r11}
    sub     sp, sp, #32             /* 0 x, 4 x's end, 8 where to begin, 12 what follows, */
    mov     r1, r7                  /*   16 channels, 20 their end, 24 y, 28 distance */
    rsb     r6, r6, #0              /* the first of the 16 steps below is left out so often */
    ubfx    r6, r6, #1, #4          /*   that the steps in all are taps / 2; a step is 38 bytes */
    add     r0, r6, r6, lsl #1
    add     r0, r0, r6, lsl #4
    adr     r6, 2f + 1              /* + 1: a Thumb address */
    add     r6, r6, r0, lsl #1
    adr     r7, 3f + 1
    cmp     r11, #0
    bne     0f
    adr     r7, 4f + 1
0:  stm     sp, {r4-r11}
1:  ldr     r0, [sp]
    movs    r6, #0
    movs    r7, #0
    mov     r8, r6
    mov     r9, r6
    mov     r10, r6
    mov     r11, r6
    mov     r12, r6
    mov     lr, r6
    ldr     pc, [sp, #8]
    .balign 4
2:  .rept   16
    STEP
    .endr
    ldr     r2, [sp, #4]
    cmp     r0, r2
    bne     2b
    ldr     pc, [sp, #12]
    .balign 4
3:  CHANNEL                         /* the outputs of each window */
    FINISH  r6
    FINISH  r8
    FINISH  r10
    FINISH  r12
    CHANNEL
    FINISH  r7
    FINISH  r9
    FINISH  r11
    FINISH  lr
    ldrd    r2, r3, [sp, #24]
    strb    r6, [r2]
    strb    r7, [r2, #1]
    adds    r4, r2, r3
    strb    r8, [r4]
    strb    r9, [r4, #1]
    add     r4, r4, r3
    strb    r10, [r4]
    strb    r11, [r4, #1]
    add     r4, r4, r3
    strb    r12, [r4]
    strb    lr, [r4, #1]
    b       5f
    .balign 4
4:  LARGER  r6, r8                  /* one output */
    LARGER  r10, r12
    LARGER  r6, r10
    LARGER  r7, r9
    LARGER  r11, lr
    LARGER  r7, r11
    CHANNEL
    FINISH  r6
    CHANNEL
    FINISH  r7
    ldr     r2, [sp, #24]
    strb    r6, [r2]
    strb    r7, [r2, #1]
5:  adds    r2, r2, #2
    str     r2, [sp, #24]
    ldrd    r2, r3, [sp, #16]
    cmp     r2, r3
    bne     1b
    add     sp, sp, #32
    pop     {r4-r11, pc}
    .size   nn_conv_2d_quad, .-nn_conv_2d_quad

/* void nn_conv_2d_quad_5x5(const int8_t *window, uint32_t step, nn_word *x)
 *
 * Packs four windows of 5 x 5 x 1 taps, side by side and one row below, for nn_conv_2d_quad(). Of a
 * row a b c d e f the left windows get (a c) (b d) and the right ones (b d) (c e); behind the five
 * rows come the e of each for the left and the f for the right, in the order 0 2 1 3, 4. */
    .macro STORE row, below
    strd    r4, r5, [r2, #(\row) * 32 + \below]
    strd    r5, r6, [r2, #(\row) * 32 + 16 + \below]
    strh    r7, [r2, #160 + ((\row) & 1) * 16 + ((\row) & 2) + ((\row) & 4) * 8 + \below]
    strh    r8, [r2, #164 + ((\row) & 1) * 16 + ((\row) & 2) + ((\row) & 4) * 8 + \below]
    .endm

    .macro LOAD
    ldr     r3, [r0]
    ldrsb   r7, [r0, #4]            /* e */
    ldrsb   r8, [r0, #5]            /* f */
    add     r0, r0, r1
    sxtb16  r4, r3                  /* a c */
    sxtb16  r5, r3, ror #8          /* b d */
    lsr     r6, r4, #16
    pkhbt   r6, r6, r7, lsl #16     /* c e */
    .endm

    .section .text.nn_conv_2d_quad_5x5, "ax", %progbits
    .global nn_conv_2d_quad_5x5
    .type   nn_conv_2d_quad_5x5, %function
    .thumb_func
nn_conv_2d_quad_5x5:
    push    {r4-r8, lr}
    LOAD
    STORE   0, 0
    .irp    row, 1, 2, 3, 4
    LOAD
    STORE   \row, 0
    STORE   \row - 1, 8
    .endr
    LOAD
    STORE   4, 8
    pop     {r4-r8, pc}
    .size   nn_conv_2d_quad_5x5, .-nn_conv_2d_quad_5x5
#endif
