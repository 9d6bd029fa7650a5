/* stack: 84 bytes */
/* The inner loops of conv_2d_few_int8_cortex_m4.c, in assembly because they need every register.
 *
 * SMLAD takes two 32-bit words, each of two 16-bit numbers, and adds both products to a sum: two
 * multiply-accumulates in one cycle. LDM loads several words at once. */
#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* void nn_conv_2d_few_batch(const batch *arguments)
 *
 * All channels, one after the other, of at most ten taps. A channel's weights stay in r5 to r9 for
 * the positions packed at x, five words each.
 *
 * r10 is minus the largest sum so far. A position's sum begins with r10 and so ends as what it is
 * above the largest; USAT makes 0 of what is not above; the difference goes into r10. */
    .macro POSITION
    ldmia   r12!, {r0-r4}
    smlad   r11, r0, r5, r10
    smlad   r11, r1, r6, r11
    smlad   r11, r2, r7, r11
    smlad   r11, r3, r8, r11
    smlad   r11, r4, r9, r11
    usat    r11, #31, r11
    sub     r10, r10, r11
    .endm

    .section .text.nn_conv_2d_few_batch, "ax", %progbits
    .global nn_conv_2d_few_batch
    .type   nn_conv_2d_few_batch, %function
    .thumb_func
nn_conv_2d_few_batch:
    push    {r4-r11, lr}
    sub     sp, sp, #48             /* 0 bias, 4 multiplier, 8 rounding, 12 shift, 16 distance, */
    add     r12, sp, #16            /*   20 x's end, 24 where to begin, 28 x, 32 weights, */
    ldmia   r0, {r4-r11}            /*   36 channels, 40 y, 44 channels that are left */
    rsb     r6, r6, #4              /* positions left out of the four below; one is 32 bytes */
    adr     r1, 3f + 1
    add     r6, r1, r6, lsl #5
    stmia   r12, {r4-r11}
2:  add     r3, sp, #28
    ldmia   r3, {r0-r2, lr}         /* x, weights, channels, y */
    mov     r12, r0
    ldmia   r2!, {r4-r7}
    stm     sp, {r4-r7}
    ldmia   r1!, {r5-r9}
    add     r0, lr, #1
    strd    r1, r2, [sp, #32]
    str     r0, [sp, #40]
    mov     r10, #0x40000000        /* minus what is below any sum */
    ldr     pc, [sp, #24]
    .balign 4
3:  POSITION
    POSITION
    POSITION
    POSITION
    ldm     sp, {r0-r4, r11}        /* bias, multiplier, rounding, shift, distance, x's end */
    sub     r0, r0, r10             /* bias + the largest sum; then as nn_rescale() */
    and     r10, r3, r0, asr #31
    sub     r2, r2, r10, lsr #8
    smmlar  r0, r0, r1, r2
    asr     r0, r0, r3
    ssat    r0, #8, r0
    strb    r0, [lr]
    add     lr, lr, r4
    mov     r10, #0x40000000
    cmp     r12, r11
    it      ne
    ldrne   pc, [sp, #24]
    ldr     r0, [sp, #44]
    subs    r0, r0, #1
    str     r0, [sp, #44]
    bne     2b
    add     sp, sp, #48
    pop     {r4-r11, pc}
    .size   nn_conv_2d_few_batch, .-nn_conv_2d_few_batch

/* void nn_conv_2d_pack_3x3(const int8_t *rows, uint32_t step, nn_word *x, uint32_t pairs,
 *                          uint32_t distance)
 *
 * Packs two windows of 3 x 3 x 1 taps side by side, of which a row is one word, and so the next
 * pairs. In memory, and packed, each pair of letters in a word:
 *
 *   row 0: a b c d      first window:  (a c) (b e) (f i) (g j) (k)
 *   row 1: e f g h      second:        (b d) (c f) (g j) (h k) (l)
 *   row 2: i j k l */
    .section .text.nn_conv_2d_pack_3x3, "ax", %progbits
    .global nn_conv_2d_pack_3x3
    .type   nn_conv_2d_pack_3x3, %function
    .thumb_func
nn_conv_2d_pack_3x3:
    push    {r4-r11, lr}
    ldr     lr, [sp, #36]           /* from a pair to the next, in bytes, */
    sub     lr, lr, #16             /*   less what is stored first */
4:  ldr     r4, [r0]
    ldr     r5, [r0, r1]
    ldr     r6, [r0, r1, lsl #1]
    sxtb16  r8, r4, ror #8          /* b d */
    sxtb16  r4, r4                  /* a c */
    sxtb16  r9, r5                  /* e g */
    sxtb16  r10, r5, ror #8         /* f h */
    sxtb16  r11, r6                 /* i k */
    sxtb16  r12, r6, ror #8         /* j l */
    pkhbt   r5, r8, r9, lsl #16     /* b e */
    pkhbt   r6, r10, r11, lsl #16   /* f i */
    lsr     r7, r9, #16
    pkhbt   r7, r7, r12, lsl #16    /* g j */
    stmia   r2!, {r4-r7}
    lsr     r5, r11, #16            /* k */
    lsr     r9, r4, #16
    pkhbt   r9, r9, r10, lsl #16    /* c f */
    pkhtb   r11, r11, r10, asr #16  /* h k */
    mov     r10, r7                 /* g j */
    lsr     r12, r12, #16           /* l */
    stm     r2, {r5, r8-r12}
    add     r2, r2, lr
    adds    r0, r0, #2
    subs    r3, r3, #1
    bne     4b
    pop     {r4-r11, pc}
    .size   nn_conv_2d_pack_3x3, .-nn_conv_2d_pack_3x3
#endif
