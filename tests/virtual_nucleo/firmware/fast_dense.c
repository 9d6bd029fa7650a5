/* Runs nn_dense_int8() of the Cortex-M4 on layers from the host, one after the other. Weights, input
 * and output lie as many bytes off a word boundary as the host says; the whole output buffer is
 * sent back, so that a byte written beside the output is seen. */
#include "board.c"

#include "nn.h"

#define LARGEST_INPUTS 80
#define LARGEST_OUTPUTS 24

static _Alignas(4) int8_t weights[LARGEST_INPUTS * LARGEST_OUTPUTS + 4];
static _Alignas(4) int8_t input[LARGEST_INPUTS + 4];
static _Alignas(4) int8_t output[LARGEST_OUTPUTS + 8];
static int32_t bias[LARGEST_OUTPUTS];
static int32_t multiplier[LARGEST_OUTPUTS];
static uint8_t shift[LARGEST_OUTPUTS];

static void get_bytes(void *to, uint32_t count) {
  for (uint8_t *byte = to; count > 0; count--) {
    *byte++ = get();
  }
}

static void get_words(int32_t *to, uint32_t count) {
  while (count-- > 0) {
    *to++ = (int32_t)get_word();
  }
}

int main(void) {
  for (;;) {
    const uint32_t off = get_word();
    nn_dense_int8_params layer = {weights + off, bias, multiplier, shift};
    layer.inputs = get_word();
    layer.outputs = get_word();
    layer.per_channel = get_word();
    get_words(&layer.output_zero_point, 1);
    get_words(&layer.minimum, 1);
    get_words(&layer.maximum, 1);
    const uint32_t channels = layer.per_channel ? layer.outputs : 1;
    get_bytes(weights + off, layer.inputs * layer.outputs);
    get_words(bias, layer.outputs);
    get_words(multiplier, channels);
    get_bytes(shift, channels);
    get_bytes(input + off, layer.inputs);
    for (uint32_t i = 0; i < sizeof output; i++) {
      output[i] = 99;
    }
    nn_dense_int8(&layer, input + off, output + off);
    for (uint32_t i = 0; i < sizeof output; i++) {
      put((uint8_t)output[i]);
    }
  }
}
