/* stack: 8 bytes */
/* From the sums of four rows to four outputs: what the dense kernels share on the Cortex-M4. */
#include "dense_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

/* The number in `sum` times `multiplier` / 2^shift, rounded as nn_requantize() does: the bit that
 * ASRS shifts out last is the half, and ADC adds it, with the zero point. SMMUL has divided by 2^32
 * already; shift - 32 is the lowest byte of r3. */
.macro REQUANTIZE sum, multiplier
    smmul   \sum, \sum, \multiplier
    asrs    \sum, \sum, r3
    adc     \sum, \sum, r9
    ssat    \sum, #8, \sum
    lsr     r3, r3, #8
.endm

.macro REQUANTIZE_IN_C sum
    mov     r0, \sum
    ldr     r1, [r6], #4
    ldrb    r2, [r7], #1
    bl      nn_dense_requantize
    add     \sum, r0, r9
    ssat    \sum, #8, \sum
.endm

/* In: r2 the nn_dense_work, r6 to r9 the sums. Keeps r0. Out: r3 how many outputs are left, 0 or
 * less at the end. */
    .section .text.nn_dense_four_outputs, "ax", %progbits
    .global nn_dense_four_outputs
    .type   nn_dense_four_outputs, %function
    .thumb_func
    .p2align 2
nn_dense_four_outputs:
    push    {r0, lr}
    ldr     r3, [r2, #WORK_BIAS]
    ldmia   r3!, {r4, r5, r10, r11}
    str     r3, [r2, #WORK_BIAS]
    ldrd    r12, lr, [r2, #WORK_SUMS] /* of earlier sections */
    add     r4, r12
    add     r10, lr
    sub     r6, r6, r7
    add     r4, r4, r6, asr #8      /* A: (mixed - odd) / 256 */
    sub     r8, r8, r9
    add     r10, r10, r8, asr #8    /* C */
    ldr     r3, [r2, #WORK_TOTAL]
    sub     r5, r3                  /* B: its weights are stored plus 128 */
    add     r5, r7
    sub     r11, r3                 /* D */
    add     r11, r9
    add     r3, r2, #WORK_MULTIPLIER
    ldmia   r3, {r6-r9}             /* multiplier, shift, 0 or 4 to the next, zero point */
    bic     r3, r8, #1
    add     r12, r6, r3, lsl #2
    add     lr, r7, r3
    strd    r12, lr, [r2, #WORK_MULTIPLIER]
    tst     r8, #1
    bne     3f
    ldr     r3, [r7]
    ldmia   r6, {r1, r6, r12, lr}
    sub     r3, r3, #0x20202020     /* four shifts, each less 32 */
    REQUANTIZE r4, r1
    REQUANTIZE r5, r6
    REQUANTIZE r10, r12
    REQUANTIZE r11, lr
0:  bfi     r4, r5, #8, #8
    bfi     r4, r10, #16, #8
    bfi     r4, r11, #24, #8        /* A B C D as the bytes of one word */
    ldrd    r5, r6, [r2, #WORK_MINIMUM]
    ssub8   r7, r4, r5              /* notes which bytes are at least the minimum */
    sel     r4, r4, r5              /* takes these, and the minimum for the others */
    ssub8   r7, r6, r4
    sel     r4, r4, r6
    ldrd    r5, r3, [r2, #WORK_OUTPUT]
    subs    r3, #4
    blt     1f
    str     r4, [r5], #4
    strd    r5, r3, [r2, #WORK_OUTPUT]
    pop     {r0, pc}

1:  add     r6, r3, #4              /* the last one, two or three */
2:  strb    r4, [r5], #1
    lsr     r4, r4, #8
    subs    r6, #1
    bne     2b
    pop     {r0, pc}

3:  mov     r8, r2                  /* rare: shifts below 33 */
    REQUANTIZE_IN_C r4
    REQUANTIZE_IN_C r5
    REQUANTIZE_IN_C r10
    REQUANTIZE_IN_C r11
    mov     r2, r8
    b       0b
    .size   nn_dense_four_outputs, . - nn_dense_four_outputs

#endif
