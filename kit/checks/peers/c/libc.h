/* What peers use of a C library, which the kit's programs have none of. Functions that are only
 * declared come with the compiler (zig's compiler_rt); what that lacks is here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

float expf(float), logf(float), floorf(float), fmaxf(float, float), fminf(float, float);
double exp(double), log(double), floor(double), fmax(double, double), fmin(double, double);

#define fabsf(x) __builtin_fabsf(x)
#define fabs(x) __builtin_fabs(x)

/* To the nearest integer, to the even one of two: what is added has no room for a fraction. */
static inline double nearbyint(double x) /* |x| < 2^51 */
{
    const double room = 0x1.8p52;
    return x + room - room;
}

static inline float nearbyintf(float x) /* |x| < 2^22 */
{
    const float room = 0x1.8p23f;
    return x + room - room;
}

static inline long long llrint(double x)
{
    return (long long)nearbyint(x);
}

static inline float tanhf(float x)
{
    return 1.0f - 2.0f / (expf(2.0f * x) + 1.0f);
}
