#include "pixels.h"

/* A pixel has 256 values: what each becomes is worked out once. */
static union {
    int8_t as_int8[256];
    float as_float[256];
} pixel_table;
static engine_type type;

/* round(real / scale) + zero_point, kept in range; kit/model/pixels.py does exactly the same */
static int8_t quantize(float real, const engine_tensor *tensor)
{
    const int32_t value = (int32_t)(real / tensor->scale + 0.5F) + tensor->zero_point;
    if (value > INT8_MAX) {
        return INT8_MAX;
    }
    return value < INT8_MIN ? INT8_MIN : (int8_t)value;
}

void pixels_start(const engine_tensor *input)
{
    type = input->type;
    for (uint32_t pixel = 0; pixel < 256; pixel++) {
        const float real = (float)pixel / 255.0F;
        if (type == ENGINE_FLOAT32) {
            pixel_table.as_float[pixel] = real;
        } else {
            pixel_table.as_int8[pixel] = quantize(real, input);
        }
    }
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
