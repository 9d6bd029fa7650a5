/* After a fault: tells what happened, and again whenever a frame arrives, until RESET comes. */
#include "board.h"
#include "frame.h"
#include "requests.h"

#define LONGEST_REQUEST 16U /* enough for RESET; what is longer is answered as well */

static void send_report(const board_crash *crash, uint8_t sequence)
{
    board_send(0); /* ends the reply that was perhaps begun */
    frame_begin(REPLY_FAULT, sequence);
    put_u8(crash->exception);
    put_bytes(crash->status, sizeof crash->status);
    put_bytes(crash->stacked, sizeof crash->stacked);
    put_bytes(build_id, BUILD_ID_LENGTH);
    frame_end();
}

static void answer(const board_crash *crash, const frame *request)
{
    send_report(crash, request->sequence);
    if (request->error != 0) {
        board_set_baud(BOARD_BAUD);
    } else if (request->type == REQUEST_RESET) {
        board_flush();
        board_reset();
    }
}

void board_crashed(const board_crash *crash)
{
    uint8_t bytes[LONGEST_REQUEST];
    frame_receiver receiver = {.bytes = bytes, .longest = sizeof bytes};
    bool lit = false;
    send_report(crash, frame_last_sequence());
    for (;;) {
        uint8_t byte;
        frame request;
        if (board_receive(&byte)) {
            if (frame_receive(&receiver, byte, &request)) {
                answer(crash, &request);
            }
        } else if (board_tick()) {
            lit = !lit;
            board_led(lit);
        }
    }
}
