#include "add_constant.h"

#include <stddef.h>

void nn_add_constant_int8(const nn_add_constant_int8_params *p, const int8_t *input, int8_t *output)
{
    nn_add_int8(p, p->first != NULL ? p->first : input, p->second != NULL ? p->second : input,
                output);
}
