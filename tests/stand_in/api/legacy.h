/* The legacy API of the stand-in, with the names and numbers that ST documents. For tests. No line
 * of it is ST's. It becomes a part of the stand-in's ai_platform.h. */
#ifndef STAND_IN_LEGACY_H
#define STAND_IN_LEGACY_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t ai_u8;
typedef uint16_t ai_u16;
typedef int32_t ai_i32;
typedef float ai_float;
typedef void *ai_handle;

#define AI_HANDLE_NULL ((ai_handle)0)

enum {
    AI_ERROR_NONE = 0,
    AI_ERROR_INVALID_HANDLE = 0x10,
    AI_ERROR_INVALID_INPUT = 0x12,
    AI_ERROR_INVALID_OUTPUT = 0x13,
    AI_ERROR_INIT_FAILED = 0x30,
    AI_ERROR_CREATE_FAILED = 0x33,
};
enum {
    AI_ERROR_CODE_NONE = 0,
    AI_ERROR_CODE_NETWORK = 0x10,
    AI_ERROR_CODE_NETWORK_ACTIVATIONS = 0x13,
    AI_ERROR_CODE_INVALID_PTR = 0x17,
    AI_ERROR_CODE_INVALID_SIZE = 0x18,
    AI_ERROR_CODE_LOCK = 0x41,
};
typedef struct {
    uint32_t type : 8;
    uint32_t code : 24;
} ai_error;

typedef struct {
    ai_float scale;
    ai_i32 zero_point;
} ai_buffer_meta_info; /* opaque: asked by the two macros */

enum { AI_BUFFER_FMT_TYPE_FLOAT = 1, AI_BUFFER_FMT_TYPE_Q = 2 };
enum { /* sign, type, bits, and fractional bits + 64 */
       AI_BUFFER_FORMAT_FLOAT = 1 << 23 | AI_BUFFER_FMT_TYPE_FLOAT << 17 | 32 << 7 | 64,
       AI_BUFFER_FORMAT_S8 = 1 << 23 | AI_BUFFER_FMT_TYPE_Q << 17 | 8 << 7 | 64,
};
#define AI_BUFFER_FORMAT(buffer) ((buffer)->format & 0x01FFFFFF)
#define AI_BUFFER_FMT_GET_SIGN(format) ((format) >> 23 & 1)
#define AI_BUFFER_FMT_GET_TYPE(format) ((format) >> 17 & 15)
#define AI_BUFFER_FMT_GET_BITS(format) ((format) >> 7 & 127)

typedef struct {
    int32_t format;
    ai_handle data;
    ai_buffer_meta_info *meta_info; /* NULL when it is not quantized */
    uint32_t size;                  /* elements */
} ai_buffer;

#define AI_BUFFER_META_INFO_INTQ_GET_SCALE(info, at) ((info) ? (info)[at].scale : 0.0F)
#define AI_BUFFER_META_INFO_INTQ_GET_ZEROPOINT(info, at) ((info) ? (info)[at].zero_point : 0)

ai_error ai_network_get_error(ai_handle network);
ai_buffer *ai_network_inputs_get(ai_handle network, ai_u16 *count);
ai_buffer *ai_network_outputs_get(ai_handle network, ai_u16 *count);
ai_i32 ai_network_run(ai_handle network, const ai_buffer *input, ai_buffer *output);

/* The API has no size here. The compiler knows it, and the stand-in asks it. */
#define ai_network_create_and_init(network, activations, weights)                                  \
    stand_in_create(network, activations, weights, __builtin_object_size((activations)[0], 0))

ai_error stand_in_create(ai_handle *network, const ai_handle *activations, const ai_handle *weights,
                         size_t bytes);

#endif
