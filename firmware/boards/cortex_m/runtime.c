/* The functions a C compiler may call on its own, so that no C library is needed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    const bool forwards = (uintptr_t)t <= (uintptr_t)f;
    for (size_t i = 0; i < count; i++) {
        const size_t at = forwards ? i : count - 1 - i;
        t[at] = f[at];
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    return memmove(to, from, count);
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *t = to;
    while (count-- > 0) {
        *t++ = (uint8_t)value;
    }
    return to;
}
