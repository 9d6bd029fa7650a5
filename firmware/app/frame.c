#include "frame.h"

#include "board.h"

#define COBS_LONGEST_BLOCK 0xFFU

uint32_t frame_crc(const uint8_t *bytes, uint32_t length)
{
    /* what four bits at the low end of the register do to the rest of it */
    static const uint32_t four_steps[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    uint32_t crc = 0xFFFFFFFF;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ four_steps[crc & 0xF];
        crc = (crc >> 4) ^ four_steps[crc & 0xF];
    }
    return ~crc;
}

uint32_t frame_u32(const uint8_t *bytes)
{
    return bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

static void store(frame_receiver *r, uint8_t byte)
{
    if (r->length < r->size) {
        r->bytes[r->length++] = byte;
    } else {
        r->too_long = true;
    }
}

static void decode(frame_receiver *r, uint8_t byte)
{
    if (r->left_in_block > 0) {
        store(r, byte);
        r->left_in_block--;
        return;
    }
    if (r->zero_follows) {
        store(r, 0);
    }
    r->left_in_block = byte - 1U;
    r->zero_follows = byte != COBS_LONGEST_BLOCK;
}

static frame_status finish(const frame_receiver *r, frame *received)
{
    if (r->too_long) {
        return FRAME_TOO_LONG;
    }
    if (r->left_in_block > 0 || r->length < FRAME_HEADER_BYTES + FRAME_CRC_BYTES) {
        return FRAME_CORRUPTED;
    }
    const uint32_t end = r->length - FRAME_CRC_BYTES;
    received->type = r->bytes[0];
    received->sequence = r->bytes[1];
    received->payload = r->bytes + FRAME_HEADER_BYTES;
    received->length = end - FRAME_HEADER_BYTES;
    return frame_crc(r->bytes, end) == frame_u32(r->bytes + end) ? FRAME_GOOD : FRAME_CORRUPTED;
}

frame_status frame_receive(frame_receiver *r, uint8_t byte, frame *received)
{
    if (byte != 0) {
        decode(r, byte);
        return FRAME_NONE;
    }
    const bool empty = r->length == 0 && r->left_in_block == 0 && !r->zero_follows && !r->too_long;
    const frame_status status = empty ? FRAME_NONE : finish(r, received);
    r->length = 0;
    r->left_in_block = 0;
    r->zero_follows = false;
    r->too_long = false;
    return status;
}

/* How many bytes follow until a zero, the end or the longest block. */
static uint32_t block_length(const uint8_t *bytes, uint32_t length)
{
    uint32_t count = 0;
    while (count < length && bytes[count] != 0 && count < COBS_LONGEST_BLOCK - 1) {
        count++;
    }
    return count;
}

void frame_send(uint8_t *bytes, uint32_t length)
{
    const uint32_t crc = frame_crc(bytes, length);
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        bytes[length++] = (uint8_t)(crc >> shift);
    }
    uint32_t at = 0;
    bool more = true;
    while (more) {
        const uint32_t count = block_length(bytes + at, length - at);
        board_send((uint8_t)(count + 1));
        for (uint32_t i = 0; i < count; i++) {
            board_send(bytes[at + i]);
        }
        at += count;
        more = at < length;
        if (more && count < COBS_LONGEST_BLOCK - 1) {
            at++; /* the zero that the block's code stands for; a block follows even at the end */
        }
    }
    board_send(0);
}
