/* The st-ai API of the stand-in: strict about the order of calls, alignment and sizes. For tests.
 * No line of it is ST's. */
#include "st_ai.h"

#include "common.h"

#define CONTEXT_BYTES 64U /* as the stand-in's network.h says */
#define CONTEXT_ALIGNMENT 8U
#define READY 0xC0FFEE01U

#define REFUSE_IF(wrong, code)                                                                     \
    do {                                                                                           \
        if (wrong) {                                                                               \
            return STAI_ERROR_##code;                                                              \
        }                                                                                          \
    } while (0)

typedef struct {
    uint32_t state; /* READY after init */
    uint8_t *activations;
    bool has_input;
    bool has_output;
} context;

static bool runtime_ready;

static context *opened(stai_network *network)
{
    context *found = (context *)(void *)network;
    return aligned(network, CONTEXT_ALIGNMENT) && found->state == READY ? found : NULL;
}

stai_return_code stai_runtime_init(void)
{
    runtime_ready = true;
    return STAI_SUCCESS;
}

stai_return_code stand_in_init(stai_network *network, size_t bytes)
{
    REFUSE_IF(!runtime_ready, STAI_INIT_FAILED);
    REFUSE_IF(bytes < CONTEXT_BYTES, NETWORK_INVALID_CONTEXT_SIZE);
    REFUSE_IF(!aligned(network, CONTEXT_ALIGNMENT), NETWORK_INVALID_CONTEXT_ALIGNMENT);
    *(context *)(void *)network = (context){.state = READY};
    return STAI_SUCCESS;
}

stai_return_code stand_in_set_activations(stai_network *network, const stai_ptr *buffers,
                                          stai_size count, size_t bytes)
{
    context *found = opened(network);
    REFUSE_IF(found == NULL, NETWORK_INVALID_CONTEXT_HANDLE);
    REFUSE_IF(count != 1, NETWORK_INVALID_ACTIVATIONS_NUM);
    REFUSE_IF(buffers[0] == NULL, NETWORK_INVALID_ACTIVATIONS_PTR);
    REFUSE_IF(bytes < stand_in_describe()->arena_bytes, NETWORK_INVALID_ACTIVATIONS_PTR);
    REFUSE_IF(!aligned(buffers[0], ALIGNMENT), INVALID_BUFFER_ALIGNMENT);
    found->activations = buffers[0];
    take(found->activations);
    return STAI_SUCCESS;
}

stai_return_code stai_network_get_inputs(stai_network *network, stai_ptr *inputs, stai_size *count)
{
    context *found = opened(network);
    REFUSE_IF(found == NULL, NETWORK_INVALID_CONTEXT_HANDLE);
    REFUSE_IF(found->activations == NULL, NETWORK_INVALID_ACTIVATIONS_PTR);
    REFUSE_IF(*count != 1, NETWORK_INVALID_IN_NUM);
    inputs[0] = input_in(found->activations);
    found->has_input = true;
    return STAI_SUCCESS;
}

stai_return_code stai_network_get_outputs(stai_network *network, stai_ptr *outputs,
                                          stai_size *count)
{
    context *found = opened(network);
    REFUSE_IF(found == NULL, NETWORK_INVALID_CONTEXT_HANDLE);
    REFUSE_IF(found->activations == NULL, NETWORK_INVALID_ACTIVATIONS_PTR);
    REFUSE_IF(*count != 1, NETWORK_INVALID_OUT_NUM);
    outputs[0] = output_in(found->activations);
    found->has_output = true;
    return STAI_SUCCESS;
}

stai_return_code stai_network_run(stai_network *network, stai_run_mode mode)
{
    context *found = opened(network);
    REFUSE_IF(found == NULL, NETWORK_INVALID_CONTEXT_HANDLE);
    REFUSE_IF(found->activations == NULL, NETWORK_INVALID_ACTIVATIONS_PTR);
    REFUSE_IF(!found->has_input, NETWORK_INVALID_IN_PTR);
    REFUSE_IF(!found->has_output, NETWORK_INVALID_OUT_PTR);
    REFUSE_IF(mode != STAI_MODE_SYNC, NETWORK_INVALID_RUN);
    compute(found->activations);
    return STAI_SUCCESS;
}
