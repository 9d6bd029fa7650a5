#include "requests.h"

#include "board.h"
#include "engine.h"
#include "pixels.h"

#include <stdbool.h>
#include <stddef.h>

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define LONGEST_TEXT 48U
#define DESCRIPTION_BYTES 320U /* a HELLO: five texts and some numbers */
#define MEASURE_BYTES (4U * ENGINE_LAYERS + ENGINE_OUTPUT_BYTES)
#define REPLY_BYTES LARGER(DESCRIPTION_BYTES, LARGER(MEASURE_BYTES, ENGINE_LARGEST_LAYER_BYTES))

static uint8_t reply_buffer[FRAME_HEADER_BYTES + REPLY_BYTES + FRAME_CRC_BYTES];
static uint32_t reply_length;
static uint32_t baud_after_reply; /* 0: as it is */
static uint32_t damaged_frames;
static engine_status engine_state;

static void put_u8(uint32_t value)
{
    reply_buffer[reply_length++] = (uint8_t)value;
}

static void put_u32(uint32_t value)
{
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        put_u8(value >> shift);
    }
}

static void put_bytes(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count; i++) {
        put_u8(from[i]);
    }
}

static void put_float(float value)
{
    put_bytes(&value, sizeof value); /* IEEE 754, little-endian as the core */
}

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
    put_float(tensor->scale);
    put_u32((uint32_t)tensor->zero_point);
}

static void begin(uint32_t type, uint8_t sequence)
{
    reply_length = 0;
    put_u8(type);
    put_u8(sequence);
}

static void fail(const frame *request, request_error error)
{
    begin(REPLY_ERROR, request->sequence);
    put_u8(request->type);
    put_u8(error);
    put_u8(engine_state);
    put_u32(engine_error());
}

static void hello(void)
{
    const engine_description *network = engine_describe();
    put_u8(PROTOCOL_VERSION);
    put_text(build_id);
    put_text(board_mcu);
    put_text(network->engine);
    put_text(network->network);
    put_text(network->digest);
    put_float(network->input_range[0]);
    put_float(network->input_range[1]);
    put_u32(board_describe().core_hz);
    put_u32(network->weights_bytes);
    put_u32(network->arena_bytes);
    put_u32(network->macs);
    put_u32(network->layer_count);
    put_tensor(&network->input);
    put_tensor(&network->output);
}

static void describe_layer(const frame *request)
{
    const uint32_t number = request->payload[0];
    const engine_description *network = engine_describe();
    if (number >= network->layer_count) {
        fail(request, ERROR_NO_SUCH_LAYER);
        return;
    }
    const engine_layer *layer = &network->layers[number];
    put_text(layer->name);
    put_text(layer->operator);
    put_u32(layer->macs);
    put_tensor(&layer->output);
}

static void run(const frame *request, engine_observer observer, void *context)
{
    engine_state = engine_run(observer, context);
    if (engine_state != ENGINE_OK) {
        fail(request, ERROR_ENGINE);
    }
}

static void run_and_put_output(const frame *request)
{
    run(request, NULL, NULL);
    if (engine_state == ENGINE_OK) {
        put_bytes(engine_output(), ENGINE_OUTPUT_BYTES);
    }
}

static void put_cycles_of_layer(void *context, uint32_t layer, const void *output)
{
    (void)context;
    (void)layer;
    (void)output;
    put_u32(board_cycles());
    board_cycles_start(); /* for the next layer, from zero */
}

static void measure(const frame *request)
{
    board_cycles_start();
    run(request, put_cycles_of_layer, NULL);
    board_cycles_stop();
    if (engine_state == ENGINE_OK) {
        put_bytes(engine_output(), ENGINE_OUTPUT_BYTES);
    }
}

static void put_output_of_layer(void *context, uint32_t layer, const void *output)
{
    if (layer == *(const uint8_t *)context) {
        put_bytes(output, engine_describe()->layers[layer].output.bytes);
    }
}

static void copy_input(const uint8_t *bytes)
{
    uint8_t *input = engine_input();
    for (uint32_t i = 0; i < ENGINE_INPUT_BYTES; i++) {
        input[i] = bytes[i];
    }
}

