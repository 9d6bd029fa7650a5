/* Without warnings: it is not ours. */
#pragma GCC system_header

#include "peer.c"
