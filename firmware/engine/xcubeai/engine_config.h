/* Sizes in bytes, from what ST's tool generated with either of its APIs. */
#pragma once

#include "engine_network.h" /* written with the network: its headers, names and types */

#ifdef STAI_NETWORK_IN_1_SIZE
#define ENGINE_INPUT_ELEMENTS STAI_NETWORK_IN_1_SIZE
#define ENGINE_OUTPUT_ELEMENTS STAI_NETWORK_OUT_1_SIZE
#else
#define ENGINE_INPUT_ELEMENTS AI_NETWORK_IN_1_SIZE
#define ENGINE_OUTPUT_ELEMENTS AI_NETWORK_OUT_1_SIZE
#endif

/* From type and elements: ST's own number of bytes may be larger, as some kernels read on. */
#define ENGINE_TENSOR_BYTES(type, elements) ((elements) * ((type) == ENGINE_FLOAT32 ? 4U : 1U))
#define ENGINE_INPUT_BYTES ENGINE_TENSOR_BYTES(NETWORK_INPUT_TYPE, ENGINE_INPUT_ELEMENTS)
#define ENGINE_OUTPUT_BYTES ENGINE_TENSOR_BYTES(NETWORK_OUTPUT_TYPE, ENGINE_OUTPUT_ELEMENTS)
#define ENGINE_LAYERS 1 /* the whole network: ST's runtime is not watched between its layers */
