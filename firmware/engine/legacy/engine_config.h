/* Sizes in bytes, from what ST's tool generated with its legacy API. */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "network.h"
#include "network_data.h"

#define ENGINE_INPUT_BYTES AI_NETWORK_IN_1_SIZE_BYTES
#define ENGINE_INPUT_ELEMENTS AI_NETWORK_IN_1_SIZE
#define ENGINE_OUTPUT_BYTES AI_NETWORK_OUT_1_SIZE_BYTES
#define ENGINE_LARGEST_LAYER_BYTES ENGINE_OUTPUT_BYTES
#define ENGINE_LAYERS 1 /* the whole network: ST's runtime is not watched between its layers */

#endif
