/* The nn_depthwise_conv_2d_3x3_int8() of depthwise_conv_2d_3x3_int8.c, bit for bit, with the DSP
 * instructions of the Cortex-M4.
 *
 * Four channels at a time are widened to 16 bits, each into a plane of its own with a border of
 * padding. In a plane the inner loop walks along three lines of the input and makes two outputs of
 * their neighbor; the nine weights stay in registers. Lines run along the longer side of the
 * image, or else where the stride is 1. A plane has as many lines as `strip` lines of the output
 * take. */
#include "depthwise_conv_2d_3x3.h"
#include "depthwise_conv_2d_3x3_cortex_m4.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

typedef nn_depthwise_conv_2d_3x3_int8_params params;
typedef uint32_t __attribute__((may_alias)) word;

/* What nn_depthwise_widen() takes: how four channels of a line become 16-bit numbers. */
typedef struct {
    uint32_t plane;     /* bytes from one channel's numbers to the next's */
    uint32_t step;      /* bytes from one pixel to the next */
    uint32_t first;     /* 1 for a pixel by itself, so that what follows are words */
    uint32_t fours;     /* of pixels, then */
    uint32_t two;       /* 1 for two more, and */
    uint32_t last;      /*   1 for one more */
    uint32_t to_line;   /* bytes from the end of a line to the next, of the planes */
    uint32_t from_line; /*   and of the input */
} widening;

/* What the inner loops take: how lines of one channel are filtered. Distances are in bytes. */
typedef struct {
    const int16_t *input; /* the channel's plane */
    uint32_t step;        /* from one output to the next */
    uint32_t to_line;     /* from the end of a line to the next one's begin, of the output */
    uint32_t from_line;   /*   and of the input */
    uint32_t pairs;       /* of a line's input, what pairs of outputs take */
    uint32_t pitch;       /* from one line of the plane to the next */
    uint32_t odd;         /* where an output is left behind the pairs: `step`, else 0 */
    uint32_t end_line;    /* from the end of a line's input to the next one's end of pairs */
    uint32_t count;       /* of output lines */
    uint32_t weight_step; /* along a line, and from line to line */
    uint32_t weight_pitch;
} filtering;

typedef void inner_loop(const filtering *how, const int8_t *weights, const int32_t *channel,
                        int8_t *output);
inner_loop nn_depthwise_3x3, nn_depthwise_3x3_up;
void nn_depthwise_widen(const widening *how, int16_t *to, const int8_t *from, uint32_t count);

typedef struct {
    const params *p;
    side along;        /* a line */
    side across;       /* from line to line */
    uint32_t elements; /* of a line of a plane */
    uint32_t plane;    /* elements of a plane */
    int16_t *planes;
    widening widening;
    filtering filtering;
} job;

static void fill(int16_t *to, uint32_t count, int32_t value)
{
    word *words = (word *)to;
    const uint32_t two = twice(value);
    for (; count > 0; count -= 2) {
        *words++ = two;
    }
}

/* Lines of a plane that lie outside the input, in all four planes. */
static void pad_lines(const job *j, uint32_t first, uint32_t count)
{
    for (uint32_t k = 0; k < 4; k++) {
        fill(j->planes + k * j->plane + first * j->elements, count * j->elements,
             j->p->input_zero_point);
    }
}

/* The lines of the input that `count` lines of the output take, from `first` on. Padding beside
 * them stands there already, and all padding where there is one strip only. */
static void widen_strip(const job *j, const int8_t *input, uint32_t first, uint32_t count)
{
    const side *across = &j->across;
    const uint32_t taken = (count - 1) * across->stride + 3, begin = first * across->stride;
    const uint32_t above = begin < across->pad ? across->pad - begin : 0;
    const uint32_t line = begin + above - across->pad;
    const uint32_t inside = smaller(taken - above, across->input - line);
    if (count < across->output) {
        pad_lines(j, 0, above);
        pad_lines(j, above + inside, taken - above - inside);
    }
    nn_depthwise_widen(&j->widening, j->planes + above * j->elements + j->along.pad,
                       input + line * across->input_step, inside);
}

/* Lines of the output of four channels, or of the last of them from `o` on. */
static void filter_strip(job *j, uint32_t o, uint32_t end, int8_t *output, uint32_t count)
{
    j->filtering.count = count;
    j->filtering.input = j->planes + (4 - (end - o)) * j->plane;
    for (; o < end; o++) {
        const int32_t *channel = j->p->channels + 4 * o;
        const int both = channel[3] & 0x100; /* sides of zero */
        (both ? nn_depthwise_3x3 : nn_depthwise_3x3_up)(&j->filtering, j->p->weights + o, channel,
                                                        output + o);
        j->filtering.input += j->plane;
    }
}

static widening widening_of(const job *j)
{
    const side *along = &j->along;
    const uint32_t pixels = smaller(along->input, j->elements - along->pad);
    const uint32_t first = along->pad % 2, more = pixels - first;
    return (widening){
        .plane = 2 * j->plane,
        .step = along->input_step,
        .first = first,
        .fours = more / 4,
        .two = more / 2 % 2,
        .last = more % 2,
        .to_line = 2 * (j->elements - pixels),
        .from_line = j->across.input_step - pixels * along->input_step,
    };
}

static filtering filtering_of(const job *j)
{
    const side *along = &j->along, *across = &j->across;
    const uint32_t one = along->output == 1; /* made by a pair, the second in the first's place */
    const uint32_t pairs = along->output / 2 + one, odd = along->output % 2 - one;
    const uint32_t next = 2 * j->elements * across->stride;
    const uint32_t step = one ? 0 : along->output_step;
    return (filtering){
        .step = step,
        .to_line = across->output_step - 2 * pairs * step,
        .from_line = next - 4 * (pairs + odd),
        .pairs = 4 * pairs,
        .pitch = 2 * j->elements,
        .odd = odd * step,
        .end_line = next - 4 * odd,
        .weight_step = along->weight_step,
        .weight_pitch = across->weight_step,
    };
}

static void prepare(job *j, const params *p, int16_t *scratch)
{
    const nn_window *w = &p->window;
    const side height = height_of(w), width = width_of(w);
    const int tall =
        w->stride_width == 2 || (w->stride_height == 1 && w->output_height > w->output_width);
    j->p = p;
    j->along = tall ? height : width;
    j->across = tall ? width : height;
    j->elements = 2 * ((j->along.output + 1) / 2) + 2;
    j->plane = j->elements * ((p->strip - 1) * j->across.stride + 3);
    j->planes = scratch;
    j->widening = widening_of(j);
    j->filtering = filtering_of(j);
}

void nn_depthwise_conv_2d_3x3_int8(const params *p, const int8_t *input, int8_t *output,
                                   void *scratch)
{
    const uint32_t channels = p->window.output_channels;
    job j;
    prepare(&j, p, scratch);
    fill(j.planes, 4 * j.plane, p->input_zero_point);
    for (uint32_t o = 0; o < channels; o += 4) {
        const uint32_t end = smaller(o + 4, channels); /* the last may be widened twice */
        for (uint32_t line = 0; line < j.across.output; line += p->strip) {
            const uint32_t count = smaller(p->strip, j.across.output - line);
            widen_strip(&j, input + end - 4, line, count);
            filter_strip(&j, o, end, output + line * j.across.output_step, count);
        }
    }
    nn_clamp_bytes(output, j.along.output * j.across.output * channels, p->minimum, p->maximum);
}

#endif
