/* After a fault: tells what happened, and again whenever a frame arrives, until RESET comes. */
#include "board.h"
#include "frame.h"
#include "requests.h"

#define LONGEST_ID 16U
#define LONGEST_REQUEST 16U /* enough for RESET; what is longer is answered as well */

static void send_report(const board_crash *crash, uint8_t sequence)
{
    board_send(0); /* ends the reply that was perhaps begun */
    frame_begin(REPLY_FAULT, sequence);
    put_u8(crash->exception);
    put_u32(crash->cfsr);
    put_u32(crash->hfsr);
    put_u32(crash->mmfar);
    put_u32(crash->bfar);
    for (uint32_t i = 0; i < 8; i++) {
        put_u32(crash->stacked[i]);
    }
    for (uint32_t i = 0; i < LONGEST_ID && build_id[i] != '\0'; i++) {
        put_u8((uint8_t)build_id[i]);
    }
    frame_end();
}

static void answer(const board_crash *crash, frame_status status, const frame *request)
{
    send_report(crash, request->sequence);
    if (status != FRAME_GOOD) {
        board_set_baud(BOARD_BAUD);
    } else if (request->type == REQUEST_RESET) {
        board_flush();
        board_reset();
    }
}

void board_crashed(const board_crash *crash)
{
    uint8_t bytes[FRAME_ROOM(LONGEST_REQUEST)];
    frame_receiver receiver = {.bytes = bytes, .longest = LONGEST_REQUEST};
    bool lit = false;
    send_report(crash, frame_last_sequence());
    for (;;) {
        uint8_t byte;
        frame request = {0};
        if (board_receive(&byte)) {
            const frame_status status = frame_receive(&receiver, byte, &request);
            if (status != FRAME_NONE) {
                answer(crash, status, &request);
            }
        } else if (board_tick()) {
            lit = !lit;
            board_led(lit);
        }
    }
}
