/* The st-ai API of the stand-in, with the names and numbers that ST documents. For tests. No line
 * of it is ST's. It becomes a part of the stand-in's stai.h. */
#ifndef STAND_IN_ST_AI_H
#define STAND_IN_ST_AI_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t stai_network;
typedef uint8_t *stai_ptr;
typedef uint32_t stai_size;

typedef enum {
    STAI_SUCCESS = 0,
    STAI_ERROR_NETWORK_INVALID_CONTEXT_HANDLE = 0x030000,
    STAI_ERROR_NETWORK_INVALID_CONTEXT_SIZE = 0x030001,
    STAI_ERROR_NETWORK_INVALID_CONTEXT_ALIGNMENT = 0x030002,
    STAI_ERROR_NETWORK_INVALID_RUN = 0x030020,
    STAI_ERROR_NETWORK_INVALID_ACTIVATIONS_PTR = 0x040000,
    STAI_ERROR_NETWORK_INVALID_ACTIVATIONS_NUM = 0x040001,
    STAI_ERROR_NETWORK_INVALID_IN_PTR = 0x040010,
    STAI_ERROR_NETWORK_INVALID_IN_NUM = 0x040011,
    STAI_ERROR_NETWORK_INVALID_OUT_PTR = 0x040020,
    STAI_ERROR_NETWORK_INVALID_OUT_NUM = 0x040021,
    STAI_ERROR_INVALID_BUFFER_ALIGNMENT = 0x040070,
    STAI_ERROR_STAI_INIT_FAILED = 0x060000,
} stai_return_code;

typedef enum { STAI_FORMAT_FLOAT32 = 0x00821040, STAI_FORMAT_S8 = 0x00840440 } stai_format;
typedef enum { STAI_MODE_SYNC = 1, STAI_MODE_ASYNC = 2 } stai_run_mode;

#define STAI_NETWORK_CONTEXT_DECLARE(name, size) _Alignas(8) stai_network name[size];

stai_return_code stai_runtime_init(void);
stai_return_code stai_network_get_inputs(stai_network *network, stai_ptr *inputs, stai_size *count);
stai_return_code stai_network_get_outputs(stai_network *network, stai_ptr *outputs,
                                          stai_size *count);
stai_return_code stai_network_run(stai_network *network, stai_run_mode mode);

/* The API has no sizes here. The compiler knows them, and the stand-in asks it. */
#define stai_network_init(network) stand_in_init(network, __builtin_object_size(network, 0))
#define stai_network_set_activations(network, buffers, count)                                      \
    stand_in_set_activations(network, buffers, count, __builtin_object_size((buffers)[0], 0))

stai_return_code stand_in_init(stai_network *network, size_t bytes);
stai_return_code stand_in_set_activations(stai_network *network, const stai_ptr *buffers,
                                          stai_size count, size_t bytes);

#endif
