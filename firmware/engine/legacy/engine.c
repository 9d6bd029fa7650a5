/* ST's runtime by its legacy API: X-CUBE-AI 7.1 to 10.2, and later only on request.
 *
 * ai_platform.h, network.h and network_data.h are ST's; the other NETWORK_... and
 * INPUT_... come from network.json. */
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

#if AI_NETWORK_IN_NUM != 1 || AI_NETWORK_OUT_NUM != 1 || AI_NETWORK_DATA_ACTIVATIONS_COUNT != 1
#error "The application takes networks with one input, one output and one buffer of activations."
#endif

_Static_assert(AI_NETWORK_IN_1_SIZE_BYTES >= ENGINE_INPUT_BYTES &&
                   AI_NETWORK_OUT_1_SIZE_BYTES >= ENGINE_OUTPUT_BYTES,
               "ST's buffers hold fewer bytes than the input or output has");

/* Scale and zero point are known at run time only; they stay 0 for float32. */
#define INPUT_TENSOR {NETWORK_INPUT_TYPE, ENGINE_INPUT_ELEMENTS, ENGINE_INPUT_BYTES, 0.0F, 0}
#define OUTPUT_TENSOR {NETWORK_OUTPUT_TYPE, ENGINE_OUTPUT_ELEMENTS, ENGINE_OUTPUT_BYTES, 0.0F, 0}

static _Alignas(32) uint8_t activations[AI_NETWORK_DATA_ACTIVATIONS_SIZE];
static ai_handle network = AI_HANDLE_NULL;
static ai_buffer *input; /* input and output lie in the activations */
static ai_buffer *output;
static uint32_t error; /* the last one: ENGINE_ERROR */
static bool asked_to_start;
static bool started;

static engine_layer whole_network = {"network", "NETWORK", NETWORK_MACS, OUTPUT_TENSOR};

static engine_description description = {
    .engine = "xcubeai (legacy)",
    .network = NETWORK_FILE,
    .digest = NETWORK_DIGEST,
    .input_range = {(float)(INPUT_LOW), (float)(INPUT_HIGH)},
    .input = INPUT_TENSOR,
    .output = OUTPUT_TENSOR,
    .weights_bytes = AI_NETWORK_DATA_WEIGHTS_SIZE,
    .arena_bytes = sizeof activations,
    .macs = NETWORK_MACS,
    .layer_count = ENGINE_LAYERS,
    .layers = &whole_network,
};

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

static bool has_scale(const engine_tensor *tensor)
{
    return tensor->type == ENGINE_FLOAT32 || tensor->scale > 0.0F;
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

static bool are_usable(void)
{
    error = 0;
    if (!is_of_type(input, &description.input) || !is_of_type(output, &description.output)) {
        error = ENGINE_ERROR_TYPES;
    } else if (input->data == NULL || output->data == NULL || !has_scale(&description.input) ||
               !has_scale(&description.output)) {
        error = ENGINE_ERROR_TENSORS;
    }
    return error == 0;
}

static bool find_tensors(void)
{
    ai_u16 inputs = 0;
    ai_u16 outputs = 0;
    input = ai_network_inputs_get(network, &inputs);
    output = ai_network_outputs_get(network, &outputs);
    if (input == NULL || output == NULL) {
        return good(ai_network_get_error(network)) && false;
    }
    read_quantization(input, &description.input);
    read_quantization(output, &whole_network.output);
    description.output = whole_network.output;
    return are_usable();
}

const engine_description *engine_describe(void)
{
    return &description;
}

engine_status engine_start(void)
{
    asked_to_start = true;
    board_crc_start(); /* up to 8.x the runtime refuses to start without */
    started = create() && find_tensors();
    return started ? ENGINE_OK : ENGINE_FAILED;
}

uint32_t engine_error(void)
{
    return error;
}

void *engine_input(void)
{
    return started ? input->data : NULL;
}

const void *engine_output(void)
{
    return output->data;
}

/* The runtime answers with how many inputs it has done. */
engine_status engine_run(engine_observer observer, void *context)
{
    if (!started) {
        return asked_to_start ? ENGINE_FAILED : ENGINE_NOT_STARTED;
    }
    if (ai_network_run(network, input, output) != 1) {
        good(ai_network_get_error(network));
        return ENGINE_FAILED;
    }
    if (observer != NULL) {
        observer(context, 0, output->data);
    }
    return ENGINE_OK;
}
