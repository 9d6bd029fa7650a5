/* After a fault: tells what happened, and again whenever a frame arrives, until RESET comes. */
#include "board.h"
#include "frame.h"
#include "requests.h"

#define ID_BYTES (sizeof BUILD_ID - 1)
#define REPORT_BYTES (1U + 4U * 4U + 8U * 4U + ID_BYTES)
#define REQUEST_BYTES 16U /* enough for RESET; what is longer is answered as well */

static uint32_t put_u32(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
    return 4;
}

static void send_report(const board_crash *crash, uint8_t sequence)
{
    static const char build_id[] = BUILD_ID;
    uint8_t bytes[FRAME_HEADER_BYTES + REPORT_BYTES + FRAME_CRC_BYTES];
    const uint32_t status[] = {crash->cfsr, crash->hfsr, crash->mmfar, crash->bfar};
    uint32_t length = 0;
    bytes[length++] = REPLY_FAULT;
    bytes[length++] = sequence;
    bytes[length++] = (uint8_t)crash->exception;
    for (uint32_t i = 0; i < 4; i++) {
        length += put_u32(bytes + length, status[i]);
    }
    for (uint32_t i = 0; i < 8; i++) {
        length += put_u32(bytes + length, crash->stacked[i]);
    }
    for (uint32_t i = 0; i < ID_BYTES; i++) {
        bytes[length++] = (uint8_t)build_id[i];
    }
    board_send(0); /* ends the reply that was perhaps begun */
    frame_send(bytes, length);
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
    uint8_t bytes[REQUEST_BYTES];
    frame_receiver receiver = {.bytes = bytes, .size = sizeof bytes};
    bool lit = false;
    send_report(crash, requests_last_sequence());
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
