/* Frames on the serial line: COBS, a type, a sequence number, a payload, a CRC-32.
 * firmware/README.md has the page that defines them. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_HEADER_BYTES 2U /* type and sequence number */
#define FRAME_CRC_BYTES 4U

typedef enum { FRAME_NONE, FRAME_GOOD, FRAME_CORRUPTED, FRAME_TOO_LONG } frame_status;

/* Collects a frame byte by byte. Decoding in place needs no second buffer. */
typedef struct {
    uint8_t *bytes;
    uint32_t size; /* of `bytes` */
    uint32_t length;
    uint32_t left_in_block; /* bytes until the next COBS code */
    bool zero_follows;      /* the block ends in a zero, unless the frame ends first */
    bool too_long;
} frame_receiver;

/* What came out with FRAME_GOOD; points into the receiver's buffer until the next byte. */
typedef struct {
    uint8_t type;
    uint8_t sequence;
    const uint8_t *payload;
    uint32_t length;
} frame;

uint32_t frame_u32(const uint8_t *bytes); /* four bytes of a payload, low byte first */

frame_status frame_receive(frame_receiver *receiver, uint8_t byte, frame *received);

/* Sends bytes[0..length), which begin with type and sequence number; the FRAME_CRC_BYTES
 * after them must be free. */
void frame_send(uint8_t *bytes, uint32_t length);

/* CRC-32/ISO-HDLC, the one of Ethernet (IEEE 802.3): polynomial 0x04C11DB7, from the low bit. */
uint32_t frame_crc(const uint8_t *bytes, uint32_t length);

#endif
