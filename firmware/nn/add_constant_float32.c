#include "add_constant.h"

#include <stddef.h>

void nn_add_constant_float32(const nn_add_constant_float32_params *p, const float *input,
                             float *output)
{
    nn_add_float32(p, p->first != NULL ? p->first : input, p->second != NULL ? p->second : input,
                   output);
}
