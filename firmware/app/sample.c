#include "sample.h"

#include "engine.h"
#include "pixels.h"

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

static uint8_t gray(char drawn)
{
    switch (drawn) {
    case '#':
        return 255;
    case '+':
        return 170;
    case '.':
        return 85;
    default:
        return 0;
    }
}

static float score(const engine_tensor *output, uint32_t number)
{
    const void *scores = engine_output();
    return output->type == ENGINE_FLOAT32 ? ((const float *)scores)[number]
                                          : (float)((const int8_t *)scores)[number];
}

static uint32_t highest_score(const engine_tensor *output)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < output->elements; i++) {
        if (score(output, i) > score(output, best)) {
            best = i;
        }
    }
    return best;
}

bool sample_recognize(uint32_t *digit)
{
    uint8_t pixels[PIXELS];
    if (ENGINE_INPUT_ELEMENTS != PIXELS || engine_input() == NULL ||
        !pixels_are_understood(engine_describe())) {
        return false;
    }
    for (uint32_t i = 0; i < PIXELS; i++) {
        pixels[i] = gray(picture[i / SIDE][i % SIDE]);
    }
    pixels_to_input(pixels, PIXELS, engine_input());
    if (engine_run(NULL, NULL) != ENGINE_OK) {
        return false;
    }
    *digit = highest_score(&engine_describe()->output);
    return true;
}
