/* stack: 68 bytes */
/* The inner loop of conv_2d_int8_cortex_m4.c, in assembly because it needs every register.
 *
 * SMLAD takes two 32-bit words, each of two 16-bit numbers, and adds both products to a sum: two
 * multiply-accumulates in one cycle. LDM loads several words at once. */
#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* void nn_conv_2d_two(const nn_word *x, const int16_t *weights, void *to, uint32_t taps,
 *                     uint32_t pairs, int8_t *second, const int32_t *channels)
 *
 * Two windows for `pairs` pairs of channels. Where `channels` is 0, a pooling follows and `to` are
 * the largest sums so far, int32_t for each channel: each becomes the largest of itself and the
 * sums of both windows. Else the outputs of the first window go to `to` and those of the other to
 * `second`, int8_t for each channel.
 *
 * x: four taps of one window, four of the other, and so on; weights: two of one channel, two of the
 * other, and so on.
 *
 *                        weights of channel 0   channel 1
 *                        r8  r10                r9  r11
 *  window 0     r0 r1    r4                     r6
 *  window 1     r2 r3    r5                     r7
 *
 * A step loads four taps of two windows and of two channels, eight words, and multiplies each
 * with each: 10 instructions for 16 multiply-accumulates. */
    .macro STEP
    ldmia   r12!, {r0-r3}
    ldmia   lr!, {r8-r11}
    smlad   r4, r0, r8, r4
    smlad   r5, r2, r8, r5
    smlad   r6, r0, r9, r6
    smlad   r7, r2, r9, r7
    smlad   r4, r1, r10, r4
    smlad   r5, r3, r10, r5
    smlad   r6, r1, r11, r6
    smlad   r7, r3, r11, r7
    .endm

    .macro LARGER a, b
    cmp     \a, \b
    it      lt
    movlt   \a, \b
    .endm

    .macro FINISH sum, y            /* as nn_rescale(): r8 to r11 are a row of `channels` */
    add     \sum, \sum, r8
    and     r1, r11, \sum, asr #31
    sub     r1, r10, r1, lsr #8
    smmlar  \sum, \sum, r9, r1
    asr     \sum, \sum, r11
    ssat    \sum, #8, \sum
    strb    \sum, [\y], #1
    .endm

    .section .text.nn_conv_2d_two, "ax", %progbits
    .global nn_conv_2d_two
    .type   nn_conv_2d_two, %function
    .thumb_func
nn_conv_2d_two:
    push    {r4-r11, lr}
    ldr     r5, [sp, #36]           /* pairs */
    ldrd    r9, r10, [sp, #40]      /* second, channels */
    sub     sp, sp, #32             /* 0 x, 4 to, 8 the end of `to` or of `channels`, 12 x's end, */
    mov     lr, r1                  /*   16 where to begin, 20 what follows, 24 second, 28 channels */
    add     r6, r0, r3, lsl #2      /* two bytes a tap, two windows */
    rsb     r3, r3, #0              /* the first of the eight steps below is left out so often */
    ubfx    r3, r3, #2, #3          /*   that the steps in all are taps / 4; a step is 40 bytes */
    add     r3, r3, r3, lsl #2
    adr     r7, 2f + 1              /* + 1: a Thumb address */
    add     r7, r7, r3, lsl #3
    adr     r8, 4f + 1
    add     r4, r2, r5, lsl #3
    cmp     r10, #0
    beq     0f
    adr     r8, 3f + 1
    add     r4, r10, r5, lsl #5
0:  mov     r5, r4
    stm     sp, {r0, r2, r5-r10}
1:  ldr     r12, [sp]
    movs    r4, #0
    movs    r5, #0
    movs    r6, #0
    movs    r7, #0
    ldr     pc, [sp, #16]
    .balign 4
2:  STEP
    STEP
    STEP
    STEP
    STEP
    STEP
    STEP
    STEP
    ldr     r0, [sp, #12]
    cmp     r12, r0
    bne     2b
    ldr     pc, [sp, #20]
    .balign 4
3:  ldr     r2, [sp, #4]            /* outputs */
    ldrd    r3, r0, [sp, #24]
    ldmia   r0!, {r8-r11}
    FINISH  r4, r2
    FINISH  r5, r3
    ldmia   r0!, {r8-r11}
    FINISH  r6, r2
    FINISH  r7, r3
    str     r2, [sp, #4]
    strd    r3, r0, [sp, #24]
    ldr     r1, [sp, #8]
    cmp     r0, r1
    bne     1b
    b       5f
    .balign 4
4:  ldrd    r0, r1, [sp, #4]        /* the largest sums */
    ldrd    r2, r3, [r0]
    LARGER  r4, r5
    LARGER  r6, r7
    LARGER  r4, r2
    LARGER  r6, r3
    strd    r4, r6, [r0], #8
    str     r0, [sp, #4]
    cmp     r0, r1
    bne     1b
5:  add     sp, sp, #32
    pop     {r4-r11, pc}
    .size   nn_conv_2d_two, .-nn_conv_2d_two

/* void nn_conv_2d_pack_5x5(const int8_t *window, uint32_t step, nn_word *x)
 *
 * Packs two windows of 5 x 5 x 1 taps side by side, for nn_conv_2d_two(). Of a row a b c d e f the
 * first window gets (a c) (b d) and the other (b d) (c e); behind the five rows come the e of each
 * for the first and the f for the other, in the order 0 2 1 3, 4. */
    .macro ROW last
    ldr     r3, [r0]
    ldrsb   r7, [r0, #4]            /* e */
    ldrsb   r8, [r0, #5]            /* f */
    sxtb16  r4, r3                  /* a c */
    sxtb16  r5, r3, ror #8          /* b d */
    mov     r6, r5
    lsr     r12, r4, #16
    pkhbt   r12, r12, r7, lsl #16   /* c e */
    stmia   r2!, {r4-r6, r12}
    strh    r7, [lr, #\last]
    strh    r8, [lr, #\last + 8]
    add     r0, r0, r1
    .endm

    .section .text.nn_conv_2d_pack_5x5, "ax", %progbits
    .global nn_conv_2d_pack_5x5
    .type   nn_conv_2d_pack_5x5, %function
    .thumb_func
nn_conv_2d_pack_5x5:
    push    {r4-r8, lr}
    add     lr, r2, #80
    ROW     0
    ROW     4
    ROW     2
    ROW     6
    ROW     16
    pop     {r4-r8, pc}
    .size   nn_conv_2d_pack_5x5, .-nn_conv_2d_pack_5x5
#endif
