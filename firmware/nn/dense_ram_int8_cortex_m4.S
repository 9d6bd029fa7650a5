/* stack: 48 bytes */
/* The inner loop of nn_dense_ram_int8() on the Cortex-M4: that of dense_int8_cortex_m4.S, which
 * explains it, with inputs that are widened anew for each four rows: 27 instructions for 32
 * multiply-accumulates. SXTB16 makes signed halfwords of bytes 0 and 2 of a word, and with ROR #8
 * of bytes 1 and 3.
 *
 *   r0 weights   r1 inputs   r2-r5 x0,x2 | x1,x3 | x4,x6 | x5,x7
 *   r6 mixed AB   r7 odd B   r8 mixed CD   r9 odd D   r10-r12, lr weights */
#include "dense_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)

    .syntax unified
    .thumb

.macro WIDEN x_even, x_odd
    sxtb16  \x_odd, \x_even, ror #8
    sxtb16  \x_even, \x_even
.endm

/* void nn_dense_run_bytes(nn_dense_work *work) */
    .section .text.nn_dense_run_bytes, "ax", %progbits
    .global nn_dense_run_bytes
    .type   nn_dense_run_bytes, %function
    .thumb_func
    .p2align 2
nn_dense_run_bytes:
    ENTER
1:  BEGIN
    cmp     r1, lr
    beq     3f

2:  .rept   8                       /* a turn: 16 groups */
    ldmia   r1!, {r2, r4}
    WIDEN   r2, r3
    WIDEN   r4, r5
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
4:  ldr     r2, [r1], #4
    WIDEN   r2, r3
    GROUP   r2, r3
    ldr     lr, [sp]
5:  cmp     r1, lr
    bne     4b
    FINISH  1b
    LEAVE
    .size   nn_dense_run_bytes, . - nn_dense_run_bytes

#endif
