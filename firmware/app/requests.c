#include "requests.h"

#include "app.h"
#include "board.h"
#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

#define LONGEST_TEXT 48U

static engine_status engine_state;
static uint32_t cycles_of_layer[ENGINE_LAYERS], layers_measured;
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
    put_bytes(&tensor->scale, sizeof tensor->scale); /* IEEE 754, little-endian as the core */
    put_u32((uint32_t)tensor->zero_point);
}

/* The services. Each begins its reply when nothing can fail any more, and returns 0; or it begins
 * none and returns what is wrong, a request_error. */

static void begin_reply(const frame *request)
{
    frame_begin(request->type | REPLY, request->sequence);
}

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

static uint32_t run(engine_observer observer, void *context)
{
    engine_state = engine_run(observer, context);
    return engine_state == ENGINE_OK ? 0 : ERROR_ENGINE;
}

static uint32_t run_and_put_output(const frame *request)
{
    if (run(NULL, NULL) != 0) {
        return ERROR_ENGINE;
    }
    begin_reply(request);
    put_bytes(engine_output(), ENGINE_OUTPUT_BYTES);
    return 0;
}

static void note_cycles(void *context, uint32_t layer, const void *output)
{
    (void)context;
    (void)layer;
    (void)output;
    const uint32_t cycles = board_cycles();
    cycles_of_layer[layers_measured++] = cycles;
    board_cycles_start(); /* for the next layer, from zero */
}

static uint32_t measure(const frame *request)
{
    layers_measured = 0;
    board_cycles_start();
    const uint32_t error = run(note_cycles, NULL);
    board_cycles_stop();
    if (error != 0) {
        return error;
    }
    begin_reply(request);
    for (uint32_t layer = 0; layer < ENGINE_LAYERS; layer++) {
        put_u32(cycles_of_layer[layer]);
    }
    put_bytes(engine_output(), ENGINE_OUTPUT_BYTES);
    return 0;
}

/* Sent while the network stands still: the next layers may reuse the memory of this output. */
static void put_output(void *context, uint32_t layer, const void *output)
{
    const frame *request = context;
    if (layer == request->payload[0]) {
        begin_reply(request);
        put_bytes(output, engine_describe()->layers[layer].output.bytes);
    }
}

static uint32_t watch(const frame *request)
{
    frame watched = *request;
    if (request->payload[0] >= ENGINE_LAYERS) {
        return ERROR_NO_SUCH_LAYER;
    }
    return run(put_output, &watched);
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

static const struct {
    uint32_t length;   /* of the payload */
    bool runs_network; /* its input is the payload, or the end of it */
    bool takes_pixels; /* instead, one byte for each */
    uint32_t (*answer)(const frame *request);
} services[] = {
    [REQUEST_HELLO] = {0, false, false, hello},
    [REQUEST_LAYER] = {1, false, false, describe_layer},
    [REQUEST_RECOGNIZE] = {ENGINE_INPUT_ELEMENTS, true, true, run_and_put_output},
    [REQUEST_RUN] = {ENGINE_INPUT_BYTES, true, false, run_and_put_output},
    [REQUEST_MEASURE] = {ENGINE_INPUT_ELEMENTS, true, true, measure},
    [REQUEST_WATCH] = {1 + ENGINE_INPUT_BYTES, true, false, watch},
    [REQUEST_RESET] = {0, false, false, reset},
    [REQUEST_BAUD] = {4, false, false, change_baud},
    [REQUEST_STATUS] = {0, false, false, report_status},
    [REQUEST_CHECKSUM] = {0, false, false, checksum},
};

static void take_input(const frame *request)
{
    const uint8_t *bytes = request->payload + request->length - ENGINE_INPUT_BYTES;
    uint8_t *input = engine_input();
    for (uint32_t i = 0; i < ENGINE_INPUT_BYTES; i++) {
        input[i] = bytes[i];
    }
}

/* Answers a request, or returns what is wrong with it. */
static uint32_t serve(const frame *request)
{
    const uint32_t type = request->type;
    if (type >= sizeof services / sizeof *services || services[type].answer == NULL) {
        return ERROR_UNKNOWN_REQUEST;
    }
    if (request->length != services[type].length) {
        return ERROR_WRONG_LENGTH;
    }
    if (services[type].runs_network && engine_input() == NULL) {
        return ERROR_ENGINE;
    }
    if (services[type].takes_pixels && !pixels_are_understood()) {
        return ERROR_PIXELS;
    }
    if (services[type].takes_pixels) {
        pixels_to_input(request->payload);
    } else if (services[type].runs_network) {
        take_input(request);
    }
    return services[type].answer(request);
}

static void fail(const frame *request, uint32_t error)
{
    frame_begin(REPLY_ERROR, request->sequence);
    put_u8(request->type);
    put_u8(error);
    put_u8(engine_state);
    put_u32(engine_error());
}

/* What could not be read: at a fast rate the line may be the reason, so the safe one comes back. */
static void fail_unreadable(frame_status status)
{
    const frame unreadable = {0};
    damaged_frames++;
    baud_after_reply = BOARD_BAUD;
    fail(&unreadable, status == FRAME_TOO_LONG ? ERROR_TOO_LONG : ERROR_CORRUPTED);
}

void requests_start(void)
{
    engine_state = engine_start();
    if (engine_state == ENGINE_OK) {
        pixels_start();
    }
}

void requests_answer(frame_status status, const frame *request)
{
    baud_after_reply = 0;
    if (status != FRAME_GOOD) {
        fail_unreadable(status);
    } else {
        const uint32_t error = serve(request);
        if (error != 0) {
            fail(request, error);
        }
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
