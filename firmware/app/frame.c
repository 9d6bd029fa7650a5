#include "frame.h"

#include "board.h"

#define COBS_LONGEST_BLOCK                                                                         \
    0xFFU /* the code of a block of 254 bytes, after which no zero is meant */
#define CRC_START 0xFFFFFFFFU

static uint32_t crc_with(uint32_t crc, uint8_t byte)
{
    /* what four bits at the low end of the register do to the rest of it */
    static const uint32_t four_steps[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    crc ^= byte;
    crc = (crc >> 4) ^ four_steps[crc & 0xF];
    return (crc >> 4) ^ four_steps[crc & 0xF];
}

uint32_t frame_crc(const uint8_t *bytes, uint32_t length)
{
    uint32_t crc = CRC_START;
    for (uint32_t i = 0; i < length; i++) {
        crc = crc_with(crc, bytes[i]);
    }
    return ~crc;
}

uint32_t frame_u32(const uint8_t *bytes)
{
    return bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

/* COBS: each block is its length plus one, and bytes without a zero; between blocks is a zero.
 * Returns how many bytes come out, or 0 when a block is cut off. */
static uint32_t decode(uint8_t *bytes, uint32_t length)
{
    uint32_t from = 0, to = 0;
    while (from < length) {
        const uint32_t code = bytes[from];
        const uint32_t end = from + code;
        if (end > length) {
            return 0;
        }
        for (from++; from < end; from++) {
            bytes[to++] = bytes[from];
        }
        if (code != COBS_LONGEST_BLOCK && from < length) {
            bytes[to++] = 0;
        }
    }
    return to;
}

static frame_status finish(const frame_receiver *r, frame *received)
{
    if (r->length > FRAME_ROOM(r->longest)) {
        return FRAME_TOO_LONG;
    }
    const uint32_t length = decode(r->bytes, r->length);
    if (length < FRAME_EXTRA_BYTES || length > r->longest) {
        return length > r->longest ? FRAME_TOO_LONG : FRAME_CORRUPTED;
    }
    received->type = r->bytes[0];
    received->sequence = r->bytes[1];
    received->payload = r->bytes + 2;
    received->length = length - FRAME_EXTRA_BYTES;
    const uint8_t *crc = received->payload + received->length;
    return frame_crc(r->bytes, length - 4) == frame_u32(crc) ? FRAME_GOOD : FRAME_CORRUPTED;
}

frame_status frame_receive(frame_receiver *r, uint8_t byte, frame *received)
{
    if (byte == 0) {
        const frame_status status = r->length == 0 ? FRAME_NONE : finish(r, received);
        r->length = 0;
        return status;
    }
    const uint32_t room = FRAME_ROOM(r->longest);
    if (r->length < room) {
        r->bytes[r->length++] = byte;
    } else {
        r->length = room + 1; /* too long */
    }
    return FRAME_NONE;
}

/* The frame that is being sent: a block of it is kept until its length is known. */
static struct {
    uint8_t block[COBS_LONGEST_BLOCK - 1];
    uint32_t length;
    uint32_t crc;
    uint8_t sequence;
} sender;

static void send_block(void)
{
    board_send((uint8_t)(sender.length + 1));
    for (uint32_t i = 0; i < sender.length; i++) {
        board_send(sender.block[i]);
    }
    sender.length = 0;
}

void put_u8(uint32_t value)
{
    const uint8_t byte = (uint8_t)value;
    sender.crc = crc_with(sender.crc, byte);
    if (sender.length == sizeof sender.block) {
        send_block();
    }
    if (byte == 0) {
        send_block();
    } else {
        sender.block[sender.length++] = byte;
    }
}

void put_u32(uint32_t value)
{
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        put_u8(value >> shift);
    }
}

void put_bytes(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count; i++) {
        put_u8(from[i]);
    }
}

void frame_begin(uint32_t type, uint8_t sequence)
{
    sender.length = 0;
    sender.crc = CRC_START;
    sender.sequence = sequence;
    put_u8(type);
    put_u8(sequence);
}

void frame_end(void)
{
    put_u32(~sender.crc);
    send_block();
    board_send(0);
}

uint8_t frame_last_sequence(void)
{
    return sender.sequence;
}
