#include "app.h"
#include "engine.h"

#include <stddef.h>

#define SIDE 28U
#define PIXELS (SIDE * SIDE)

/* Draw another digit if you like, as those of MNIST are: a light stroke, two or three pixels wide
 * with gray edges, about 20 pixels high, its center of mass in the middle of the picture. */
/* clang-format off */
static const char picture[SIDE][SIDE + 1] = {
    "                            ",
    "                            ",
    "                            ",
    "                            ",
    "          .+###+.           ",
    "         +#######+          ",
    "        +###+++###.         ",
    "       +##+    .##+         ",
    "       +#+      +##         ",
    "        .       +##         ",
    "               .##+         ",
    "              .###          ",
    "           .+####.          ",
    "           #####+           ",
    "           .+####+          ",
    "              .###          ",
    "               .##+         ",
    "                ##+         ",
    "               .##.         ",
    "     .+.       +##.         ",
    "     ###.     +##+          ",
    "     +###++++###+           ",
    "      .########+            ",
    "       .+####+.             ",
    "                            ",
    "                            ",
    "                            ",
    "                            ",
};
/* clang-format on */

/* Black is nothing, white is 255. */
static const uint8_t gray_of[UINT8_MAX + 1] = {['.'] = 85, ['+'] = 170, ['#'] = 255};

static float score(uint32_t number)
{
    const void *scores = engine_output(0);
    switch (engine_describe()->output.type) {
    case ENGINE_INT8:
        return ((const int8_t *)scores)[number];
    case ENGINE_UINT8:
        return ((const uint8_t *)scores)[number];
    case ENGINE_INT16:
        return ((const int16_t *)scores)[number];
    default:
        return ((const float *)scores)[number];
    }
}

bool sample_recognize(uint32_t *digit)
{
    uint8_t pixels[PIXELS];
    for (uint32_t i = 0; i < PIXELS; i++) {
        pixels[i] = gray_of[(uint8_t)picture[i / SIDE][i % SIDE]];
    }
    if (ENGINE_INPUT_ELEMENTS != PIXELS || engine_input() == NULL || !pixels_to_input(pixels) ||
        engine_run(NULL) != ENGINE_OK) {
        return false;
    }
    *digit = 0;
    for (uint32_t i = 1; i < engine_describe()->output.elements; i++) {
        *digit = score(i) > score(*digit) ? i : *digit;
    }
    return true;
}
