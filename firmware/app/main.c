/* Recognizes digits: answers what comes on the serial port, reads its built-in digit when the
 * button is pressed, and shows life. */
#include "app.h"
#include "board.h"
#include "engine.h"
#include "requests.h"

/* In a file of its own, away from its use: the host looks for it in the ELF file, and a compiler
 * that sees both keeps no text but stores its letters one by one. */
const char build_id[] = BUILD_ID;

/* The longest request is WATCH, a layer's number and a whole input, or for tiny inputs BAUD. */
#define LONGEST_PAYLOAD (ENGINE_INPUT_BYTES < 3U ? 4U : 1U + ENGINE_INPUT_BYTES)
#define LONGEST_REQUEST (FRAME_EXTRA_BYTES + LONGEST_PAYLOAD)

static uint8_t request_buffer[LONGEST_REQUEST];
static frame_receiver receiver = {.bytes = request_buffer, .longest = LONGEST_REQUEST};

/* Looked at 16 times a second, so a contact that bounces counts once. A request that comes in while
 * the network runs may lose bytes; the host asks again. */
static void serve_button(void)
{
    static bool held = true; /* a press begins with the button released */
    uint32_t digit;
    const bool pressed = board_button();
    if (pressed && !held && sample_recognize(&digit)) {
        light_answer(digit);
    } else if (pressed && !held) {
        light_trouble();
    }
    held = pressed;
}

static void serve(void)
{
    uint8_t byte;
    frame request;
    if (board_receive(&byte)) {
        if (frame_receive(&receiver, byte, &request)) {
            light_request();
            requests_answer(&request);
        }
    } else if (board_tick()) {
        light_tick();
        serve_button();
    }
}

int main(void)
{
    board_start();
    requests_start();
    for (;;) {
        serve();
    }
}
