/* The tables of one step of label setting: what each option costs and adds in each state, and whether it is allowed. */

#include "dominance.h"
#include "labels.h"

#include <string.h>

/* Number the distinct combinations of some columns: `numbers` (states,), and a state of each in `representative`.

   Returns how many there are, or -1 if memory runs out. */
static int64_t distinct(int64_t states, int64_t count, int32_t *const *columns, const int64_t *sizes, int32_t *numbers,
                        int32_t *representative)
{
    memset(numbers, 0, (size_t)states * sizeof(int32_t));
    representative[0] = 0;
    int64_t found = states > 0;
    if (count == 0 || states == 0)
        return found;
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)states)
        slots *= 2;
    uint64_t *keys = malloc(slots * sizeof(uint64_t));
    int32_t *which = malloc(slots * sizeof(int32_t));
    if (!keys || !which) {
        free(keys);
        free(which);
        return -1;
    }
    /* one column at a time, since the product of all sizes may not fit 64 bits */
    for (int64_t c = 0; c < count; c++) {
        memset(which, 0xff, slots * sizeof(int32_t));
        found = 0;
        for (int64_t s = 0; s < states; s++) {
            uint64_t key = (uint64_t)numbers[s] * (uint64_t)sizes[c] + (uint64_t)columns[c][s];
            uint64_t slot = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & (slots - 1);
            while (which[slot] >= 0 && keys[slot] != key)
                slot = (slot + 1) & (slots - 1);
            if (which[slot] < 0) {
                which[slot] = (int32_t)found;
                keys[slot] = key;
                representative[found++] = (int32_t)s;
            }
            numbers[s] = which[slot];
        }
    }
    free(keys);
    free(which);
    return found;
}

int tabulate(run *r, int64_t i)
{
    const program *p = &r->p;
    const bucket *b = p->bucket + i;
    int status = NO_MEMORY;
    int64_t n = b->size, k = r->k, entries = 0, room = 0;
    int32_t *representative = malloc((size_t)(r->states + 1) * sizeof(int32_t));
    int32_t **columns = malloc((size_t)(b->axes + 1) * sizeof(int32_t *));
    double *base = malloc((size_t)(n * (k + 1 + k)) * sizeof(double));
    double *affordable = NULL;
    int64_t *offsets = malloc((size_t)(b->parts + 1) * sizeof(int64_t));
    keyed *order = malloc((size_t)n * 2 * sizeof(keyed));
    r->row_of = grown(r->row_of, r->states, sizeof(int32_t));
    if (!representative || !columns || !base || !offsets || !order || !r->row_of)
        goto end;
    double *scratch = base + n * k, *totals = scratch + n;
    for (int64_t a = 0; a < b->axes; a++)
        columns[a] = r->columns[b->separator[a]];
    r->table_rows = distinct(r->states, b->axes, columns, b->lengths, r->row_of, representative);
    if (r->table_rows < 0)
        goto end;
    r->row_start = grown(r->row_start, r->table_rows + 1, sizeof(int64_t));
    affordable = calloc((size_t)r->table_rows, sizeof(double));
    if (!r->row_start || !affordable)
        goto end;
    for (int64_t l = 0; l < r->count; l++) {
        int32_t row = r->row_of[r->state[l]];
        if (r->slack[l * k] > affordable[row])
            affordable[row] = r->slack[l * k];
    }
    bucket_base(p, b, k, r->rows, r->weights, r->messages, scratch, base);
    for (int64_t row = 0; row < r->table_rows; row++) {
        int64_t state = representative[row], entry = 0;
        for (int64_t a = 0; a < b->axes; a++)
            entry = entry * b->lengths[a] + columns[a][state];
        for (int64_t q = 0; q < b->parts; q++) {
            offsets[q] = 0;
            for (int64_t a = 0; a < b->axes; a++)
                offsets[q] += b->part[q].strides[a] * columns[a][state];
        }
        for (int64_t at = 0; at < k; at++) {
            double best = r->messages[b->offset * k + at * b->entries + entry], *total = totals + at * n;
            bucket_row(p, b, k, at, r->rows, r->weights, r->messages, offsets, base, scratch, total);
            for (int64_t j = 0; j < n; j++)
                total[j] = best - total[j];
        }
        int64_t left = 0;
        for (int64_t j = 0; j < n; j++)
            if (totals[j] <= affordable[row]) {
                order[left].key = rising(totals[j]);
                order[left++].index = j;
            }
        sort_keyed(left, order, order + n);
        if (entries + left > room) {
            room = 2 * (entries + left);
            if (room > r->table_rows * n)
                room = r->table_rows * n;
            int64_t entry_bytes = k * (int64_t)sizeof(double) + r->rows * (int64_t)sizeof(int64_t);
            if (r->bytes + room * entry_bytes > r->out->most_bytes) {
                status = LIMIT;
                goto end;
            }
            r->loss = grown(r->loss, room * k, sizeof(double));
            r->added = grown(r->added, room * r->rows, sizeof(int64_t));
            r->option = grown(r->option, room, sizeof(int32_t));
            if (!r->loss || !r->added || !r->option)
                goto end;
        }
        r->row_start[row] = entries;
        for (int64_t o = 0; o < left; o++, entries++) {
            int64_t j = order[o].index;
            r->option[entries] = (int32_t)j;
            for (int64_t at = 0; at < k; at++)
                r->loss[entries * k + at] = totals[at * n + j];
            for (int64_t t = 0; t < r->rows; t++) {
                int64_t sum = 0;
                for (int64_t q = 0; q < b->parts; q++)
                    if (b->part[q].exact)
                        sum += b->part[q].exact[t * b->part[q].row + offsets[q] + j];
                r->added[entries * r->rows + t] = sum;
            }
        }
        if (ask(r, n * k)) {
            status = STOPPED;
            goto end;
        }
    }
    r->row_start[r->table_rows] = entries;
    status = DONE;
end:
    free(representative);
    free(columns);
    free(base);
    free(affordable);
    free(offsets);
    free(order);
    return status;
}

