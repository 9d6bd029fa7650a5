#include "float_math.h"
#include "softmax.h"

static void softmax_of_row(uint32_t elements, float beta, const float *input, float *output)
{
    float maximum = input[0];
    for (uint32_t i = 1; i < elements; i++) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    float sum = 0.0F;
    for (uint32_t i = 0; i < elements; i++) {
        output[i] = nn_exp_of_negative((input[i] - maximum) * beta);
        sum += output[i];
    }
    for (uint32_t i = 0; i < elements; i++) {
        output[i] /= sum;
    }
}

void nn_softmax_float32(const nn_softmax_float32_params *p, const float *input, float *output)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        softmax_of_row(p->elements, p->beta, input, output);
        input += p->elements;
        output += p->elements;
    }
}
