/* stack: 100 bytes */
/* The inner loops of depthwise_conv_2d_3x3_int8_cortex_m4.c, in assembly because they need every
 * register.
 *
 * SMLAD takes two 32-bit words, each of two 16-bit numbers, and adds both products to a sum.
 * SMLABT multiplies the bottom number of the first word by the top number of the second only, and
 * so on: B is the bottom number, which lies first in memory, T the top one. */
#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* Three inputs of a line, times the three weights a b c of a row, for two outputs at once.
 *   first: (a b), second: (b c), both as 16-bit numbers
 * x0 x1 x2 make the one (r3), x1 x2 x3 the other (r12). */
    .macro ROW line, first, second, sum=r3
    ldrd    r10, r11, [\line], #4           /* (x0 x1) (x2 x3) */
    smlad   r3, r10, \first, \sum           /* x0 a + x1 b */
    smlatb  r12, r10, \first, r12           /* x1 a */
    smlabt  r3, r11, \second, r3            /* x2 c */
    smlad   r12, r11, \second, r12          /* x2 b + x3 c */
    .endm

/* The sums in r3 and r12 to bytes, as nn_rescale() does, and STEP to r11. Bit 8 of a channel's shift
 * says which of the two macros it takes: UP is for channels that are as depthwise_conv_2d_3x3.h says,
 * whose sums are multiplied by so much that the shift is 11 for all of them. */
    .macro SCALE_UP
    ldrd    r10, r11, [sp, #MULTIPLIER]     /* and ROUNDING */
    smmla   r3, r3, r10, r11
    smmla   r12, r12, r10, r11
    ldr     r11, [sp, #STEP]
    ssat    r3, #8, r3, asr #11
    ssat    r12, #8, r12, asr #11
    .endm

    .macro SCALE_BOTH                       /* 1 less is added to what is below zero */
    ldrd    r10, r11, [sp, #MULTIPLIER]
    add     r11, r11, r3, asr #31
    smmlar  r3, r3, r10, r11
    ldr     r11, [sp, #ROUNDING]
    add     r11, r11, r12, asr #31
    smmlar  r12, r12, r10, r11
    ldrd    r10, r11, [sp, #SHIFT]          /* and STEP */
    asr     r3, r3, r10
    asr     r12, r12, r10
    ssat    r3, #8, r3
    ssat    r12, #8, r12
    .endm

/* The numbers for these: r4-r7 are the bias, multiplier, rounding and shift, and lr is how many times
 * the weights are to be doubled. */
    .macro DOUBLE_UP
    rsb     lr, r7, #10                     /* d - 1: to be doubled d times more than r7 says */
    mov     r8, #1
    orr     r6, r8, r6, lsl #1
    lsl     r6, r6, lr                      /* the rounding times 2^d, and 2^d / 2 */
    add     lr, lr, #1
    lsl     r4, r4, lr                      /* the bias times 2^d */
    add     lr, lr, #1
    .endm

    .macro DOUBLE_BOTH
    lsr     lr, r7, #9
    .endm

/* On the stack: of the channel, */
    .equ    BIAS, 0
    .equ    MULTIPLIER, 4
    .equ    ROUNDING, 8
    .equ    SHIFT, 12
    .equ    STEP, 16                        /* and what the struct `filtering` of the C file has, */
    .equ    TO_LINE, 20
    .equ    FROM_LINE, 24
    .equ    PAIRS, 28
    .equ    PITCH, 32
    .equ    ODD, 36
    .equ    END_LINE, 40
    .equ    COUNT, 44
    .equ    END, 48                         /*   and where a line's input ends, */
    .equ    BEGIN, 52                       /*   and where the loop begins */
    .equ    FRAME, 56

/* Two words of weights from the three of a row, r11 bytes before the next row's. */
    .macro WEIGHTS first, second
    ldrsb   r2, [r1]
    ldrsb   r3, [r1, r10]
    ldrsb   r12, [r1, r10, lsl #1]
    add     r1, r1, r11
    lsl     r2, r2, lr                      /* by its lowest byte */
    lsl     r3, r3, lr
    lsl     r12, r12, lr
    pkhbt   \first, r2, r3, lsl #16
    pkhbt   \second, r3, r12, lsl #16
    .endm

/* Two outputs: their sums, and the bytes. */
    .macro  TWO_OUTPUTS how
    ldr     r12, [sp, #BIAS]
    ROW     r0, r4, r5, r12
    ROW     r1, r6, r7
    ROW     r2, r8, r9
    SCALE_\how
    strb    r12, [lr, r11]
    strb    r3, [lr]
    add     lr, lr, r11, lsl #1
    .endm

/* void NAME(const filtering *how, const int8_t *weights, const int32_t *channel, int8_t *output)
 *
 * Lines of one channel. r0 r1 r2 walk along three lines of the input, r4-r9 are the weights, lr is
 * where the output goes: where UP, 55 instructions for four outputs, 36 multiply-accumulates. An odd
 * number of pairs begins in the middle of the loop. */
    .macro  FUNCTION name, how
    .section .text.\name, "ax", %progbits
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    sub     sp, sp, #FRAME
    mov     r12, sp
    ldm     r2, {r4-r7}
    DOUBLE_\how
    stmia   r12!, {r4-r7}                   /* BIAS to SHIFT */
    ldmia   r0!, {r2, r4-r10}               /* input, STEP to END_LINE */
    stmia   r12!, {r4-r10}
    ldm     r0, {r0, r10, r11}              /* COUNT, from one weight to the next */
    push    {r2, r3}
    str     r0, [r12]
    WEIGHTS r4, r5
    WEIGHTS r6, r7
    WEIGHTS r8, r9
    pop     {r0, lr}                        /* input, output */
    ldrd    r3, r2, [sp, #PAIRS]            /* and PITCH */
    add     r3, r0, r3
    str     r3, [sp, #END]
    add     r1, r0, r2
    add     r2, r1, r2
    ldr     r3, [sp, #PAIRS]
    adr     r10, 1f + 1                     /* + 1: a Thumb address */
    tst     r3, #4
    it      ne
    addne   r10, r10, #2f - 1f
    str     r10, [sp, #BEGIN]
    bx      r10
    .balign 4
1:  TWO_OUTPUTS \how
2:  TWO_OUTPUTS \how
    ldr     r10, [sp, #END]
    cmp     r0, r10
    bne     1b
    ldr     r3, [sp, #ODD]
    cbnz    r3, 4f
3:  ldrd    r3, r12, [sp, #TO_LINE]         /* and FROM_LINE: to the next line */
    add     lr, lr, r3
    add     r0, r0, r12
    add     r1, r1, r12
    add     r2, r2, r12
    ldrd    r3, r12, [sp, #END_LINE]        /* and COUNT */
    add     r3, r10, r3
    subs    r12, r12, #1
    strd    r12, r3, [sp, #COUNT]           /* and END */
    it      ne
    ldrne   pc, [sp, #BEGIN]                /* 1 or 2 */
    add     sp, sp, #FRAME
    pop     {r4-r11, pc}
/* An odd line has one output more: one more pair with a STEP of 0, so that its second output is
 * stored where the first goes, just before it. A STEP of 0 (r11) says that this is done. */
4:  cmp     r11, #0
    beq     5f
    mov     r11, #0
    add     r10, r10, #4
    str     r11, [sp, #STEP]
    str     r10, [sp, #END]
    b       2b
5:  str     r3, [sp, #STEP]                 /* as it was: ODD is what STEP is, where not 0 */
    b       3b
    .size   \name, .-\name
    .endm

    FUNCTION nn_depthwise_3x3_up, UP
    FUNCTION nn_depthwise_3x3, BOTH

/* The same pixels of four channels into four planes, at r0 r4 r5 r6; r2 is the input and r3 from
 * one pixel to the next. Pixels are called a b c d. */
    .macro ONE_PIXEL
    ldr     r7, [r2]                        /* a0 a1 a2 a3 */
    add     r2, r2, r3
    sxtb    r8, r7
    sxtb    r9, r7, ror #8
    sxtb    r10, r7, ror #16
    asr     r7, r7, #24
    strh    r8, [r0], #2
    strh    r9, [r4], #2
    strh    r10, [r5], #2
    strh    r7, [r6], #2
    .endm

    .macro TWO_PIXELS
    ldr     r7, [r2]
    ldr     r8, [r2, r3]
    add     r2, r2, r3, lsl #1
    pkhtb   r1, r8, r7, asr #16             /* a2 a3 b2 b3 */
    pkhbt   r7, r7, r8, lsl #16             /* a0 a1 b0 b1 */
    sxtb16  r8, r7                          /* (a0 b0) */
    sxtb16  r7, r7, ror #8                  /* (a1 b1) */
    sxtb16  r9, r1
    sxtb16  r1, r1, ror #8
    str     r8, [r0], #4
    str     r7, [r4], #4
    str     r9, [r5], #4
    str     r1, [r6], #4
    .endm

    .macro FOUR_PIXELS
    ldr     r7, [r2]
    ldr     r8, [r2, r3]
    add     r2, r2, r3, lsl #1
    ldr     r9, [r2]
    ldr     r10, [r2, r3]
    add     r2, r2, r3, lsl #1
    pkhtb   r1, r8, r7, asr #16             /* a2 a3 b2 b3 */
    pkhbt   r7, r7, r8, lsl #16             /* a0 a1 b0 b1 */
    pkhtb   r8, r10, r9, asr #16            /* c2 c3 d2 d3 */
    pkhbt   r9, r9, r10, lsl #16            /* c0 c1 d0 d1 */
    sxtb16  r10, r7                         /* (a0 b0) */
    sxtb16  r11, r9                         /* (c0 d0), and so on */
    strd    r10, r11, [r0], #8
    sxtb16  r10, r7, ror #8
    sxtb16  r11, r9, ror #8
    strd    r10, r11, [r4], #8
    sxtb16  r10, r1
    sxtb16  r11, r8
    strd    r10, r11, [r5], #8
    sxtb16  r10, r1, ror #8
    sxtb16  r11, r8, ror #8
    strd    r10, r11, [r6], #8
    .endm

/* void nn_depthwise_widen(const widening *how, int16_t *to, const int8_t *from, uint32_t count)
 *
 * Lines of four channels: 24 instructions for four pixels, which are 16 numbers. */
    .section .text.nn_depthwise_widen, "ax", %progbits
    .global nn_depthwise_widen
    .type   nn_depthwise_widen, %function
    .thumb_func
nn_depthwise_widen:
    push    {r3-r11, lr}                    /* count */
    mov     lr, r0
    mov     r0, r1
    ldrd    r1, r3, [lr], #8                /* plane, step */
    add     r4, r0, r1
    add     r5, r4, r1
    add     r6, r5, r1
1:  ldrd    r7, r12, [lr]                   /* first, fours */
    cbz     r7, 2f
    ONE_PIXEL
2:  cmp     r12, #0
    beq     4f
3:  FOUR_PIXELS
    subs    r12, r12, #1
    bne     3b
4:  ldrd    r7, r12, [lr, #8]               /* two, last */
    cbz     r7, 5f
    TWO_PIXELS
5:  cmp     r12, #0
    beq     6f
    ONE_PIXEL
6:  ldrd    r7, r8, [lr, #16]               /* to the next line, of the planes and of the input */
    ldr     r9, [sp]
    add     r0, r0, r7
    add     r4, r4, r7
    add     r5, r5, r7
    add     r6, r6, r7
    add     r2, r2, r8
    subs    r9, r9, #1
    str     r9, [sp]
    bne     1b
    pop     {r3-r11, pc}
    .size   nn_depthwise_widen, .-nn_depthwise_widen
#endif
