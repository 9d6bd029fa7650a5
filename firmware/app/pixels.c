#include "pixels.h"

/* A pixel has 256 values: what each becomes is worked out once. */
static union {
    int8_t as_int8[256];
    float as_float[256];
} pixel_table;
static engine_type type;

/* What a pixel was in training: 0 and 255 are the ends of the network's range. */
static float real_of(uint32_t pixel, const float range[2])
{
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

void pixels_start(const engine_description *network)
{
    type = network->input.type;
    for (uint32_t pixel = 0; pixel < 256; pixel++) {
        const float real = real_of(pixel, network->input_range);
        if (type == ENGINE_FLOAT32) {
            pixel_table.as_float[pixel] = real;
        } else {
            pixel_table.as_int8[pixel] = quantize(real, &network->input);
        }
    }
}

bool pixels_are_understood(const engine_description *network)
{
    const float *range = network->input_range;
    return range[0] < range[1] || range[0] > range[1];
}

void pixels_to_input(const uint8_t *pixels, uint32_t count, void *input)
{
    for (uint32_t i = 0; i < count; i++) {
        if (type == ENGINE_FLOAT32) {
            ((float *)input)[i] = pixel_table.as_float[pixels[i]];
        } else {
            ((int8_t *)input)[i] = pixel_table.as_int8[pixels[i]];
        }
    }
}
