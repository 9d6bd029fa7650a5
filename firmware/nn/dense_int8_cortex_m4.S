/* stack: 48 bytes */
/* The inner loop of nn_dense_int8() on the Cortex-M4: 23 instructions for 32 multiply-accumulates.
 *
 * SMLAD multiplies two pairs of signed halfwords and adds both products to a sum. With weights and
 * inputs widened to halfwords that is 2 multiply-accumulates (MACs) an instruction, but widening
 * weights costs as much again. Two old tricks make more of it:
 *
 * Two rows in one factor. A halfword of weights is h = 256 A + B, two rows at once; with inputs x
 *   mixed = sum of h x = 256 (sum of A x) + (sum of B x)
 * is 4 MACs a SMLAD, from the bytes as they lie in flash. Who also knows odd = sum of B x gets the
 * other: (mixed - odd) / 256. B is stored as B + 128, so that A and B do not borrow from each other.
 *
 * Winograd's inner product (S. Winograd, "A New Algorithm for Inner Product", 1968) for `odd`:
 *   (x1 + B0) (x0 + B1) = B0 x0 + B1 x1 + x0 x1 + B0 B1
 * is 2 MACs in one product, once what belongs to the input alone (x0 x1) and to the weights alone
 * (B0 B1) is subtracted. The first is one number for the layer, the second one for each two rows.
 * UXTAB16 adds two bytes to two halfwords, which widens the weights for nothing.
 *
 * So TWO_ROWS (dense_cortex_m4.h) takes 5 instructions for 8 MACs. Loads: one LDM brings a group of
 * weights, one the inputs of two groups. All 14 registers are in use; where a loop ends waits on the
 * stack.
 *
 *   r0 weights   r1 inputs   r2-r5 x0,x2 | x1,x3 | x4,x6 | x5,x7
 *   r6 mixed AB   r7 odd B   r8 mixed CD   r9 odd D   r10-r12, lr weights */
#include "dense_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

/* void nn_dense_run_wide(nn_dense_work *work) */
    .section .text.nn_dense_run_wide, "ax", %progbits
    .global nn_dense_run_wide
    .type   nn_dense_run_wide, %function
    .thumb_func
    .p2align 2
nn_dense_run_wide:
    ENTER
1:  BEGIN
    cmp     r1, lr
    beq     3f

2:  .rept   4                       /* a turn: 8 groups */
    ldmia   r1!, {r2-r5}
    GROUP   r2, r3
    GROUP   r4, r5
    .endr
    ldr     lr, [sp]
    cmp     r1, lr
    bne     2b
    NEXT_SECTION 2b

3:  ldr     r2, [sp, #8]
    ldr     lr, [r2, #WORK_END]
    str     lr, [sp]
    b       5f
4:  ldmia   r1!, {r2, r3}
    GROUP   r2, r3
    ldr     lr, [sp]
5:  cmp     r1, lr
    bne     4b
    FINISH  1b
    LEAVE
    .size   nn_dense_run_wide, . - nn_dense_run_wide

#endif
