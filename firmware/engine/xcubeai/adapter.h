/* What the adapters for the two APIs of ST's runtime share: each includes this once, after it has
 * defined ADAPTER, WEIGHTS_BYTES, ACTIVATIONS_BYTES, the ..._BUFFER_BYTES and, where a tensor has
 * it, the quantization, which is CONSTANT or known only at run time. The NETWORK_..., INPUT_LOW and
 * INPUT_HIGH come from network.json. */
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

_Static_assert(INPUT_BUFFER_BYTES >= ENGINE_INPUT_BYTES &&
                   OUTPUT_BUFFER_BYTES >= ENGINE_OUTPUT_BYTES,
               "ST's buffers hold fewer bytes than the input or output has");

#ifndef INPUT_SCALE
#define INPUT_SCALE 0.0F
#define INPUT_ZERO_POINT 0
#endif
#ifndef OUTPUT_SCALE
#define OUTPUT_SCALE 0.0F
#define OUTPUT_ZERO_POINT 0
#endif
#define TENSOR(PORT)                                                                               \
    {NETWORK_##PORT##_TYPE, ENGINE_##PORT##_ELEMENTS, ENGINE_##PORT##_BYTES, PORT##_SCALE,         \
     PORT##_ZERO_POINT}

static _Alignas(32) uint8_t activations[ACTIVATIONS_BYTES]; /* input and output lie in it */
static uint32_t error;                                      /* the last one, in ST's numbers */
static engine_status state = ENGINE_NOT_STARTED;
static void *input_data, *output_data; /* once it has started */

static CONSTANT engine_layer whole_network = {"network", "NETWORK", NETWORK_MACS, TENSOR(OUTPUT)};

static CONSTANT engine_description description = {
    .engine = ADAPTER,
    .network = NETWORK_FILE,
    .digest = NETWORK_DIGEST,
    .input_range = {(float)(INPUT_LOW), (float)(INPUT_HIGH)},
    .input = TENSOR(INPUT),
    .output = TENSOR(OUTPUT),
    .weights_bytes = WEIGHTS_BYTES,
    .arena_bytes = sizeof activations,
    .macs = NETWORK_MACS,
    .layer_count = ENGINE_LAYERS,
    .layers = &whole_network,
};

static bool has_scale(const engine_tensor *tensor)
{
    return tensor->type == ENGINE_FLOAT32 || tensor->scale > 0.0F;
}

/* False when input or output is not there, or is int8 without a scale. */
static bool use_tensors(void *input, void *output)
{
    const bool usable = input != NULL && output != NULL && has_scale(&description.input) &&
                        has_scale(&description.output);
    error = usable ? 0 : ENGINE_ERROR_TENSORS;
    input_data = input;
    output_data = output;
    return usable;
}

void *engine_input(void)
{
    return state == ENGINE_OK ? input_data : NULL;
}

const void *engine_output(uint32_t number)
{
    (void)number; /* there is one */
    return output_data;
}

const engine_description *engine_describe(void)
{
    return &description;
}

uint32_t engine_error(void)
{
    return error;
}
