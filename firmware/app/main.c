/* Recognizes digits: waits for a request on the serial port, answers it, and shows life. */
#include "board.h"
#include "engine.h"
#include "frame.h"
#include "pixels.h"
#include "requests.h"

/* The longest request is WATCH, a layer's number and a whole input, or for tiny inputs BAUD. */
#define PAYLOAD_BYTES (ENGINE_INPUT_BYTES < 3U ? 4U : 1U + ENGINE_INPUT_BYTES)
#define REQUEST_BYTES (FRAME_HEADER_BYTES + PAYLOAD_BYTES + FRAME_CRC_BYTES)

static uint8_t request_buffer[REQUEST_BYTES];
static frame_receiver receiver = {.bytes = request_buffer, .size = sizeof request_buffer};

static void serve(bool *led)
{
    uint8_t byte;
    frame request;
    if (board_receive(&byte)) {
        const frame_status status = frame_receive(&receiver, byte, &request);
        if (status != FRAME_NONE) {
            *led = !*led;
            board_led(*led);
            requests_answer(status, &request);
        }
    } else if (board_heartbeat()) {
        *led = !*led;
        board_led(*led);
    }
}

int main(void)
{
    bool led = false;
    board_start();
    requests_start();
    for (;;) {
        serve(&led);
    }
}
