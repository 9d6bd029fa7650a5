/* What a host can ask, and the answers. firmware/README.md has the page that defines them. */
#pragma once

#include "frame.h"

#define PROTOCOL_VERSION 4U

typedef enum {
    REQUEST_HELLO = 1,     /* -> who is there: firmware, engine, network, tensors */
    REQUEST_LAYER = 2,     /* number -> that layer's name, operator, MACs and output tensor */
    REQUEST_RECOGNIZE = 3, /* pixels -> output */
    REQUEST_RUN = 4,       /* input as the network takes it -> output */
    REQUEST_MEASURE = 5,   /* pixels -> cycles of each layer, output */
    REQUEST_WATCH = 6,     /* layer number, input -> that layer's output */
    REQUEST_RESET = 7,     /* -> nothing, then the chip restarts */
    REQUEST_BAUD = 8,      /* rate wanted -> rate that it will be; then the chip changes to it */
    REQUEST_STATUS = 9,    /* -> clocks, stack, and what went wrong on the line */
    REQUEST_CHECKSUM = 10, /* -> bytes and CRC-32 of the program in flash */
} request_type;

#define REPLY 0x80U       /* set in the type of a reply */
#define REPLY_FAULT 0xFEU /* the program crashed; sent by itself, and to each frame after it */
#define REPLY_ERROR 0xFFU /* payload: request's type, error, engine's status, engine_error() */

typedef enum {
    ERROR_CORRUPTED = 1,
    ERROR_TOO_LONG = 2,
    ERROR_UNKNOWN_REQUEST = 3,
    ERROR_WRONG_LENGTH = 4,
    ERROR_NO_SUCH_LAYER = 5,
    ERROR_ENGINE = 6,
    ERROR_BAUD = 7,   /* the clock cannot make that rate */
    ERROR_PIXELS = 8, /* what a pixel is to the network is not known; RUN works */
} request_error;

#define BUILD_ID_LENGTH 16U
extern const char build_id[BUILD_ID_LENGTH + 1]; /* a digest of all that was compiled: main.c */

void requests_start(void);
void requests_answer(const frame *request); /* also one that could not be read */
