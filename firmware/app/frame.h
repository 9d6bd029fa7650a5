/* Frames on the serial line: COBS, a type, a sequence number, a payload, a CRC-32.
 * firmware/README.md has the page that defines them. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_EXTRA_BYTES 6U /* type, sequence number and CRC, beside the payload */
/* Room for a frame of so many bytes: COBS adds one, and one for each 254. */
#define FRAME_ROOM(bytes) ((bytes) + 1U + (bytes) / 254U)

typedef enum { FRAME_NONE, FRAME_GOOD, FRAME_CORRUPTED, FRAME_TOO_LONG } frame_status;

/* Collects a frame byte by byte, and decodes it in place. */
typedef struct {
    uint8_t *bytes;   /* FRAME_ROOM(longest) */
    uint32_t longest; /* frame that is taken */
    uint32_t length;  /* so far, as it came */
} frame_receiver;

/* What came out with FRAME_GOOD; points into the receiver's buffer until the next byte. */
typedef struct {
    uint8_t type;
    uint8_t sequence;
    const uint8_t *payload;
    uint32_t length;
} frame;

frame_status frame_receive(frame_receiver *receiver, uint8_t byte, frame *received);
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

#endif
