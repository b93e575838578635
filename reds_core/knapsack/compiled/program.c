/* Reading a program, and the rows of its tables. See program.h. */

#include "program.h"

#include <stdlib.h>
#include <string.h>

int program_read(program *p, int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses,
                 const int64_t *exact)
{
    int64_t parts = 0, axes = 0, strides = 0, at = 0;
    p->count = count;
    for (int64_t i = 0; i < count; i++) {
        int64_t inside = code[at], own = 0;
        at += 1 + inside;
        own = code[at++];
        for (int64_t t = own; t > 0; t--)
            at += 3 + code[at + 2];
        own += code[at];
        at += 1 + code[at];
        parts += own;
        axes += inside;
        strides += own * inside;
    }
    size_t buckets_size = (size_t)count * sizeof(bucket), parts_size = (size_t)parts * sizeof(part);
    char *memory = malloc(buckets_size + parts_size + (size_t)(2 * axes + strides + 1) * sizeof(int64_t));
    p->memory = memory;
    if (!memory)
        return NO_MEMORY;
    p->bucket = (bucket *)memory;
    part *free_part = (part *)(memory + buckets_size);
    int64_t *numbers = (int64_t *)(memory + buckets_size + parts_size);
    p->widest = p->options = p->messages = p->most_parts = p->most_axes = 0;
    at = 0;
    for (int64_t i = 0; i < count; i++) {
        bucket *b = p->bucket + i;
        b->axes = code[at++];
        b->size = sizes[i];
        b->separator = numbers;
        b->lengths = numbers + b->axes;
        numbers += 2 * b->axes;
        b->entries = 1;
        for (int64_t a = 0; a < b->axes; a++) {
            b->separator[a] = code[at++];
            b->lengths[a] = sizes[b->separator[a]];
            b->entries *= b->lengths[a];
        }
        b->offset = p->messages;
        b->first = p->options;
        p->messages += b->entries;
        p->options += b->size;
        b->part = free_part;
        int64_t terms = code[at++];
        for (int64_t t = 0; t < terms; t++) {
            part *q = free_part++;
            int64_t index = code[at++];
            q->table = (const double *)(intptr_t)addresses[index];
            q->exact = exact ? (const int64_t *)(intptr_t)exact[index] : NULL;
            q->weighted = code[at++];
            q->child = -1;
            q->strides = numbers;
            numbers += b->axes;
            memset(q->strides, 0, (size_t)b->axes * sizeof(int64_t));
            int64_t groups = code[at++];
            q->row = b->size;
            q->constant = groups == 1;
            for (int64_t a = groups - 2; a >= 0; a--) {
                q->strides[code[at + a]] = q->row;
                q->row *= b->lengths[code[at + a]];
            }
            at += groups;
        }
        int64_t children = code[at++];
        for (int64_t c = 0; c < children; c++) {
            part *q = free_part++;
            q->table = NULL;
            q->exact = NULL;
            q->weighted = 0;
            q->row = 0;
            q->child = code[at++];
            q->strides = numbers;
            numbers += b->axes;
        }
        b->parts = terms + children;
        if (b->size > p->widest)
            p->widest = b->size;
        if (b->parts > p->most_parts)
            p->most_parts = b->parts;
        if (b->axes > p->most_axes)
            p->most_axes = b->axes;
    }
    /* the axes of a message are known once the separators of all buckets are */
    for (int64_t i = 0; i < count; i++) {
        bucket *b = p->bucket + i;
        for (int64_t q = 0; q < b->parts; q++) {
            part *m = b->part + q;
            if (m->child < 0)
                continue;
            const bucket *c = p->bucket + m->child;
            memset(m->strides, 0, (size_t)b->axes * sizeof(int64_t));
            int64_t stride = b->size;
            for (int64_t a = c->axes - 2; a >= 0; a--)
                for (int64_t own = 0; own < b->axes; own++)
                    if (b->separator[own] == c->separator[a]) {
                        m->strides[own] = stride;
                        stride *= b->lengths[own];
                    }
            m->constant = c->axes == 1;
        }
        b->constants = 0;
        for (int64_t q = 0; q < b->parts; q++)
            if (b->part[q].constant) {
                part swapped = b->part[q];
                b->part[q] = b->part[b->constants];
                b->part[b->constants++] = swapped;
            }
    }
    return DONE;
}

