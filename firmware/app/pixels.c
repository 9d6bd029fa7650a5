#include "app.h"
#include "engine.h"

/* What each pixel is to a network that takes bytes: worked out once. */
static uint8_t byte_of_pixel[256];

/* What a pixel was in training: 0 and 255 are the ends of the network's range. */
static float real_of(uint32_t pixel)
{
    const float *range = engine_describe()->input_range;
    return (float)pixel * (range[1] - range[0]) / 255.0F + range[0];
}

/* round(real / scale) + zero_point, kept in range; kit/model/pixels.py does exactly the same */
static int32_t quantize(float real, const engine_tensor *tensor)
{
    static const struct {
        int32_t low, high;
    } limits[] = {[ENGINE_INT8] = {INT8_MIN, INT8_MAX},
                  [ENGINE_UINT8] = {0, UINT8_MAX},
                  [ENGINE_INT16] = {INT16_MIN, INT16_MAX}};
    const float steps = real / tensor->scale;
    const int32_t nearest = (int32_t)(steps < 0.0F ? steps - 0.5F : steps + 0.5F);
    const int32_t value = nearest + tensor->zero_point;
    if (value > limits[tensor->type].high) {
        return limits[tensor->type].high;
    }
    return value < limits[tensor->type].low ? limits[tensor->type].low : value;
}

static bool takes_bytes(const engine_tensor *tensor)
{
    return tensor->type == ENGINE_INT8 || tensor->type == ENGINE_UINT8;
}

void pixels_start(void)
{
    const engine_tensor *input = &engine_describe()->input;
    for (uint32_t pixel = 0; pixel < 256 && takes_bytes(input); pixel++) {
        byte_of_pixel[pixel] = (uint8_t)quantize(real_of(pixel), input);
    }
}

bool pixels_to_input(const uint8_t *pixels)
{
    const engine_description *network = engine_describe();
    void *input = engine_input();
    if (network->input_range[0] == network->input_range[1]) {
        return false;
    }
    for (uint32_t i = 0; i < ENGINE_INPUT_ELEMENTS; i++) {
        if (takes_bytes(&network->input)) {
            ((uint8_t *)input)[i] = byte_of_pixel[pixels[i]];
        } else if (network->input.type == ENGINE_INT16) {
            ((int16_t *)input)[i] = (int16_t)quantize(real_of(pixels[i]), &network->input);
        } else {
            ((float *)input)[i] = real_of(pixels[i]);
        }
    }
    return true;
}
