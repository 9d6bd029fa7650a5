/* stack: 64 bytes */
/* The loops of nn_dense_data_int8() on the Cortex-M4; dense_int8_cortex_m4.S explains what `mixed`
 * and `odd` are. Weights lie in blocks of eight rows A to H; 16 bytes are two columns of these:
 *   B0 A0 B1 A1   D0 C0 D1 C1   F0 E0 F1 E1   H0 G0 H1 G1 */
#include "dense_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

/* Where most inputs are zero: a list of the pairs that are not, 16 instructions for 16
 * multiply-accumulates. Winograd's product would not do: in it even an input of zero has a part to
 * play. So `odd` is summed up as it is, from the widened bytes.
 *
 *   r0 block of weights   r1 list   r2 weights of two columns   r3 x0, x1
 *   r4 mixed AB   r5 odd B   r6 mixed CD   r7 odd D   r8 mixed EF   r9 odd F   r10, r11 GH, H
 *   r12, lr weights */
.macro LISTED_ROWS weights, mixed, odd
    smlad   \mixed, \weights, r3, \mixed
    uxtb16  \weights, \weights
    smlad   \odd, \weights, r3, \odd
.endm

.macro LISTED_PAIR
    ldmia   r1!, {r2, r3}
    add     r2, r0
    ldrd    r12, lr, [r2]
    LISTED_ROWS r12, r4, r5
    LISTED_ROWS lr, r6, r7
    ldrd    r12, lr, [r2, #8]
    LISTED_ROWS r12, r8, r9
    LISTED_ROWS lr, r10, r11
.endm

/* void nn_dense_run_list(nn_dense_work *work) */
    .section .text.nn_dense_run_list, "ax", %progbits
    .global nn_dense_run_list
    .type   nn_dense_run_list, %function
    .thumb_func
    .p2align 2
nn_dense_run_list:
    ENTER
1:  ldr     r2, [sp, #8]
    ldrd    r1, lr, [r2, #WORK_X]
    str     lr, [sp]
    mov     r4, #0
    mov     r5, #0
    mov     r6, #0
    mov     r7, #0
    mov     r8, #0
    mov     r9, #0
    mov     r10, #0
    mov     r11, #0
    strd    r4, r5, [r2, #WORK_SUMS]
    cmp     r1, lr
    beq     3f

2:  .rept   8                       /* a turn: 8 entries */
    LISTED_PAIR
    .endr
    ldr     lr, [sp]
    cmp     r1, lr
    bne     2b

3:  ldr     r2, [sp, #8]
    ldr     lr, [r2, #WORK_END]
    str     lr, [sp]
    b       5f
4:  LISTED_PAIR
    ldr     lr, [sp]
5:  cmp     r1, lr
    bne     4b

    ldr     r2, [sp, #8]
    ldr     r3, [r2, #WORK_BLOCK]
    add     r0, r3
    push    {r8-r11}
    mov     r8, r6
    mov     r9, r7
    mov     r6, r4
    mov     r7, r5
    FOUR_OUTPUTS                    /* A to D */
    pop     {r6-r9}
    cmp     r3, #0
    ble     6f
    ldr     r2, [sp, #8]
    FOUR_OUTPUTS                    /* E to H */
    cmp     r3, #0
    bgt     1b
6:  LEAVE
    .size   nn_dense_run_list, . - nn_dense_run_list

/* Where few inputs are zero: all columns, widened, as in that file: 25 instructions for 32
 * multiply-accumulates, since no LDM takes four rows out of eight. First A to D, then E to H.
 *
 *   r0 weights   r1 inputs   r2-r5 x0,x1 | x2,x3 | x4,x5 | x6,x7
 *   r6 mixed AB   r7 odd B   r8 mixed CD   r9 odd D   r10-r12, lr weights */
.macro HALF_GROUP x_even, x_odd
    ldrd    r10, r11, [r0], #16
    ldrd    r12, lr, [r0], #16
    TWO_ROWS r10, r12, \x_even, \x_odd, r6, r7
    TWO_ROWS r11, lr, \x_even, \x_odd, r8, r9
.endm

/* void nn_dense_run_wide8(nn_dense_work *work) */
    .section .text.nn_dense_run_wide8, "ax", %progbits
    .global nn_dense_run_wide8
    .type   nn_dense_run_wide8, %function
    .thumb_func
    .p2align 2
nn_dense_run_wide8:
    ENTER
1:  BEGIN
    cmp     r1, lr
    beq     3f

2:  .rept   4                       /* a turn: 32 columns */
    ldmia   r1!, {r2-r5}
    HALF_GROUP r2, r3
    HALF_GROUP r4, r5
    .endr
    ldr     lr, [sp]
    cmp     r1, lr
    bne     2b

3:  ldr     r2, [sp, #8]
    ldr     lr, [r2, #WORK_END]
    str     lr, [sp]
    b       5f
4:  ldmia   r1!, {r2, r3}
    HALF_GROUP r2, r3
    ldr     lr, [sp]
5:  cmp     r1, lr
    bne     4b

    ldr     r2, [sp, #8]
    ldrd    r4, r5, [r2, #WORK_SECTION] /* on to row E of a block, and to A of the next */
    add     r0, r4
    strd    r5, r4, [r2, #WORK_SECTION]
    FINISH  1b
    LEAVE
    .size   nn_dense_run_wide8, . - nn_dense_run_wide8

#endif
