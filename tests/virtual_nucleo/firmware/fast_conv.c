/* Runs one of `kernels` on layers from the host, one after the other: its number, the parameters,
 * the arrays, the input; the output with what lies around it and the instructions are sent back. */
#include "board.c"
#include "bytes.h"

#include "conv_2d_few.h"
#include "conv_2d_four.h"

static void (*const kernels[])(const nn_conv_2d_int8_params *, const int8_t *, int8_t *, void *) = {
    nn_conv_2d_int8, nn_conv_2d_four_int8, nn_conv_2d_few_int8};

static nn_conv_2d_int8_params layer;
static _Alignas(4) int16_t weights[20000];
static _Alignas(4) int32_t channels[4 * 64];
static _Alignas(4) int8_t input[16384];
static _Alignas(4) int8_t output[16384];
static _Alignas(4) int8_t scratch[16384];

int main(void) {
  DEMCR |= 1u << 24;
  DWT_CTRL |= 1;
  for (;;) {
    const uint32_t kernel = get_word();
    const uint32_t weights_bytes = get_word(), input_bytes = get_word(), output_bytes = get_word();
    const uint32_t scratch_bytes = get_word(), channels_bytes = get_word();
    get_bytes(&layer, sizeof layer);
    layer.weights = weights;
    layer.channels = channels;
    get_bytes(weights, weights_bytes);
    get_bytes(channels, channels_bytes);
    get_bytes(input, input_bytes);
    fill(output, output_bytes + 8);
    fill(scratch + scratch_bytes, 8);
    const uint32_t begin = DWT_CYCCNT;
    kernels[kernel](&layer, input, output, scratch);
    const uint32_t instructions = DWT_CYCCNT - begin;
    put_bytes(output, output_bytes + 8);
    put_bytes(scratch + scratch_bytes, 8);
    put_word(instructions);
  }
}
