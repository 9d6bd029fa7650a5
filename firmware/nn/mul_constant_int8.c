#include "mul_constant.h"

#include <stddef.h>

void nn_mul_constant_int8(const nn_mul_constant_int8_params *p, const int8_t *input, int8_t *output)
{
    nn_mul_int8(p, p->first != NULL ? p->first : input, p->second != NULL ? p->second : input,
                output);
}
