/* Runs a depthwise kernel, one of 3x3 or the general one, on layers from the host, one after the
 * other: the sizes, the parameters, the arrays, the input; the output and the scratch with what
 * lies behind them, and the instructions are sent back. */
#include "board.c"
#include "bytes.h"

#include "depthwise_conv_2d_3x3.h"
#include "depthwise_conv_2d_3x3_stride_2.h"

static nn_depthwise_conv_2d_3x3_int8_params layer;
static _Alignas(4) int8_t weights[4096];
static _Alignas(4) int32_t channels[4 * 256];
static _Alignas(4) int8_t input[40000];
static _Alignas(4) int8_t output[40000];
static _Alignas(4) int8_t scratch[8192];

int main(void) {
  DEMCR |= 1u << 24;
  DWT_CTRL |= 1;
  for (;;) {
    const uint32_t input_bytes = get_word(), output_bytes = get_word(), scratch_bytes = get_word();
    get_bytes(&layer, sizeof layer);
    layer.weights = weights;
    layer.channels = channels;
    const nn_window *w = &layer.window;
    get_bytes(weights, w->kernel_height * w->kernel_width * w->output_channels);
    get_bytes(channels, 16 * w->output_channels);
    get_bytes(input, input_bytes);
    fill(output, output_bytes + 8);
    fill(scratch + scratch_bytes, 8);
    const uint32_t begin = DWT_CYCCNT;
    if (layer.strip > 0 && layer.window.stride_height == 2 && layer.window.stride_width == 2) {
      nn_depthwise_conv_2d_3x3_stride_2_int8(&layer, input, output, scratch);
    } else if (layer.strip > 0) {
      nn_depthwise_conv_2d_3x3_int8(&layer, input, output, scratch);
    } else {
      nn_depthwise_conv_2d_int8(&layer, input, output);
    }
    const uint32_t instructions = DWT_CYCCNT - begin;
    put_bytes(output, output_bytes + 8);
    put_bytes(scratch + scratch_bytes, 8);
    put_word(instructions);
  }
}