int permit(run *r, int64_t n, const int64_t **peaks)
{
    const int64_t *at = *peaks;
    int64_t count = *at++;
    free(r->allowed);
    r->allowed = NULL;
    if (count > 0) {
        r->allowed = malloc((size_t)(r->states * n));
        if (!r->allowed)
            return NO_MEMORY;
        memset(r->allowed, 1, (size_t)(r->states * n));
    }
    for (; count > 0; count--) {
        int64_t room = at[0], others = at[2];
        const int64_t *own = (const int64_t *)(intptr_t)at[1];
        at += 3;
        for (int64_t s = 0; s < r->states; s++) {
            int64_t before = 0;
            for (int64_t o = 0; o < others; o++)
                before += ((const int64_t *)(intptr_t)at[2 * o + 1])[r->columns[at[2 * o]][s]];
            for (int64_t j = 0; j < n; j++)
                r->allowed[s * n + j] &= before + own[j] <= room;
        }
        at += 2 * others;
    }
    *peaks = at;
    return DONE;
}

int number_states(run *r, int64_t i, const int64_t *last)
{
    int64_t open = 0;
    int32_t **columns = malloc((size_t)(i + 1) * sizeof(int32_t *));
    int64_t *sizes = malloc((size_t)(i + 1) * sizeof(int64_t));
    r->base_of = grown(r->base_of, r->states, sizeof(int32_t));
    r->base_state = grown(r->base_state, r->states, sizeof(int32_t));
    if (columns && sizes && r->base_of && r->base_state) {
        for (int64_t g = 0; g < i; g++)
            if (last[g] > i) {
                columns[open] = r->columns[g];
                sizes[open++] = r->p.bucket[g].size;
            }
        r->bases = distinct(r->states, open, columns, sizes, r->base_of, r->base_state);
    } else
        r->bases = -1;
    free(columns);
    free(sizes);
    return r->bases < 0 ? NO_MEMORY : DONE;
}
