#include "app.h"

#include "board.h"

#define SECOND BOARD_TICKS_PER_SECOND
#define FLICKERS SECOND /* blinks of two ticks each: for two seconds */

static bool lit;
static uint32_t ticks_left = SECOND / 2;
static uint32_t changes_left; /* of an answer, the one back to signs of life included */
static uint32_t ticks_each;   /* how long each of them lasts */

static void set(bool on)
{
    lit = on;
    board_led(on);
}

/* Dark for a second, then on and off, then dark for a second. */
static void begin(uint32_t blinks, uint32_t ticks)
{
    set(false);
    changes_left = 2 * blinks + 1;
    ticks_each = ticks;
    ticks_left = SECOND;
}

void light_answer(uint32_t number)
{
    begin(number == 0 ? 1 : number, number == 0 ? 2 * SECOND : SECOND / 4);
}

void light_trouble(void)
{
    begin(FLICKERS, 1);
}

void light_request(void)
{
    if (changes_left == 0) {
        set(!lit);
        ticks_left = SECOND / 2;
    }
}

void light_tick(void)
{
    if (--ticks_left > 0) {
        return;
    }
    set(!lit);
    if (changes_left > 0) {
        changes_left--;
    }
    ticks_left = changes_left == 0 ? SECOND / 2 : SECOND;
    if (changes_left > 1) {
        ticks_left = ticks_each;
    }
}
