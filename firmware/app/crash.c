/* After a fault: tells what happened, and again whenever a frame arrives, until RESET comes. */
#include "board.h"
#include "frame.h"
#include "requests.h"

#define LONGEST_ID 16U
#define REPORT_BYTES (1U + 4U * 4U + 8U * 4U + LONGEST_ID)
#define REQUEST_BYTES 16U /* enough for RESET; what is longer is answered as well */

typedef struct {
    uint8_t bytes[FRAME_HEADER_BYTES + REPORT_BYTES + FRAME_CRC_BYTES];
    uint32_t length;
} report;

static void put_u8(report *r, uint32_t value)
{
    r->bytes[r->length++] = (uint8_t)value;
}

static void put_u32(report *r, uint32_t value)
{
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        put_u8(r, value >> shift);
    }
}

static void send_report(const board_crash *crash, uint8_t sequence)
{
    report r = {.length = 0};
    put_u8(&r, REPLY_FAULT);
    put_u8(&r, sequence);
    put_u8(&r, crash->exception);
    put_u32(&r, crash->cfsr);
    put_u32(&r, crash->hfsr);
    put_u32(&r, crash->mmfar);
    put_u32(&r, crash->bfar);
    for (uint32_t i = 0; i < 8; i++) {
        put_u32(&r, crash->stacked[i]);
    }
    for (uint32_t i = 0; i < LONGEST_ID && build_id[i] != '\0'; i++) {
        put_u8(&r, (uint8_t)build_id[i]);
    }
    board_send(0); /* ends the reply that was perhaps begun */
    frame_send(r.bytes, r.length);
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
