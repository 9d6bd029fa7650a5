/* The legacy API of the stand-in: strict about the order of calls, alignment, sizes and, where
 * CRC_NEEDED (up to 8.x), the clock of the CRC unit. For tests. No line of it is ST's. */
#include "legacy.h"

#include "common.h"

#define RCC_AHB1ENR (*(volatile uint32_t *)0x40023830U) /* RM0390 section 6.3.10 */
#define CRCEN (1U << 12)

static struct {
    uint8_t *activations;
    ai_error error;
    ai_buffer input, output;
    ai_buffer_meta_info input_info, output_info;
} one; /* this runtime has one network */

static ai_error fail(uint32_t type, uint32_t code)
{
    one.error = (ai_error){type, code};
    return one.error;
}

static bool crc_is_off(void)
{
#ifdef CRC_NEEDED
    return !(RCC_AHB1ENR & CRCEN);
#else
    return false;
#endif
}

static void describe(ai_buffer *buffer, ai_buffer_meta_info *info, const engine_tensor *tensor)
{
    bool quantized = tensor->type == ENGINE_INT8;
    *info = (ai_buffer_meta_info){tensor->scale, tensor->zero_point};
    buffer->format = quantized ? AI_BUFFER_FORMAT_S8 : AI_BUFFER_FORMAT_FLOAT;
    buffer->format |= 1 << 27; /* a flag: it is an input or output */
    buffer->meta_info = quantized ? info : NULL;
    buffer->size = tensor->elements;
}

ai_error stand_in_create(ai_handle *network, const ai_handle *activations, const ai_handle *weights,
                         size_t bytes)
{
    (void)weights; /* they are in the generated code */
    if (crc_is_off()) {
        return fail(AI_ERROR_CREATE_FAILED, AI_ERROR_CODE_LOCK);
    }
    if (activations == NULL || activations[0] == NULL || !aligned(activations[0], ALIGNMENT) ||
        bytes < stand_in_describe()->arena_bytes) {
        return fail(AI_ERROR_INIT_FAILED, AI_ERROR_CODE_NETWORK_ACTIVATIONS);
    }
    one.activations = activations[0];
    take(one.activations);
    describe(&one.input, &one.input_info, &stand_in_describe()->input);
    describe(&one.output, &one.output_info, &stand_in_describe()->output);
    one.input.data = input_in(one.activations);
    one.output.data = output_in(one.activations);
    *network = &one;
    return fail(AI_ERROR_NONE, AI_ERROR_CODE_NONE);
}

ai_error ai_network_get_error(ai_handle network)
{
    (void)network;
    return one.error;
}

static bool is_ready(ai_handle network)
{
    bool ready = network == &one && one.activations != NULL;
    if (!ready) {
        fail(AI_ERROR_INVALID_HANDLE, AI_ERROR_CODE_NETWORK);
    }
    return ready;
}

static ai_buffer *get(ai_handle network, ai_u16 *count, ai_buffer *buffer)
{
    if (count != NULL) {
        *count = 1;
    }
    return is_ready(network) ? buffer : NULL;
}

ai_buffer *ai_network_inputs_get(ai_handle network, ai_u16 *count)
{
    return get(network, count, &one.input);
}

ai_buffer *ai_network_outputs_get(ai_handle network, ai_u16 *count)
{
    return get(network, count, &one.output);
}

/* How many inputs it has done: 1, or 0 after an error. */
ai_i32 ai_network_run(ai_handle network, const ai_buffer *input, ai_buffer *output)
{
    if (!is_ready(network)) {
        return 0;
    }
    if (input == NULL || input->data == NULL) {
        fail(AI_ERROR_INVALID_INPUT, AI_ERROR_CODE_INVALID_PTR);
    } else if (output == NULL || output->data == NULL) {
        fail(AI_ERROR_INVALID_OUTPUT, AI_ERROR_CODE_INVALID_PTR);
    } else if (input->size != stand_in_describe()->input.elements) {
        fail(AI_ERROR_INVALID_INPUT, AI_ERROR_CODE_INVALID_SIZE);
    } else {
        compute(one.activations);
        return 1;
    }
    return 0;
}
