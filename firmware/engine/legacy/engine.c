/* ST's runtime by its legacy API: X-CUBE-AI 7.1 to 10.2, and later only on request.
 *
 * ai_platform.h, network.h and network_data.h are ST's. */
#include "engine_config.h"

#if AI_NETWORK_IN_NUM != 1 || AI_NETWORK_OUT_NUM != 1 || AI_NETWORK_DATA_ACTIVATIONS_COUNT != 1
#error "The application takes networks with one input, one output and one buffer of activations."
#endif

#define ADAPTER "xcubeai (legacy)"
#define CONSTANT /* scale and zero point are known at run time only; they stay 0 for float32 */
#define WEIGHTS_BYTES AI_NETWORK_DATA_WEIGHTS_SIZE
#define ACTIVATIONS_BYTES AI_NETWORK_DATA_ACTIVATIONS_SIZE
#define INPUT_BUFFER_BYTES AI_NETWORK_IN_1_SIZE_BYTES
#define OUTPUT_BUFFER_BYTES AI_NETWORK_OUT_1_SIZE_BYTES
#include "adapter.h"

static ai_handle network = AI_HANDLE_NULL;
static ai_buffer *input, *output;

static bool good(ai_error said)
{
    error = ENGINE_ERROR(said.type, said.code);
    return said.type == AI_ERROR_NONE;
}

static void read_quantization(const ai_buffer *buffer, engine_tensor *tensor)
{
    if (tensor->type == ENGINE_INT8) {
        tensor->scale = AI_BUFFER_META_INFO_INTQ_GET_SCALE(buffer->meta_info, 0);
        tensor->zero_point = AI_BUFFER_META_INFO_INTQ_GET_ZEROPOINT(buffer->meta_info, 0);
    }
}

static bool create(void)
{
    ai_handle buffers[AI_NETWORK_DATA_ACTIVATIONS_COUNT] = {activations};
    return good(ai_network_create_and_init(&network, buffers, NULL));
}

/* Here, because the headers of 7.x do not say the format. */
static bool is_of_type(const ai_buffer *buffer, const engine_tensor *tensor)
{
    const bool is_int8 = tensor->type == ENGINE_INT8;
    return AI_BUFFER_FMT_GET_TYPE(AI_BUFFER_FORMAT(buffer)) ==
               (is_int8 ? AI_BUFFER_FMT_TYPE_Q : AI_BUFFER_FMT_TYPE_FLOAT) &&
           AI_BUFFER_FMT_GET_SIGN(AI_BUFFER_FORMAT(buffer)) == 1 &&
           AI_BUFFER_FMT_GET_BITS(AI_BUFFER_FORMAT(buffer)) == (is_int8 ? 8 : 32);
}

static bool find_tensors(void)
{
    ai_u16 inputs = 0, outputs = 0;
    input = ai_network_inputs_get(network, &inputs);
    output = ai_network_outputs_get(network, &outputs);
    if (input == NULL || output == NULL) {
        return good(ai_network_get_error(network)) && false;
    }
    read_quantization(input, &description.input);
    read_quantization(output, &whole_network.output);
    description.output = whole_network.output;
    if (!is_of_type(input, &description.input) || !is_of_type(output, &description.output)) {
        error = ENGINE_ERROR_TYPES;
        return false;
    }
    return use_tensors(input->data, output->data);
}

engine_status engine_start(void)
{
    board_crc_start(); /* up to 8.x the runtime refuses to start without */
    state = create() && find_tensors() ? ENGINE_OK : ENGINE_FAILED;
    return state;
}

/* The runtime answers with how many inputs it has done. */
engine_status engine_run(engine_observer observer)
{
    if (state != ENGINE_OK) {
        return state;
    }
    if (ai_network_run(network, input, output) != 1) {
        good(ai_network_get_error(network));
        return ENGINE_FAILED;
    }
    if (observer != NULL) {
        observer(0, output_data);
    }
    return ENGINE_OK;
}
