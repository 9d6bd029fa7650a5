/* The nn_depthwise_conv_2d_3x3_stride_2_int8() of depthwise_conv_2d_3x3_stride_2_int8.c, bit for
 * bit, with the DSP instructions of the Cortex-M4.
 *
 * Lines run along the longer side of the image; those of the input are taken in pairs: 0 and 1, 2
 * and 3, and so on, or -1 and 0, 1 and 2 where there is padding before them. A line of the output
 * is made of a pair, for two rows of the weights, and the upper line of the next pair.
 *
 * Four channels at a time are widened to 16 bits. A word holds what lies one above the other in a
 * pair, and a block of 16 words four columns of it: the four words of the first channel, then those
 * of the second, and so on. Scratch holds the pairs that `strip` lines of the output take. The last
 * of them is the first one of the next strip, so strips are laid down and up in turn. */
#include "depthwise_conv_2d_3x3_cortex_m4.h"
#include "depthwise_conv_2d_3x3_stride_2.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

typedef nn_depthwise_conv_2d_3x3_stride_2_int8_params params;
typedef uint32_t __attribute__((may_alias)) word;

enum { BLOCK = 16 }; /* words */

/* What nn_depthwise_stride_2_widen() takes: how four channels of a pair of lines become blocks of
 * 16-bit numbers. Distances are in bytes. */
typedef struct {
    uint32_t step; /* from one column of the input to the next */
    uint32_t three_steps;
    uint32_t lower;     /* from the upper line of a pair to the lower one */
    uint32_t unused;    /* the assembly's own */
    uint32_t first;     /* columns before the first whole block */
    uint32_t blocks;    /* from the first column of the whole blocks to what follows them; not 0
                         * where `first` is 0 */
    uint32_t last;      /* columns after them */
    uint32_t to_pair;   /* from the end of a pair to the begin of the one below it, of the blocks */
    uint32_t from_pair; /*   and of the input */
    uint32_t written;   /* from the begin of a pair's blocks to their end, for set_pitch() */
} widening;

/* What the inner loops take: how one channel is filtered. Distances are in bytes, modulo 2^32. */
typedef struct {
    uint32_t left_out;    /* of the four pairs of outputs of the loop, at the begin of a line */
    uint32_t odd;         /* where an output is left behind the pairs of them: `step`, else 0 */
    uint32_t count;       /* of output lines */
    uint32_t outputs;     /* of a line's input, what pairs of outputs take */
    uint32_t to_line;     /* from the end of a line to the next one's begin, of the output */
    uint32_t from_line;   /*   and of the input */
    uint32_t pitch;       /* from a pair of lines of the input to the one below it */
    const word *input;    /* the channel's first word in the first pair of lines */
    uint32_t step;        /* from one output to the next */
    uint32_t weight_step; /* along a line, and from line to line */
    uint32_t weight_pitch;
} filtering;

void nn_depthwise_3x3_stride_2(const filtering *how, const int8_t *weights, const int32_t *channel,
                               int8_t *output);
void nn_depthwise_stride_2_widen(const widening *how, word *to, const int8_t *from,
                                 const int8_t *end);

typedef struct {
    const params *p;
    side along;       /* a line */
    side across;      /* from line to line */
    uint32_t words;   /* of a pair of lines */
    int32_t pitch;    /* from a pair to the one below it: `words`, or minus that */
    uint32_t padding; /* the input's zero point twice */
    uint32_t whole;   /* pairs whose lower line lies in the input */
    uint32_t pairs;   /* that are to be written for four channels */
    widening widening;
    filtering filtering;
} job;

/* A pair of lines that lies outside the input. */
static void pad_pair(const job *j, word *to)
{
    for (uint32_t words = j->words; words > 0; words -= 4) {
        to[0] = j->padding;
        to[1] = j->padding;
        to[2] = j->padding;
        to[3] = j->padding;
        to += 4;
    }
}

/* A column of padding, in each of `pairs`. */
static void pad_column(const job *j, word *to, uint32_t column, uint32_t pairs)
{
    to += column / 4 * BLOCK + column % 4;
    for (; pairs > 0; pairs--) {
        for (uint32_t channel = 0; channel < 4; channel++) {
            to[4 * channel] = j->padding;
        }
        to += j->words;
    }
}

static void pad_upper_line(const job *j, word *to)
{
    int16_t *upper = (int16_t *)to;
    for (uint32_t words = j->words; words > 0; words--) {
        *upper = (int16_t)j->p->input_zero_point;
        upper += 2;
    }
}

/* The pairs of the input's lines from `line` to before `end`. */
static void widen_inside(const job *j, word *to, const int8_t *input, uint32_t line, uint32_t end)
{
    const uint32_t step = j->across.input_step;
    nn_depthwise_stride_2_widen(&j->widening, to + j->along.pad, input + line * step,
                                input + end * step);
}

/* One pair, of a line of the input twice. */
static __attribute__((noinline)) void widen_twice(job *j, word *to, const int8_t *input,
                                                  uint32_t line)
{
    j->widening.lower = 0;
    widen_inside(j, to, input, line, line + 2);
    j->widening.lower = j->across.input_step;
}

/* The pairs of lines from `pair` to before `end`. */
static void widen_pairs(job *j, word *to, const int8_t *input, uint32_t pair, uint32_t end)
{
    const uint32_t pad = j->across.pad;
    if (pair < pad) {
        widen_twice(j, to, input, 0);
        pad_upper_line(j, to);
        to += j->pitch;
        pair++;
    }
    const uint32_t whole = smaller(end, j->whole), below = 2 * whole - pad;
    if (pair < whole) {
        widen_inside(j, to, input, 2 * pair - pad, below);
        to += j->pitch * (int32_t)(whole - pair);
    }
    if (end > whole && below < j->across.input) { /* its lower line takes no part */
        widen_twice(j, to, input, below);
    } else if (end > whole) {
        pad_pair(j, to);
    }
}

