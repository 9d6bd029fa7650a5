/* Sizes in bytes, from what ST's tool generated with its st-ai API. */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "network.h"

#define ENGINE_INPUT_BYTES STAI_NETWORK_IN_1_SIZE_BYTES
#define ENGINE_INPUT_ELEMENTS STAI_NETWORK_IN_1_SIZE
#define ENGINE_OUTPUT_BYTES STAI_NETWORK_OUT_1_SIZE_BYTES
#define ENGINE_LARGEST_LAYER_BYTES ENGINE_OUTPUT_BYTES
#define ENGINE_LAYERS 1 /* the whole network: ST's runtime is not watched between its layers */

#endif
