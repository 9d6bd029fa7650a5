/* FULLY_CONNECTED, the dense layer: each output is a row of weights times the inputs, and a bias.
 */
#pragma once

#include <stdint.h>

/* FULLY_CONNECTED, int8. For every row of the input and every output o:
 *   sum = bias[o] + sum over i of weight(o, i) * (input[i] - input_zero_point)
 *   output[o] = clamp(requantize(sum) + output_zero_point)
 * Where the field input_zero_point is 0, `bias` contains -(the input's zero point) * (sum of the
 * row's weights), which is exact and spares a subtraction for each input.
 *
 * Weights lie in blocks of `block_rows` outputs, these in groups of four inputs. Of outputs A to D
 * and inputs 0 to 3 a group is
 *   B0 A0 B2 A2   D0 C0 D2 C2   B1 A1 B3 A3   D1 C1 D3 C3
 * What is missing in the last block or group is 0. B and D are stored plus 128 (their sign bit is
 * flipped). So a halfword of the little-endian chip is 256 * A + (B + 128), with B + 128 from 0 to
 * 255: two rows in one factor of the fast path. It also takes `pairs`, for each two outputs A and B
 * the sum over the groups of (B0 + 128) * (B1 + 128) + (B2 + 128) * (B3 + 128). */
typedef struct {
    const int8_t *weights;     /* as above; at a word boundary */
    const int32_t *bias;       /* [outputs rounded up to 4] */
    const int32_t *pairs;      /* half as many */
    const int32_t *multiplier; /* as many as bias, or 4 when per_channel is 0: nn_requantize() */
    const uint8_t *shift;      /* the same; at a word boundary */
    uint32_t rows;             /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t block_rows;     /* 4; 8 in dense_data.h */
    uint32_t groups_at_once; /* how many groups, a multiple of 16, the fast path's 32 bits hold */
    uint32_t small_shifts;   /* whether a shift is less than 33 */
    uint32_t per_channel;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t minimum; /* the fused activation: relu is minimum == output_zero_point */
    int32_t maximum;
} nn_dense_int8_params;

/* `input` is [rows][inputs], `output` is [rows][outputs], `scratch` has 8 bytes for each group of
 * four inputs, at a word boundary; the plain C takes none of it. Nothing may overlap. */
void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output,
                   void *scratch);

/* FULLY_CONNECTED, float32. */
typedef struct {
    const float *weights; /* [outputs][inputs] */
    const float *bias;    /* [outputs] */
    uint32_t rows;        /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    float minimum; /* the fused activation */
    float maximum;
} nn_dense_float32_params;

void nn_dense_float32(const nn_dense_float32_params *p, const float *input, float *output);

/* FULLY_CONNECTED, float32 with float16 weights, which are expanded as they are read: IEEE 754
 * numbers of a sign, 5 bits of exponent and 10 of fraction. The bytes 00 3C are 1, 00 C1 are -2.5.
 */
typedef struct {
    const uint16_t *weights; /* [outputs][inputs rounded up to 2]; at a word boundary */
    const float *bias;       /* [outputs] */
    uint32_t rows;           /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    float minimum; /* the fused activation */
    float maximum;
} nn_dense_float16_params;

void nn_dense_float16(const nn_dense_float16_params *p, const float *input, float *output);

/* FULLY_CONNECTED, int16 with int8 weights. For every row of the input and output o, sums in 64
 * bits: output[o] = clamp(round((bias[o] + sum over i of weights[o][i] * input[i]) * scale[o])) in
 * double precision, as LiteRT does: 31 bits of a scale do not tell 65,536 outputs apart. */
typedef struct {
    const int8_t *weights; /* [outputs][inputs] */
    const int64_t *bias;   /* [outputs] */
    const double *scale;   /* [outputs], or [1] when per_channel is 0 */
    uint32_t rows;         /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t per_channel;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_dense_int16_params;

void nn_dense_int16(const nn_dense_int16_params *p, const int16_t *input, int16_t *output);

/* FULLY_CONNECTED, float32 with int8 weights ("dynamic range"): the input becomes int8 by a scale
 * that is taken from its own range, the products are integers, and the sums float32 again.
 * `scratch` has room for the int8 input: `inputs` bytes. */
typedef struct {
    const int8_t *weights;   /* [outputs][inputs] */
    const int32_t *row_sums; /* [outputs]: of each row of weights */
    const float *scale;      /* of the weights: [outputs], or [1] when per_channel is 0 */
    const float *bias;       /* [outputs] */
    uint32_t rows;           /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t per_channel;
    uint32_t asymmetric; /* 1: the input's int8 have a zero point; 0: it is 0 */
    float minimum;       /* the fused activation */
    float maximum;
} nn_dense_hybrid_params;

void nn_dense_hybrid(const nn_dense_hybrid_params *p, const float *input, float *output,
                     void *scratch);
