#include "frame.h"

#include "board.h"
#include "requests.h"

/* COBS: each block is a code, its length, and bytes without a zero; between blocks a zero is meant,
 * but not after one of the longest. */
#define LONGEST_BLOCK 0xFFU
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

static void keep(frame_receiver *r, uint8_t byte)
{
    if (r->length < r->longest) {
        r->bytes[r->length] = byte;
    }
    r->length++; /* more than the longest: too long */
}

static void decode(frame_receiver *r, uint8_t byte)
{
    if (r->block_left > 0) {
        r->block_left--;
        keep(r, byte);
        return;
    }
    if (r->code != 0 && r->code != LONGEST_BLOCK) {
        keep(r, 0);
    }
    r->code = byte;
    r->block_left = byte - 1U;
}

static frame finish(const frame_receiver *r)
{
    if (r->length > r->longest) {
        return (frame){.error = ERROR_TOO_LONG};
    }
    const uint32_t checked = r->length - 4;
    if (r->length < FRAME_EXTRA_BYTES || r->block_left > 0 ||
        frame_crc(r->bytes, checked) != frame_u32(r->bytes + checked)) {
        return (frame){.error = ERROR_CORRUPTED};
    }
    return (frame){0, r->bytes[0], r->bytes[1], r->bytes + 2, r->length - FRAME_EXTRA_BYTES};
}

bool frame_receive(frame_receiver *r, uint8_t byte, frame *received)
{
    if (byte != 0) {
        decode(r, byte);
        return false;
    }
    const bool is_empty = r->code == 0;
    *received = finish(r);
    *r = (frame_receiver){.bytes = r->bytes, .longest = r->longest};
    return !is_empty;
}

/* The frame that is being sent: a block of it is kept until its length is known. */
static struct {
    uint8_t block[LONGEST_BLOCK - 1];
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

/* As they lie in memory: numbers have the low byte first there too. */
void put_bytes(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count; i++) {
        put_u8(from[i]);
    }
}

void put_u32(uint32_t value)
{
    put_bytes(&value, sizeof value);
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
