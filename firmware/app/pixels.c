#include "app.h"
#include "engine.h"

/* What each pixel is to an int8 network: worked out once. */
static int8_t int8_of_pixel[256];

/* What a pixel was in training: 0 and 255 are the ends of the network's range. */
static float real_of(uint32_t pixel)
{
    const float *range = engine_describe()->input_range;
    return (float)pixel * (range[1] - range[0]) / 255.0F + range[0];
}

/* round(real / scale) + zero_point, kept in range; kit/model/pixels.py does exactly the same */
static int8_t quantize(float real, const engine_tensor *tensor)
{
    const float steps = real / tensor->scale;
    const int32_t nearest = (int32_t)(steps < 0.0F ? steps - 0.5F : steps + 0.5F);
    const int32_t value = nearest + tensor->zero_point;
    if (value > INT8_MAX) {
        return INT8_MAX;
    }
    return value < INT8_MIN ? INT8_MIN : (int8_t)value;
}

void pixels_start(void)
{
    const engine_tensor *input = &engine_describe()->input;
    for (uint32_t pixel = 0; pixel < 256 && input->type == ENGINE_INT8; pixel++) {
        int8_of_pixel[pixel] = quantize(real_of(pixel), input);
    }
}

bool pixels_to_input(const uint8_t *pixels)
{
    const engine_description *network = engine_describe();
    const bool is_int8 = network->input.type == ENGINE_INT8;
    void *input = engine_input();
    if (network->input_range[0] == network->input_range[1]) {
        return false;
    }
    for (uint32_t i = 0; i < ENGINE_INPUT_ELEMENTS; i++) {
        if (is_int8) {
            ((int8_t *)input)[i] = int8_of_pixel[pixels[i]];
        } else {
            ((float *)input)[i] = real_of(pixels[i]);
        }
    }
    return true;
}
