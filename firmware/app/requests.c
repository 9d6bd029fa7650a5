#include "requests.h"

#include "app.h"
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

#define LONGEST_TEXT 48U

static const frame *request; /* the one that is being answered */
static engine_status engine_state;
static uint32_t cycles_of_layer[ENGINE_LAYERS];
static uint32_t damaged_frames;

static void put_text(const char *text)
{
    uint32_t length = 0;
    while (length < LONGEST_TEXT && text[length] != '\0') {
        length++;
    }
    put_u8(length);
    put_bytes(text, length);
}

static void put_tensor(const engine_tensor *tensor)
{
    put_u8(tensor->type);
    put_u32(tensor->elements);
    put_u32(tensor->bytes);
    put_bytes(&tensor->scale, sizeof tensor->scale);
    put_u32((uint32_t)tensor->zero_point);
}

static void begin_reply(void)
{
    frame_begin(request->type | REPLY, request->sequence);
}

/* Observers of a run of the network. */

static void note_cycles(uint32_t layer, const void *output)
{
    (void)output;
    cycles_of_layer[layer] = board_cycles();
    board_cycles_start(); /* for the next layer, from zero */
}

/* Replies while the network stands still: the next layers may reuse the memory of this output. */
static void reply_with_layer(uint32_t layer, const void *output)
{
    if (layer == request->payload[0]) {
        begin_reply();
        put_bytes(output, engine_describe()->layers[layer].output.bytes);
    }
}

/* The payloads of replies. */

static void put_nothing(void)
{
}

static void put_hello(void)
{
    const engine_description *network = engine_describe();
    put_u8(PROTOCOL_VERSION);
    put_text(build_id);
    put_text(board_mcu);
    put_text(network->engine);
    put_text(network->network);
    put_text(network->digest);
    put_bytes(network->input_range, sizeof network->input_range);
    put_u32(board_describe().core_hz);
    put_u32(network->weights_bytes);
    put_u32(network->arena_bytes);
    put_u32(network->macs);
    put_u32(network->layer_count);
    put_tensor(&network->input);
    put_tensor(&network->output);
    put_u8(network->further_count);
    for (uint32_t i = 0; i < network->further_count; i++) {
        put_tensor(&network->further[i]);
    }
}

static void put_layer(void)
{
    const engine_layer *layer = &engine_describe()->layers[request->payload[0]];
    put_text(layer->name);
    put_text(layer->operator);
    put_u32(layer->macs);
    put_tensor(&layer->output);
}

static void put_output(void)
{
    const engine_description *network = engine_describe();
    put_bytes(engine_output(0), ENGINE_OUTPUT_BYTES);
    for (uint32_t i = 0; i < network->further_count; i++) {
        put_bytes(engine_output(i + 1), network->further[i].bytes);
    }
}

static void put_measurement(void)
{
    put_bytes(cycles_of_layer, sizeof cycles_of_layer);
    put_output();
}

static void put_baud(void)
{
    put_u32(board_baud_possible(frame_u32(request->payload)));
}

static void put_status(void)
{
    const board_status board = board_describe();
    put_u32(board.device_id);
    put_u8(board.clock_source);
    put_u32(board.core_hz);
    put_u32(board.apb1_hz);
    put_u8(board.flash_wait_states);
    put_u32(board.baud);
    put_u32(board.stack_reserved);
    put_u32(board.stack_used);
    put_u32(board.overruns);
    put_u32(board.line_errors);
    put_u32(damaged_frames);
    put_u8(board.reset_cause);
    put_u8(board_button());
}

static void put_checksum(void)
{
    uint32_t length;
    const uint8_t *image = board_image(&length);
    put_u32(length);
    put_u32(frame_crc(image, length));
}

typedef struct {
    uint32_t length;                          /* of the request's payload */
    enum { NO_RUN, ON_PIXELS, ON_INPUT } run; /* of the network, on the payload or the end of it */
    engine_observer observer;
    void (*put)(void); /* the payload of the reply; NULL: the observer replies */
} service;