/* `count` lines of the output of four channels, `o` the first, but for the first `skipped` of them.
 * `pair` is the first pair of lines. */
static void filter_strip(job *j, uint32_t o, uint32_t skipped, const word *pair, int8_t *output,
                         uint32_t count)
{
    const int8_t *weights = j->p->weights + o, *const end = weights + 4;
    const int32_t *channel = j->p->channels + 4 * (o + skipped);
    j->filtering.count = count;
    j->filtering.input = pair + 4 * skipped;
    output += skipped;
    for (weights += skipped; weights < end; weights++) {
        nn_depthwise_3x3_stride_2(&j->filtering, weights, channel, output++);
        j->filtering.input += 4;
        channel += 4;
    }
}

/* The way from pair to pair: down at first, and turned round after each strip. */
static void set_pitch(job *j, int32_t words)
{
    const uint32_t pitch = 4 * (uint32_t)words; /* bytes, modulo 2^32 */
    j->pitch = words;
    j->widening.to_pair = pitch - j->widening.written;
    j->filtering.pitch = pitch;
    j->filtering.from_line = pitch - 4 * (j->words - BLOCK);
}

static widening widening_of(const job *j)
{
    const side *along = &j->along;
    const uint32_t pixels = smaller(along->input, 2 * along->output + 1 - along->pad);
    const uint32_t before = along->pad || pixels < 4 ? 4 - along->pad : 0;
    const uint32_t first = smaller(before, pixels), more = pixels - first;
    const uint32_t whole = more / 4, first_block = first > 0 ? 4 * first + 48 : 0;
    return (widening){
        .step = along->input_step,
        .three_steps = 3 * along->input_step,
        .lower = j->across.input_step,
        .first = first,
        .blocks = 4 * whole * along->input_step,
        .last = more % 4,
        .from_pair = 2 * j->across.input_step - pixels * along->input_step,
        .written = first_block + 4 * (whole * BLOCK + more % 4),
    };
}

static filtering filtering_of(const job *j)
{
    const side *along = &j->along, *across = &j->across;
    const uint32_t one = along->output == 1; /* made by a pair, the second in the first's place */
    const uint32_t pairs = along->output / 2 + one, odd = along->output % 2 - one;
    const uint32_t step = one ? 0 : along->output_step;
    return (filtering){
        .left_out = -pairs % 4,
        .odd = odd * step,
        .outputs = 4 * pairs * BLOCK,
        .to_line = across->output_step - 2 * pairs * step,
        .step = step,
        .weight_step = along->weight_step,
        .weight_pitch = across->weight_step,
    };
}

static void prepare(job *j, const params *p)
{
    const nn_window *w = &p->window;
    const side height = height_of(w), width = width_of(w);
    const int tall = w->output_height > w->output_width;
    j->p = p;
    j->along = tall ? height : width;
    j->across = tall ? width : height;
    j->words = BLOCK * ((j->along.output + 1) / 2 + 1);
    j->padding = twice(p->input_zero_point);
    j->whole = (j->across.input + j->across.pad) / 2;
    /* A pair of padding below stands where it is needed, if all lines are there at once. */
    const uint32_t below = p->strip < j->across.output;
    j->pairs = below ? j->across.output + 1 : (j->across.input + j->across.pad + 1) / 2;
    j->widening = widening_of(j);
    j->filtering = filtering_of(j);
    set_pitch(j, (int32_t)j->words);
}

/* What `widen_pairs` never writes: padding beside the lines, and below them where they are all
 * there at once. */
static void pad_around(const job *j, word *scratch)
{
    const uint32_t strip = j->p->strip, last = 2 * j->along.output;
    pad_pair(j, scratch + strip * j->words);
    if (j->along.pad) {
        pad_column(j, scratch, 0, strip + 1);
    }
    if (last >= j->along.input + j->along.pad) {
        pad_column(j, scratch, last, strip + 1);
    }
}

/* All lines of the output of four channels, `o` the first; `skipped` of them are there already. */
static void filter_four(job *j, uint32_t o, uint32_t skipped, const int8_t *input, int8_t *output,
                        word *scratch)
{
    const uint32_t lines = j->across.output, strip = j->p->strip;
    uint32_t line = 0, next = 0; /* pair of lines to be widened; what is before it is there */
    word *pair = scratch, *to = scratch;
    do {
        const uint32_t count = smaller(strip, lines - line), end = line + count;
        widen_pairs(j, to, input, next, smaller(end + 1, j->pairs));
        filter_strip(j, o, skipped, pair, output, count);
        if (strip < lines) {
            pair += j->pitch * (int32_t)count;
            set_pitch(j, end < lines ? -j->pitch : (int32_t)j->words);
            to = pair + j->pitch;
            output += j->across.output_step * count;
        }
        line = end;
        next = end + 1;
    } while (line < lines);
}

void nn_depthwise_conv_2d_3x3_stride_2_int8(const params *p, const int8_t *input, int8_t *output,
                                            void *scratch)
{
    const uint32_t channels = p->window.output_channels;
    job j;
    prepare(&j, p);
    pad_around(&j, scratch);
    for (uint32_t o = 0; o < channels; o += 4) {
        const uint32_t first = smaller(o, channels - 4); /* the last ones may be widened twice */
        filter_four(&j, first, o - first, input + first, output + first, scratch);
    }
    nn_clamp_bytes(output, j.along.output * j.across.output * channels, p->minimum, p->maximum);
}

#endif
