/* CONCATENATION: tensors one behind the other along a dimension. */
#pragma once

#include <stdint.h>

/* In bytes, whatever the type. A block is what an input has at one place of the dimensions before
 * the one along which they are joined. */
typedef struct {
    const int32_t *block; /* [inputs], bytes */
    uint32_t inputs;
    uint32_t blocks; /* of each input */
} nn_concatenation_bytes_params;

/* `output` lies apart from all inputs. */
void nn_concatenation_bytes(const nn_concatenation_bytes_params *p, const void *const *inputs,
                            void *output);
