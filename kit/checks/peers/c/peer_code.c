/* A peer's code is compiled apart from the adapter, with the options of the kernels. */
#include "peer_code.h"
