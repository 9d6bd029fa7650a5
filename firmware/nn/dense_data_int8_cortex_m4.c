/* The nn_dense_data_int8() of dense_data_int8.c, bit for bit, with the DSP instructions of the
 * Cortex-M4; the loops are in dense_data_int8_cortex_m4.S. */
#include "dense_cortex_m4.h"
#include "dense_data.h"

#if defined(__ARM_FEATURE_DSP)

/* A list of pairs of inputs that are not both zero, each behind the place of its weights. */
typedef struct {
    uint32_t *next;
    uint32_t zero; /* less the zero point, in both halves */
    int32_t total;
} pair_list;

/* Bytes 1 and 2 change places: then neighbors come together where halfwords are made of bytes. */
static inline uint32_t neighbors(uint32_t bytes)
{
    return (bytes & 0xFF0000FF) | (bytes >> 8 & 0xFF00) | (bytes & 0xFF00) << 8;
}

static inline void append(pair_list *list, uint32_t bytes, uint32_t place)
{
    const uint32_t x01 = nn_add_bytes_0_and_2(list->zero, neighbors(bytes));
    const uint32_t x23 = nn_add_bytes_1_and_3(list->zero, neighbors(bytes));
    list->total = nn_add_inputs(x01, x23, list->total);
    list->next[0] = place;
    list->next[1] = x01;
    list->next += x01 != 0 ? 2 : 0;
    list->next[0] = place + 16;
    list->next[1] = x23;
    list->next += x23 != 0 ? 2 : 0;
}

/* Lists a row of inputs and sets the list as x. 0 where it has no room: about there it would be
 * slower than all inputs. */
NN_DENSE_APART static int list_inputs(nn_dense_work *work, const nn_dense_data_int8_params *p,
                                      const int8_t *input, uint32_t *room)
{
    const uint32_t zeros = 0x01010101U * (uint8_t)p->input_zero_point;
    const uint32_t *last = room + (p->inputs + 3) / 4 * 3 - 4;
    const nn_four_bytes *first = (const nn_four_bytes *)input, *end = first + p->inputs / 4;
    pair_list list = {room, nn_both_halves(-p->input_zero_point), 0};
    for (const nn_four_bytes *at = first; at < end; at++) {
        if (at->word != zeros) {
            if (list.next > last) {
                return 0;
            }
            append(&list, at->word, 32 * (uint32_t)(at - first));
        }
    }
    if (p->inputs % 4 != 0) {
        if (list.next > last) {
            return 0;
        }
        append(&list, nn_four_inputs(p, (const int8_t *)end, p->inputs % 4), p->inputs / 4 * 32);
    }
    work->total = 128 * list.total;
    nn_dense_set_x(work, room, (uint32_t)(list.next - room) / 2, 8, 8);
    return 1;
}

/* All inputs of a row as x. */
NN_DENSE_APART static void widen(nn_dense_work *work, const nn_dense_int8_params *p,
                                 const int8_t *input, uint32_t *wide)
{
    const uint32_t zero = nn_both_halves(-p->input_zero_point);
    int32_t products = 0, total = 0;
    nn_dense_set_x(work, wide, (p->inputs + 3) / 4, 8, 8);
    for (uint32_t i = 0; i < p->inputs; i += 4) {
        const uint32_t bytes = neighbors(nn_four_inputs(p, input + i, p->inputs - i));
        wide[0] = nn_add_bytes_0_and_2(zero, bytes);
        wide[1] = nn_add_bytes_1_and_3(zero, bytes);
        products = nn_add_products(wide[0], wide[1], products);
        total = nn_add_inputs(wide[0], wide[1], total);
        wide += 2;
    }
    work->products = -products;
    work->total = 128 * total;
    work->section = 8 - work->block; /* from the end of rows A to D to row E */
    work->block = 0U - 8;            /* and from the end of E to H to the next block */
}

void nn_dense_data_int8(const nn_dense_data_int8_params *p, const int8_t *input, int8_t *output,
                        void *scratch)
{
    nn_dense_work work;
    for (uint32_t r = 0; r < p->rows; r++) {
        const int8_t *row = input + r * p->inputs;
        nn_dense_prepare(&work, p, output + r * p->outputs);
        work.block = (p->inputs + 3) / 4 * 32;
        if (list_inputs(&work, p, row, scratch)) {
            nn_dense_run_list(&work);
        } else {
            widen(&work, p, row, scratch);
            nn_dense_run_wide8(&work);
        }
    }
}

#endif
