#include "requests.h"

#include "app.h"
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

#define LONGEST_TEXT 48U

static engine_status engine_state;
static uint32_t cycles_of_layer[ENGINE_LAYERS];
static uint32_t baud_after_reply; /* 0: as it is */
static bool reset_after_reply;
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

static void begin_reply(const frame *request)
{
    frame_begin(request->type | REPLY, request->sequence);
}

/* Observers of a run of the network; `context` is the request. */

static void note_cycles(void *context, uint32_t layer, const void *output)
{
    (void)context;
    (void)output;
    cycles_of_layer[layer] = board_cycles();
    board_cycles_start(); /* for the next layer, from zero */
}

/* Sends while the network stands still: the next layers may reuse the memory of this output. */
static void put_watched(void *context, uint32_t layer, const void *output)
{
    const frame *request = context;
    if (layer == request->payload[0]) {
        begin_reply(request);
        put_bytes(output, engine_describe()->layers[layer].output.bytes);
    }
}

/* The services. Each begins its reply when nothing can fail any more, and returns 0; or it begins
 * none and returns what is wrong, a request_error. */

static uint32_t hello(const frame *request)
{
    const engine_description *network = engine_describe();
    begin_reply(request);
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
    return 0;
}

static uint32_t describe_layer(const frame *request)
{
    const uint32_t number = request->payload[0];
    if (number >= ENGINE_LAYERS) {
        return ERROR_NO_SUCH_LAYER;
    }
    const engine_layer *layer = &engine_describe()->layers[number];
    begin_reply(request);
    put_text(layer->name);
    put_text(layer->operator);
    put_u32(layer->macs);
    put_tensor(&layer->output);
    return 0;
}

static uint32_t give_output(const frame *request)
{
    begin_reply(request);
    if (request->type == REQUEST_MEASURE) {
        put_bytes(cycles_of_layer, sizeof cycles_of_layer);
    }
    put_bytes(engine_output(), ENGINE_OUTPUT_BYTES);
    return 0;
}

/* The reply is that of put_watched(), if there is such a layer. */
static uint32_t watch(const frame *request)
{
    return request->payload[0] < ENGINE_LAYERS ? 0 : ERROR_NO_SUCH_LAYER;
}

static uint32_t reset(const frame *request)
{
    begin_reply(request);
    reset_after_reply = true;
    return 0;
}

static uint32_t change_baud(const frame *request)
{
    const uint32_t wanted = frame_u32(request->payload);
    const uint32_t actual = board_baud_possible(wanted);
    if (actual == 0) {
        return ERROR_BAUD;
    }
    begin_reply(request);
    put_u32(actual);
    baud_after_reply = wanted;
    return 0;
}

static uint32_t report_status(const frame *request)
{
    const board_status board = board_describe();
    begin_reply(request);
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
    return 0;
}

static uint32_t checksum(const frame *request)
{
    uint32_t length;
    const uint8_t *image = board_image(&length);
    begin_reply(request);
    put_u32(length);
    put_u32(frame_crc(image, length));
    return 0;
}

/* A request, and what is done for it: the network runs, if it wants that, and then it is answered.
 * The input of the run is the payload, or the end of it. */
typedef struct {
    uint32_t length; /* of the payload */
    enum { NO_RUN, ON_PIXELS, ON_INPUT } run;
    engine_observer observer;
    uint32_t (*answer)(const frame *request);
} service;

static const service services[] = {
    [REQUEST_HELLO] = {0, NO_RUN, NULL, hello},
    [REQUEST_LAYER] = {1, NO_RUN, NULL, describe_layer},
    [REQUEST_RECOGNIZE] = {ENGINE_INPUT_ELEMENTS, ON_PIXELS, NULL, give_output},
    [REQUEST_RUN] = {ENGINE_INPUT_BYTES, ON_INPUT, NULL, give_output},
    [REQUEST_MEASURE] = {ENGINE_INPUT_ELEMENTS, ON_PIXELS, note_cycles, give_output},
    [REQUEST_WATCH] = {1 + ENGINE_INPUT_BYTES, ON_INPUT, put_watched, watch},
    [REQUEST_RESET] = {0, NO_RUN, NULL, reset},
    [REQUEST_BAUD] = {4, NO_RUN, NULL, change_baud},
    [REQUEST_STATUS] = {0, NO_RUN, NULL, report_status},
    [REQUEST_CHECKSUM] = {0, NO_RUN, NULL, checksum},
};

static uint32_t run(const service *wanted, const frame *request)
{
    frame observed = *request;
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
    engine_state = engine_run(wanted->observer, &observed);
    board_cycles_stop();
    return engine_state == ENGINE_OK ? 0 : ERROR_ENGINE;
}

/* Answers a request, or returns what is wrong with it. */
static uint32_t serve(const frame *request)
{
    const uint32_t type = request->type;
    if (type >= sizeof services / sizeof *services || services[type].answer == NULL) {
        return ERROR_UNKNOWN_REQUEST;
    }
    const service *wanted = &services[type];
    if (request->length != wanted->length) {
        return ERROR_WRONG_LENGTH;
    }
    const uint32_t error = wanted->run == NO_RUN ? 0 : run(wanted, request);
    return error != 0 ? error : wanted->answer(request);
}

static void refuse(const frame *request, uint32_t error)
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

void requests_answer(const frame *request)
{
    const bool damaged = request->error != 0;
    damaged_frames += damaged;
    baud_after_reply = damaged ? BOARD_BAUD : 0; /* a fast rate may be the reason */
    const uint32_t error = damaged ? request->error : serve(request);
    if (error != 0) {
        refuse(request, error);
    }
    frame_end();
    if (baud_after_reply != 0) {
        board_set_baud(baud_after_reply);
    }
    if (reset_after_reply) {
        board_flush();
        board_reset();
    }
}
