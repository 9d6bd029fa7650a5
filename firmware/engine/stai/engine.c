/* ST's runtime by its st-ai API: the default of ST Edge AI Core from 3.0 on.
 *
 * stai.h and network.h are ST's; the other NETWORK_... and INPUT_... come from
 * network.json. */
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

#if STAI_NETWORK_IN_NUM != 1 || STAI_NETWORK_OUT_NUM != 1 || STAI_NETWORK_ACTIVATIONS_NUM != 1
#error "The application takes networks with one input, one output and one buffer of activations."
#endif

#ifdef STAI_NETWORK_IN_1_SCALE /* only a quantized tensor has them */
#define INPUT_SCALE STAI_NETWORK_IN_1_SCALE
#define INPUT_ZERO_POINT STAI_NETWORK_IN_1_ZERO_POINT
#else
#define INPUT_SCALE 0.0F
#define INPUT_ZERO_POINT 0
#endif
#ifdef STAI_NETWORK_OUT_1_SCALE
#define OUTPUT_SCALE STAI_NETWORK_OUT_1_SCALE
#define OUTPUT_ZERO_POINT STAI_NETWORK_OUT_1_ZERO_POINT
#else
#define OUTPUT_SCALE 0.0F
#define OUTPUT_ZERO_POINT 0
#endif

#define FORMAT_OF(type) ((type) == ENGINE_INT8 ? STAI_FORMAT_S8 : STAI_FORMAT_FLOAT32)
_Static_assert(STAI_NETWORK_IN_1_FORMAT == FORMAT_OF(NETWORK_INPUT_TYPE) &&
                   STAI_NETWORK_OUT_1_FORMAT == FORMAT_OF(NETWORK_OUTPUT_TYPE),
               "The application takes int8 and float32, and what the network was generated with");
_Static_assert(STAI_NETWORK_IN_1_SIZE_BYTES >= ENGINE_INPUT_BYTES &&
                   STAI_NETWORK_OUT_1_SIZE_BYTES >= ENGINE_OUTPUT_BYTES,
               "ST's buffers hold fewer bytes than the input or output has");

#define INPUT_TENSOR                                                                               \
    {NETWORK_INPUT_TYPE, ENGINE_INPUT_ELEMENTS, ENGINE_INPUT_BYTES, INPUT_SCALE, INPUT_ZERO_POINT}
#define OUTPUT_TENSOR                                                                              \
    {NETWORK_OUTPUT_TYPE, ENGINE_OUTPUT_ELEMENTS, ENGINE_OUTPUT_BYTES, OUTPUT_SCALE,               \
     OUTPUT_ZERO_POINT}

/* The macro of stai.h declares an array: one byte, `stai_network x;`, would be too little. */
STAI_NETWORK_CONTEXT_DECLARE(engine_context, STAI_NETWORK_CONTEXT_SIZE)

static _Alignas(32) uint8_t activations[STAI_NETWORK_ACTIVATIONS_SIZE_BYTES];
static stai_ptr input; /* input and output lie in the activations */
static stai_ptr output;
static uint32_t error; /* the last return code */
static bool asked_to_start;
static bool started;

static const engine_layer whole_network = {"network", "NETWORK", NETWORK_MACS, OUTPUT_TENSOR};

static const engine_description description = {
    .engine = "xcubeai (st-ai)",
    .network = NETWORK_FILE,
    .digest = NETWORK_DIGEST,
    .input_range = {(float)(INPUT_LOW), (float)(INPUT_HIGH)},
    .input = INPUT_TENSOR,
    .output = OUTPUT_TENSOR,
    .weights_bytes = STAI_NETWORK_WEIGHTS_SIZE_BYTES,
    .arena_bytes = sizeof activations,
    .macs = NETWORK_MACS,
    .layer_count = ENGINE_LAYERS,
    .layers = &whole_network,
};

static bool good(stai_return_code code)
{
    error = (uint32_t)code;
    return code == STAI_SUCCESS;
}

static bool use_activations(void)
{
    stai_ptr buffers[STAI_NETWORK_ACTIVATIONS_NUM] = {activations};
    return good(
        stai_network_set_activations(engine_context, buffers, STAI_NETWORK_ACTIVATIONS_NUM));
}

static bool has_scale(const engine_tensor *tensor)
{
    return tensor->type == ENGINE_FLOAT32 || tensor->scale > 0.0F;
}

static bool are_usable(void)
{
    const bool usable = input != NULL && output != NULL && has_scale(&description.input) &&
                        has_scale(&description.output);
    error = usable ? 0 : ENGINE_ERROR_TENSORS;
    return usable;
}

/* Where they are is known once the activations are. */
static bool find_tensors(void)
{
    stai_size inputs = STAI_NETWORK_IN_NUM;
    stai_size outputs = STAI_NETWORK_OUT_NUM;
    return good(stai_network_get_inputs(engine_context, &input, &inputs)) &&
           good(stai_network_get_outputs(engine_context, &output, &outputs)) && are_usable();
}

const engine_description *engine_describe(void)
{
    return &description;
}

engine_status engine_start(void)
{
    asked_to_start = true;
    board_crc_start();
    started = good(stai_runtime_init()) && good(stai_network_init(engine_context)) &&
              use_activations() && find_tensors();
    return started ? ENGINE_OK : ENGINE_FAILED;
}

uint32_t engine_error(void)
{
    return error;
}

void *engine_input(void)
{
    return started ? input : NULL;
}

const void *engine_output(void)
{
    return output;
}

engine_status engine_run(engine_observer observer, void *context)
{
    if (!started) {
        return asked_to_start ? ENGINE_FAILED : ENGINE_NOT_STARTED;
    }
    if (!good(stai_network_run(engine_context, STAI_MODE_SYNC))) {
        return ENGINE_FAILED;
    }
    if (observer != NULL) {
        observer(context, 0, output);
    }
    return ENGINE_OK;
}
