/* Frames on the serial line: COBS, a type, a sequence number, a payload, a CRC-32.
 * firmware/README.md has the page that defines them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FRAME_EXTRA_BYTES 6U /* type, sequence number and CRC, beside the payload */

/* Decodes a frame byte by byte. */
typedef struct {
    uint8_t *bytes;   /* of the frame, as far as they fit */
    uint32_t longest; /* for so many there is room */
    uint32_t length;
    uint32_t block_left; /* bytes that the COBS block still has */
    uint8_t code;        /* of that block; 0: there was none */
} frame_receiver;

typedef struct {
    uint32_t error; /* 0; or ERROR_CORRUPTED or ERROR_TOO_LONG, and all the rest is 0 */
    uint8_t type;
    uint8_t sequence;
    const uint8_t *payload; /* in the receiver's buffer, until the next byte */
    uint32_t length;
} frame;

/* True when the byte ends a frame, good or not; an empty one does not count. */
bool frame_receive(frame_receiver *receiver, uint8_t byte, frame *received);
uint32_t frame_u32(const uint8_t *bytes); /* four bytes of a payload, low byte first */

/* Sends a frame piece by piece, of any length. */
void frame_begin(uint32_t type, uint8_t sequence);
void put_u8(uint32_t value);
void put_u32(uint32_t value);
void put_bytes(const void *bytes, uint32_t count);
void frame_end(void);
uint8_t frame_last_sequence(void); /* of the frame that was begun last */

/* CRC-32/ISO-HDLC, the one of Ethernet (IEEE 802.3): polynomial 0x04C11DB7, from the low bit. */
uint32_t frame_crc(const uint8_t *bytes, uint32_t length);
