#include "app.h"

#include "board.h"

#define SECOND BOARD_TICKS_PER_SECOND
#define FLICKERS SECOND /* blinks of two ticks each: for two seconds */

static bool lit, answering;
static uint32_t changes_left; /* of the answer */
static uint32_t ticks_each;   /* how long each of them lasts */
static uint32_t ticks_left = SECOND / 2;

static void set(bool on)
{
    lit = on;
    board_led(on);
}

/* Dark for a second, then on and off, then dark for a second. */
static void begin(uint32_t blinks, uint32_t ticks)
{
    set(false);
    answering = true;
    changes_left = 2 * blinks;
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
    if (!answering) {
        set(!lit);
        ticks_left = SECOND / 2;
    }
}

void light_tick(void)
{
    if (--ticks_left > 0) {
        return;
    }
    if (changes_left > 0) {
        changes_left--;
        ticks_left = changes_left > 0 ? ticks_each : SECOND;
    } else {
        answering = false;
        ticks_left = SECOND / 2;
    }
    set(!lit);
}