static const service services[] = {
    [REQUEST_HELLO] = {0, NO_RUN, NULL, put_hello},
    [REQUEST_LAYER] = {1, NO_RUN, NULL, put_layer},
    [REQUEST_RECOGNIZE] = {ENGINE_INPUT_ELEMENTS, ON_PIXELS, NULL, put_output},
    [REQUEST_RUN] = {ENGINE_INPUT_BYTES, ON_INPUT, NULL, put_output},
    [REQUEST_MEASURE] = {ENGINE_INPUT_ELEMENTS, ON_PIXELS, note_cycles, put_measurement},
    [REQUEST_WATCH] = {1 + ENGINE_INPUT_BYTES, ON_INPUT, reply_with_layer, NULL},
    [REQUEST_RESET] = {0, NO_RUN, NULL, put_nothing},
    [REQUEST_BAUD] = {4, NO_RUN, NULL, put_baud},
    [REQUEST_STATUS] = {0, NO_RUN, NULL, put_status},
    [REQUEST_CHECKSUM] = {0, NO_RUN, NULL, put_checksum},
};

/* What is wrong with the request itself, a request_error, or 0. */
static uint32_t check(void)
{
    const uint32_t type = request->type;
    if (request->error != 0) {
        damaged_frames++;
        return request->error;
    }
    if (type == 0 || type >= sizeof services / sizeof *services) {
        return ERROR_UNKNOWN_REQUEST;
    }
    if (request->length != services[type].length) {
        return ERROR_WRONG_LENGTH;
    }
    if ((type == REQUEST_LAYER || type == REQUEST_WATCH) && request->payload[0] >= ENGINE_LAYERS) {
        return ERROR_NO_SUCH_LAYER;
    }
    const bool is_baud = type == REQUEST_BAUD;
    return is_baud && !board_baud_possible(frame_u32(request->payload)) ? ERROR_BAUD : 0;
}

static uint32_t run(const service *wanted)
{
    uint8_t *input = engine_input();
    if (input == NULL) {
        return ERROR_ENGINE;
    }
    if (wanted->run == ON_PIXELS && !pixels_to_input(request->payload)) {
        return ERROR_PIXELS;
    }
    for (uint32_t i = 0; wanted->run == ON_INPUT && i < ENGINE_INPUT_BYTES; i++) {
        input[i] = request->payload[request->length - ENGINE_INPUT_BYTES + i];
    }
    board_cycles_start();
    engine_state = engine_run(wanted->observer);
    return engine_state == ENGINE_OK ? 0 : ERROR_ENGINE;
}

/* Puts the reply, or returns what is wrong. */
static uint32_t serve(void)
{
    const uint32_t wrong = check();
    if (wrong != 0) {
        return wrong;
    }
    const service *wanted = &services[request->type];
    const uint32_t failed = wanted->run == NO_RUN ? 0 : run(wanted);
    if (failed == 0 && wanted->put != NULL) {
        begin_reply();
        wanted->put();
    }
    return failed;
}

static void refuse(uint32_t error)
{
    frame_begin(REPLY_ERROR, request->sequence);
    put_u8(request->type);
    put_u8(error);
    put_u8(engine_state);
    put_u32(engine_error());
}

void requests_start(void)
{
    engine_state = engine_start();
    if (engine_state == ENGINE_OK) {
        pixels_start();
    }
}

void requests_answer(const frame *received)
{
    request = received;
    const uint32_t error = serve();
    if (error != 0) {
        refuse(error);
    }
    frame_end();
    if (request->error != 0) {
        board_set_baud(BOARD_BAUD); /* a fast rate may be the reason */
    } else if (error == 0 && request->type == REQUEST_BAUD) {
        board_set_baud(frame_u32(request->payload));
    } else if (error == 0 && request->type == REQUEST_RESET) {
        board_flush();
        board_reset();
    }
}
