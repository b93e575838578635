/* Max-sum over all buckets in one call: upward messages, max-marginals, and a best choice. See program.h.

   messages   for each bucket, float64 (k, entries of its separator), one bucket after the other.
   marginals  float64 (k, options of all groups), the groups in processing order. */

#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Four doubles, and the integers of a comparison of them. Compilers do not turn the search for a maximum into vector
   operations by themselves without -ffast-math. */
typedef double lanes __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t flags __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4
#define AT(pointer, j) (*(const lanes *)((pointer) + (j)))
#define LARGER(a, b) ((lanes)(((flags)(a) & ((a) > (b))) | ((flags)(b) & ~((a) > (b)))))

/* Table entries between two questions whether to stop. */
#define PATIENCE (1 << 20)

/* Returns the largest of `vector` for j in steps of eight, then of `single` for what is left. */
#define RETURN_LARGEST(vector, single)                                                                                 \
    {                                                                                                                  \
        lanes first = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, second = first;                                    \
        int64_t i = 0;                                                                                                 \
        for (; i + 2 * LANES <= n; i += 2 * LANES) {                                                                   \
            int64_t j = i;                                                                                             \
            lanes left = (vector);                                                                                     \
            j += LANES;                                                                                                \
            lanes right = (vector);                                                                                    \
            first = LARGER(left, first);                                                                               \
            second = LARGER(right, second);                                                                            \
        }                                                                                                              \
        first = LARGER(first, second);                                                                                 \
        double most = first[0];                                                                                        \
        for (int l = 1; l < LANES; l++)                                                                                \
            most = first[l] > most ? first[l] : most;                                                                  \
        for (int64_t j = i; j < n; j++) {                                                                              \
            double found = (single);                                                                                   \
            most = found > most ? found : most;                                                                        \
        }                                                                                                              \
        return most;                                                                                                   \
    }

WIDE static double largest(int64_t n, const double *values)
{
    RETURN_LARGEST(AT(values, j), values[j])
}

/* The largest entry of base + the weighted rows of a table; 1 to 3 rows. Rounds as bucket_row does. */
WIDE static double largest_mixed(int64_t n, const double *base, int64_t rows, const double *const *row,
                                 const double *weight)
{
    const double *x = row[0], *y = row[1], *z = row[2];
    double u = weight[0], v = weight[1], w = weight[2];
    if (rows == 1)
        RETURN_LARGEST(AT(base, j) + u * AT(x, j), base[j] + u * x[j])
    if (rows == 2)
        RETURN_LARGEST(AT(base, j) + (u * AT(x, j) + v * AT(y, j)), base[j] + (u * x[j] + v * y[j]))
    RETURN_LARGEST(AT(base, j) + (u * AT(x, j) + v * AT(y, j) + w * AT(z, j)),
                   base[j] + (u * x[j] + v * y[j] + w * z[j]))
}

/* The rows of `q` with a weight other than 0, if there are 1 to 3; else 0. */
static int64_t mixed_rows(const part *q, int64_t rows, const double *weights, const double **row, double *weight)
{
    int64_t active = 0;
    for (int64_t r = 0; r < rows; r++)
        if (weights[r] != 0.0) {
            if (active == 3)
                return 0;
            row[active] = q->table + r * q->row;
            weight[active++] = weights[r];
        }
    for (int64_t a = active; a < 3 && active > 0; a++) {
        row[a] = row[0];
        weight[a] = 0.0;
    }
    return active;
}

WIDE static void raise_to(int64_t n, const double *values, double *most)
{
    for (int64_t j = 0; j < n; j++)
        most[j] = values[j] > most[j] ? values[j] : most[j];
}

typedef struct {
    double *base, *scratch, *total;
    int64_t *index, *offsets;
    void *memory;
} workspace;

static int workspace_make(workspace *w, const program *p, int64_t k)
{
    size_t doubles = (size_t)(p->widest * (k + 2)), integers = (size_t)(p->most_axes + p->most_parts + 1);
    w->memory = malloc(doubles * sizeof(double) + integers * sizeof(int64_t));
    if (!w->memory)
        return NO_MEMORY;
    w->base = w->memory;
    w->scratch = w->base + p->widest * k;
    w->total = w->scratch + p->widest;
    w->index = (int64_t *)(w->total + p->widest);
    w->offsets = w->index + p->most_axes;
    return DONE;
}

/* Read a program, and allocate what work on it needs. If memory runs out, nothing stays allocated. */
static int begin(program *p, workspace *w, int64_t count, const int64_t *code, const int64_t *sizes,
                 const int64_t *addresses, int64_t k)
{
    int status = program_read(p, count, code, sizes, addresses, NULL);
    if (status != DONE)
        return status;
    status = workspace_make(w, p, k);
    if (status != DONE)
        program_free(p);
    return status;
}

static void start(workspace *w, const bucket *b)
{
    memset(w->index, 0, (size_t)b->axes * sizeof(int64_t));
    memset(w->offsets, 0, (size_t)b->parts * sizeof(int64_t));
}

