/* The one interface between the application and the engine that made the network.
 *
 * The application calls, in this order: engine_start() once; then for each image it writes to
 * engine_input(), calls engine_run() and reads engine_output(). Everything it needs to know about
 * the network it asks engine_describe().
 *
 * Each engine brings its own implementation and an engine_config.h with its sizes. */
#pragma once

#include <stdint.h>

#include "engine_config.h" /* ENGINE_INPUT_BYTES, ..._ELEMENTS, ENGINE_OUTPUT_BYTES, ... */

typedef enum {
    ENGINE_INT8 = 1,
    ENGINE_FLOAT32 = 2,
    ENGINE_UINT8 = 3,
    ENGINE_INT16 = 4,
} engine_type;

typedef enum {
    ENGINE_OK = 0,
    ENGINE_NOT_STARTED = 1,
    ENGINE_FAILED = 2, /* the engine's own runtime reported an error */
} engine_status;

/* A tensor: real value = scale * (stored value - zero_point); scale is 0 for float32. */
typedef struct {
    engine_type type;
    uint32_t elements;
    uint32_t bytes;
    float scale;
    int32_t zero_point;
} engine_tensor;

typedef struct {
    const char *name;     /* as in the .tflite file */
    const char *operator; /* "FULLY_CONNECTED", "SOFTMAX" */
    uint32_t macs;        /* multiply-accumulate operations */
    engine_tensor output;
} engine_layer;

typedef struct {
    const char *engine;   /* which engine made the network */
    const char *network;  /* the file it was made from */
    const char *digest;   /* of that file: kit/provenance.py */
    float input_range[2]; /* what a pixel of 0 and one of 255 are; both 0 where not known */
    engine_tensor input;
    engine_tensor output;         /* the first one */
    const engine_tensor *further; /* outputs behind the first */
    uint32_t further_count;
    uint32_t weights_bytes; /* constants in flash */
    uint32_t arena_bytes;   /* tensors in RAM */
    uint32_t macs;
    uint32_t layer_count;
    const engine_layer *layers;
} engine_description;

/* Called after each layer of a run that goes well; `output` holds that layer's output and is valid
 * during the call only, because the next layers may reuse its memory. */
typedef void (*engine_observer)(uint32_t layer, const void *output);

const engine_description *engine_describe(void);
engine_status engine_start(void);
void *engine_input(void); /* ENGINE_INPUT_BYTES to fill before each run, which overwrites them; NULL
                             when the engine did not start */
engine_status engine_run(engine_observer observer); /* observer may be NULL */
const void *engine_output(uint32_t number); /* 0 is the first, of ENGINE_OUTPUT_BYTES; valid until
                                               the next input is written */

/* What the engine's own runtime said last, in its own numbers: for the st-ai API of X-CUBE-AI its
 * return code, for the legacy API ENGINE_ERROR. 0: no error, or an engine that has no numbers. */
uint32_t engine_error(void);
#define ENGINE_ERROR(type, code) ((uint32_t)(type) << 24 | (uint32_t)(code))
/* The runtime gave no input or output, or an int8 one without a scale. */
#define ENGINE_ERROR_TENSORS ENGINE_ERROR(0xFF, 1)
/* The runtime's input or output is of another type than the network was generated with. */
#define ENGINE_ERROR_TYPES ENGINE_ERROR(0xFF, 2)
