/* ST's runtime by its st-ai API: the default of ST Edge AI Core from 3.0 on.
 *
 * stai.h and network.h are ST's. */
#include "engine_config.h"

#if STAI_NETWORK_IN_NUM != 1 || STAI_NETWORK_OUT_NUM != 1 || STAI_NETWORK_ACTIVATIONS_NUM != 1
#error "The application takes networks with one input, one output and one buffer of activations."
#endif

#ifdef STAI_NETWORK_IN_1_SCALE /* only a quantized tensor has them */
#define INPUT_SCALE STAI_NETWORK_IN_1_SCALE
#define INPUT_ZERO_POINT STAI_NETWORK_IN_1_ZERO_POINT
#endif
#ifdef STAI_NETWORK_OUT_1_SCALE
#define OUTPUT_SCALE STAI_NETWORK_OUT_1_SCALE
#define OUTPUT_ZERO_POINT STAI_NETWORK_OUT_1_ZERO_POINT
#endif

#define ADAPTER "xcubeai (st-ai)"
#define CONSTANT const
#define WEIGHTS_BYTES STAI_NETWORK_WEIGHTS_SIZE_BYTES
#define ACTIVATIONS_BYTES STAI_NETWORK_ACTIVATIONS_SIZE_BYTES
#define INPUT_BUFFER_BYTES STAI_NETWORK_IN_1_SIZE_BYTES
#define OUTPUT_BUFFER_BYTES STAI_NETWORK_OUT_1_SIZE_BYTES
#include "adapter.h"

#define FORMAT_OF(type) ((type) == ENGINE_INT8 ? STAI_FORMAT_S8 : STAI_FORMAT_FLOAT32)
_Static_assert(STAI_NETWORK_IN_1_FORMAT == FORMAT_OF(NETWORK_INPUT_TYPE) &&
                   STAI_NETWORK_OUT_1_FORMAT == FORMAT_OF(NETWORK_OUTPUT_TYPE),
               "The application takes int8 and float32, and what the network was generated with");

/* The macro of stai.h declares an array: one byte, `stai_network x;`, would be too little. */
STAI_NETWORK_CONTEXT_DECLARE(engine_context, STAI_NETWORK_CONTEXT_SIZE)

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

/* Where they are is known once the activations are. */
static bool find_tensors(void)
{
    stai_ptr input = NULL, output = NULL;
    stai_size inputs = STAI_NETWORK_IN_NUM;
    stai_size outputs = STAI_NETWORK_OUT_NUM;
    return good(stai_network_get_inputs(engine_context, &input, &inputs)) &&
           good(stai_network_get_outputs(engine_context, &output, &outputs)) &&
           use_tensors(input, output);
}

engine_status engine_start(void)
{
    board_crc_start();
    const bool started = good(stai_runtime_init()) && good(stai_network_init(engine_context)) &&
                         use_activations() && find_tensors();
    state = started ? ENGINE_OK : ENGINE_FAILED;
    return state;
}

engine_status engine_run(engine_observer observer)
{
    if (state != ENGINE_OK) {
        return state;
    }
    if (!good(stai_network_run(engine_context, STAI_MODE_SYNC))) {
        return ENGINE_FAILED;
    }
    if (observer != NULL) {
        observer(0, output_data);
    }
    return ENGINE_OK;
}