void program_free(program *p)
{
    free(p->memory);
}

/* total = before + the part; `before` may be `total`, or NULL for zeros. */
WIDE static void add_part(int64_t n, const part *q, const double *table, int64_t rows, const double *weights,
                          const double *before, double *scratch, double *total)
{
    const double *added = table;
    if (q->weighted) {
        int64_t active = 0, used[3] = {0, 0, 0};
        for (int64_t r = 0; r < rows; r++)
            if (weights[r] != 0.0) {
                if (active < 3)
                    used[active] = r;
                active++;
            }
        const double *x = table + used[0] * q->row, *y = table + used[1] * q->row, *z = table + used[2] * q->row;
        if (active == 0) {
            if (before != total)
                for (int64_t j = 0; j < n; j++)
                    total[j] = before ? before[j] : 0.0;
            return;
        }
        double u = weights[used[0]], v = active > 1 ? weights[used[1]] : 0.0, w = active > 2 ? weights[used[2]] : 0.0;
        if (active == 1 && before) {
            for (int64_t j = 0; j < n; j++)
                total[j] = before[j] + u * x[j];
            return;
        }
        if (active == 2 && before) {
            for (int64_t j = 0; j < n; j++)
                total[j] = before[j] + (u * x[j] + v * y[j]);
            return;
        }
        if (active == 3 && before) {
            for (int64_t j = 0; j < n; j++)
                total[j] = before[j] + (u * x[j] + v * y[j] + w * z[j]);
            return;
        }
        double *sum = before ? scratch : total;
        for (int64_t j = 0; j < n; j++)
            sum[j] = u * x[j];
        for (int64_t r = used[0] + 1; r < rows; r++)
            if (weights[r] != 0.0) {
                const double *more = table + r * q->row;
                double by = weights[r];
                for (int64_t j = 0; j < n; j++)
                    sum[j] += by * more[j];
            }
        if (!before)
            return;
        added = sum;
    }
    if (before)
        for (int64_t j = 0; j < n; j++)
            total[j] = before[j] + added[j];
    else
        memcpy(total, added, (size_t)n * sizeof(double));
}

static const double *table_of(const program *p, const part *q, int64_t k, int64_t at, const double *messages)
{
    if (q->table)
        return q->table;
    const bucket *c = p->bucket + q->child;
    return messages + c->offset * k + c->entries * at;
}

void bucket_base(const program *p, const bucket *b, int64_t k, int64_t rows, const double *weights,
                 const double *messages, double *scratch, double *base)
{
    for (int64_t at = 0; at < k; at++) {
        double *total = base + at * b->size;
        const double *before = NULL;
        for (int64_t q = 0; q < b->constants; q++) {
            const part *term = b->part + q;
            add_part(b->size, term, table_of(p, term, k, at, messages), rows, weights + at * rows, before, scratch,
                     total);
            before = total;
        }
        if (!before)
            memset(total, 0, (size_t)b->size * sizeof(double));
    }
}

void bucket_row(const program *p, const bucket *b, int64_t k, int64_t at, int64_t rows, const double *weights,
                const double *messages, const int64_t *offsets, const double *base, double *scratch, double *total)
{
    const double *before = base + at * b->size;
    if (b->constants == b->parts)
        memcpy(total, before, (size_t)b->size * sizeof(double));
    for (int64_t q = b->constants; q < b->parts; q++) {
        const part *term = b->part + q;
        add_part(b->size, term, table_of(p, term, k, at, messages) + offsets[q], rows, weights + at * rows, before,
                 scratch, total);
        before = total;
    }
}

void bucket_next(const bucket *b, int64_t *index, int64_t *offsets)
{
    for (int64_t a = b->axes - 1; a >= 0; a--) {
        index[a]++;
        for (int64_t q = b->constants; q < b->parts; q++)
            offsets[q] += b->part[q].strides[a];
        if (index[a] < b->lengths[a])
            return;
        index[a] = 0;
        for (int64_t q = b->constants; q < b->parts; q++)
            offsets[q] -= b->part[q].strides[a] * b->lengths[a];
    }
}
