/* Runs the dense kernels of the Cortex-M4 on layers from the host, one after the other. The whole
 * output buffer is sent back, and what lies around the scratch, so that a byte written beside them
 * is seen. */
#include "board.c"
#include "bytes.h"

#include "dense_data.h"
#include "dense_ram.h"
#include "dense_small.h"

#define LARGEST 8192

static _Alignas(4) int8_t weights[LARGEST];
static _Alignas(4) int8_t input[LARGEST];
static _Alignas(4) int8_t output[256];
static _Alignas(4) uint8_t scratch[LARGEST];
static int32_t bias[64], pairs[32], multiplier[64];
static _Alignas(4) uint8_t shift[64];

static void get_layer(nn_dense_int8_params *layer) {
  layer->rows = get_word();
  layer->inputs = get_word();
  layer->outputs = get_word();
  layer->block_rows = get_word();
  layer->groups_at_once = get_word();
  layer->small_shifts = get_word();
  layer->per_channel = get_word();
  get_bytes(&layer->input_zero_point, 16); /* and the output's, minimum, maximum */
  const uint32_t block = layer->block_rows, outputs = (layer->outputs + 3) / 4 * 4;
  const uint32_t channels = layer->per_channel ? outputs : 4;
  get_bytes(weights, (outputs + block - 1) / block * block * ((layer->inputs + 3) / 4 * 4));
  get_bytes(pairs, 2 * outputs);
  get_bytes(bias, 4 * outputs);
  get_bytes(multiplier, 4 * channels);
  get_bytes(shift, channels);
  get_bytes(input, layer->rows * layer->inputs);
}

static void run_small(const nn_dense_int8_params *layer) {
  const nn_dense_small_int8_params small = {
      .weights = layer->weights,
      .bias = layer->bias,
      .multiplier = layer->multiplier,
      .shift = layer->shift,
      .inputs = layer->inputs,
      .outputs = layer->outputs,
      .per_channel = layer->per_channel,
      .output_zero_point = layer->output_zero_point,
      .minimum = layer->minimum,
      .maximum = layer->maximum,
  };
  nn_dense_small_int8(&small, input, output + 8);
}

int main(void) {
  for (;;) {
    nn_dense_int8_params layer = {weights, bias, pairs, multiplier, shift};
    const uint32_t goal = get_word();
    get_layer(&layer);
    fill(output, sizeof output);
    fill(scratch, sizeof scratch);
    if (goal == 0) {
      nn_dense_int8(&layer, input, output + 8, scratch + 4);
    } else if (goal == 1) {
      nn_dense_ram_int8(&layer, input, output + 8);
    } else if (goal == 3) {
      run_small(&layer);
    } else {
      nn_dense_data_int8(&layer, input, output + 8, scratch + 4);
    }
    put_bytes(output, sizeof output);
    put_bytes(scratch, 4);
    put_bytes(scratch + 4 + (layer.inputs + 3) / 4 * (goal == 2 ? 12 : 8), 4);
  }
}