static void watch(const frame *request)
{
    uint8_t layer = request->payload[0];
    if (layer >= ENGINE_LAYERS) {
        fail(request, ERROR_NO_SUCH_LAYER);
        return;
    }
    copy_input(request->payload + 1);
    run(request, put_output_of_layer, &layer);
}

static void change_baud(const frame *request)
{
    const uint32_t wanted = frame_u32(request->payload);
    const uint32_t actual = board_baud_possible(wanted);
    if (actual == 0) {
        fail(request, ERROR_BAUD);
        return;
    }
    put_u32(actual);
    baud_after_reply = wanted;
}

static void report_status(void)
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

static void checksum(void)
{
    uint32_t length;
    const uint8_t *image = board_image(&length);
    put_u32(length);
    put_u32(frame_crc(image, length));
}

static uint32_t expected_length(uint8_t type)
{
    switch (type) {
    case REQUEST_LAYER:
        return 1;
    case REQUEST_RECOGNIZE:
    case REQUEST_MEASURE:
        return ENGINE_INPUT_ELEMENTS;
    case REQUEST_RUN:
        return ENGINE_INPUT_BYTES;
    case REQUEST_WATCH:
        return 1 + ENGINE_INPUT_BYTES;
    case REQUEST_BAUD:
        return 4;
    default:
        return 0;
    }
}

static void answer(const frame *request)
{
    begin(request->type | REPLY, request->sequence);
    switch (request->type) {
    case REQUEST_HELLO:
        hello();
        break;
    case REQUEST_LAYER:
        describe_layer(request);
        break;
    case REQUEST_RECOGNIZE:
        pixels_to_input(request->payload, request->length, engine_input());
        run_and_put_output(request);
        break;
    case REQUEST_RUN:
        copy_input(request->payload);
        run_and_put_output(request);
        break;
    case REQUEST_MEASURE:
        pixels_to_input(request->payload, request->length, engine_input());
        measure(request);
        break;
    case REQUEST_WATCH:
        watch(request);
        break;
    case REQUEST_BAUD:
        change_baud(request);
        break;
    case REQUEST_STATUS:
        report_status();
        break;
    case REQUEST_CHECKSUM:
        checksum();
        break;
    default: /* REQUEST_RESET: the reply has no payload */
        break;
    }
}

void requests_start(void)
{
    engine_state = engine_start();
    if (engine_state == ENGINE_OK) {
        pixels_start(engine_describe());
    }
}

uint8_t requests_last_sequence(void)
{
    return reply_buffer[1];
}

/* What could not be read: at a fast rate the line may be the reason, so the safe one comes back. */
static void answer_unreadable(frame_status status)
{
    const frame unreadable = {0};
    damaged_frames++;
    baud_after_reply = BOARD_BAUD;
    fail(&unreadable, status == FRAME_TOO_LONG ? ERROR_TOO_LONG : ERROR_CORRUPTED);
}

static bool runs(uint8_t type)
{
    return type >= REQUEST_RECOGNIZE && type <= REQUEST_WATCH;
}

static bool takes_pixels(uint8_t type)
{
    return type == REQUEST_RECOGNIZE || type == REQUEST_MEASURE;
}

static void answer_frame(const frame *request)
{
    if (request->type < REQUEST_HELLO || request->type > REQUEST_CHECKSUM) {
        fail(request, ERROR_UNKNOWN_REQUEST);
    } else if (request->length != expected_length(request->type)) {
        fail(request, ERROR_WRONG_LENGTH);
    } else if (runs(request->type) && engine_input() == NULL) {
        fail(request, ERROR_ENGINE);
    } else if (takes_pixels(request->type) && !pixels_are_understood(engine_describe())) {
        fail(request, ERROR_PIXELS);
    } else {
        answer(request);
    }
}

static void act_after_reply(void)
{
    if (baud_after_reply != 0) {
        board_set_baud(baud_after_reply);
    }
    if (reply_buffer[0] == (REQUEST_RESET | REPLY)) {
        board_flush();
        board_reset();
    }
}

void requests_answer(frame_status status, const frame *request)
{
    baud_after_reply = 0;
    if (status == FRAME_GOOD) {
        answer_frame(request);
    } else {
        answer_unreadable(status);
    }
    frame_send(reply_buffer, reply_length);
    act_after_reply();
}