/* The upward messages under each of `weights`, float64 (k, rows), and the largest sum over all choices, (k,). */
EXPORT int reds_sweep(int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses, int64_t k,
                      int64_t rows, const double *weights, double *messages, double *best, const stop_check *stop)
{
    program p;
    workspace w;
    int status = begin(&p, &w, count, code, sizes, addresses, k);
    if (status != DONE)
        return status;
    for (int64_t at = 0; at < k; at++)
        best[at] = 0.0;
    int64_t work = 0;
    for (int64_t i = count - 1; i >= 0; i--) {
        const bucket *b = p.bucket + i;
        double *out = messages + b->offset * k;
        bucket_base(&p, b, k, rows, weights, messages, w.scratch, w.base);
        start(&w, b);
        const part *single = b->parts == b->constants + 1 && b->part[b->constants].weighted ? b->part + b->constants
                                                                                              : NULL;
        for (int64_t entry = 0; entry < b->entries; entry++) {
            for (int64_t at = 0; at < k; at++) {
                const double *total = w.base + at * b->size, *row[3];
                double weight[3];
                int64_t mixed = single ? mixed_rows(single, rows, weights + at * rows, row, weight) : 0;
                if (mixed) {
                    for (int a = 0; a < 3; a++)
                        row[a] += w.offsets[b->constants];
                    out[at * b->entries + entry] = largest_mixed(b->size, total, mixed, row, weight);
                    continue;
                }
                if (b->constants < b->parts) {
                    bucket_row(&p, b, k, at, rows, weights, messages, w.offsets, w.base, w.scratch, w.total);
                    total = w.total;
                }
                out[at * b->entries + entry] = largest(b->size, total);
            }
            bucket_next(b, w.index, w.offsets);
            work += k * b->size;
            if (work > PATIENCE) {
                work = 0;
                if (raises(stop)) {
                    status = STOPPED;
                    goto end;
                }
            }
        }
        if (b->axes == 0)
            for (int64_t at = 0; at < k; at++)
                best[at] += out[at];
    }
end:
    free(w.memory);
    program_free(&p);
    return status;
}

/* The max-marginals of every group under the weights of `messages`. `downward` is like `messages`, for this function. */
EXPORT int reds_marginals(int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses,
                          int64_t k, int64_t rows, const double *weights, const double *messages, const double *best,
                          double *downward, double *marginals, const stop_check *stop)
{
    program p;
    workspace w;
    int status = begin(&p, &w, count, code, sizes, addresses, k);
    if (status != DONE)
        return status;
    for (int64_t t = 0; t < k * p.options; t++)
        marginals[t] = -INFINITY;
    for (int64_t t = 0; t < k * p.messages; t++)
        downward[t] = -INFINITY;
    int64_t work = 0;
    for (int64_t i = 0; i < count; i++) {
        const bucket *b = p.bucket + i;
        double *above = downward + b->offset * k;
        if (b->axes == 0)
            for (int64_t at = 0; at < k; at++)
                above[at] = best[at] - messages[b->offset * k + at];
        bucket_base(&p, b, k, rows, weights, messages, w.scratch, w.base);
        start(&w, b);
        for (int64_t entry = 0; entry < b->entries; entry++) {
            for (int64_t at = 0; at < k; at++) {
                bucket_row(&p, b, k, at, rows, weights, messages, w.offsets, w.base, w.scratch, w.total);
                double from = above[at * b->entries + entry];
                for (int64_t j = 0; j < b->size; j++)
                    w.total[j] += from;
                raise_to(b->size, w.total, marginals + at * p.options + b->first);
                for (int64_t q = b->constants; q < b->parts; q++)
                    if (b->part[q].child >= 0) {
                        const bucket *c = p.bucket + b->part[q].child;
                        raise_to(b->size, w.total, downward + c->offset * k + at * c->entries + w.offsets[q]);
                    }
            }
            bucket_next(b, w.index, w.offsets);
            work += k * b->size;
            if (work > PATIENCE) {
                work = 0;
                if (raises(stop)) {
                    status = STOPPED;
                    goto end;
                }
            }
        }
        for (int64_t q = 0; q < b->parts; q++)
            if (b->part[q].child >= 0) {
                const bucket *c = p.bucket + b->part[q].child;
                double *below = downward + c->offset * k;
                if (q < b->constants)
                    for (int64_t at = 0; at < k; at++)
                        memcpy(below + at * b->size, marginals + at * p.options + b->first,
                               (size_t)b->size * sizeof(double));
                const double *up = messages + c->offset * k;
                for (int64_t t = 0; t < k * c->entries; t++)
                    below[t] -= up[t];
            }
    }
end:
    free(w.memory);
    program_free(&p);
    return status;
}

/* A choice of the largest sum under the weights at `at`, as positions in processing order; the lowest position wins. */
EXPORT int reds_decode(int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses, int64_t k,
                       int64_t at, int64_t rows, const double *weights, const double *messages, int64_t *choice)
{
    program p;
    workspace w;
    int status = begin(&p, &w, count, code, sizes, addresses, k);
    if (status != DONE)
        return status;
    for (int64_t i = 0; i < count; i++) {
        const bucket *b = p.bucket + i;
        for (int64_t q = 0; q < b->parts; q++) {
            w.offsets[q] = 0;
            for (int64_t a = 0; a < b->axes; a++)
                w.offsets[q] += b->part[q].strides[a] * choice[b->separator[a]];
        }
        bucket_base(&p, b, k, rows, weights, messages, w.scratch, w.base);
        bucket_row(&p, b, k, at, rows, weights, messages, w.offsets, w.base, w.scratch, w.total);
        int64_t found = 0;
        for (int64_t j = 1; j < b->size; j++)
            if (w.total[j] > w.total[found])
                found = j;
        choice[i] = found;
    }
    free(w.memory);
    program_free(&p);
    return status;
}
