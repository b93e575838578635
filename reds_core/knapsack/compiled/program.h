/* The buckets of one max-sum program, as the functions in this folder share them.

   A program is given as three arrays of int64, which Python makes (see program.py):

   code       for each bucket, in processing order:
                axes, then the position of each group of its separator in processing order, rising;
                terms, then for each term: its index, whether its rows are weighted (1) or it is a mask (0), the number
                of its groups, and the places of these groups among the axes of the bucket, the last being its own;
                children, then the position of each bucket whose message enters this one.
   sizes      for each bucket, the number of options of its group.
   addresses  for each term, the address of its table, float64 (rows, options of each group), contiguous. A mask has
              one row.

   Everything is in double precision, without fused or reordered operations: a term is the sum of its weighted rows, and
   is then added to the sum of the bucket. The bound on rounding errors in Factors.margin relies on this. */

#ifndef REDS_PROGRAM_H
#define REDS_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Loops over doubles are also compiled for wider registers, one of which is chosen when the library is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* A Python function that checks the time, and that may raise an exception to stop the C code. The interpreter's lock is
   held, so an exception, also one of a signal that arrived meanwhile, stays set until the caller returns to Python. */
typedef struct {
    void *(*call)(void *check);
    void (*release)(void *result);
    void *check;
} stop_check;

/* Call the check. Returns nonzero if it raised an exception. */
static inline int raises(const stop_check *stop)
{
    void *result = stop->call(stop->check);
    if (result == NULL)
        return 1;
    stop->release(result);
    return 0;
}

enum { DONE = 0, STOPPED = 1, NO_MEMORY = 2, LIMIT = 3 };

typedef struct {
    const double *table; /* NULL for the message of a child */
    const int64_t *exact; /* the same term in integers, or NULL */
    int64_t weighted;    /* whether it has rows to be weighted */
    int64_t row;         /* entries of one row */
    int64_t child;       /* position of the bucket that sends the message */
    int64_t constant;    /* whether the part does not depend on the separator */
    int64_t *strides;    /* for each axis of the separator, in entries */
} part;

typedef struct {
    int64_t axes, size, entries; /* entries: joint options of the separator */
    int64_t offset;              /* of its message among all messages of one weight vector */
    int64_t first;               /* of its options among the options of all groups */
    int64_t parts, constants;    /* the parts that do not depend on the separator come first */
    int64_t *separator, *lengths;
    part *part;
} bucket;

typedef struct {
    int64_t count, widest, options, messages, most_parts, most_axes;
    bucket *bucket;
    void *memory;
} program;

/* Read a program. Returns DONE or NO_MEMORY. `exact` may be NULL. */
int program_read(program *p, int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses,
                 const int64_t *exact);
void program_free(program *p);

/* Sum the parts of `b` that do not depend on the separator into `base`, float64 (k, size). */
void bucket_base(const program *p, const bucket *b, int64_t k, int64_t rows, const double *weights,
                 const double *messages, double *scratch, double *base);

/* Add the other parts of `b` at one entry of the separator under one weight vector to `base`. Writes `total`.

   offsets: the offset of each part at this entry. scratch: float64 (size,). */
void bucket_row(const program *p, const bucket *b, int64_t k, int64_t at, int64_t rows, const double *weights,
                const double *messages, const int64_t *offsets, const double *base, double *scratch, double *total);

/* Advance `index` to the next entry of the separator, and the offsets of the parts with it. */
void bucket_next(const bucket *b, int64_t *index, int64_t *offsets);

#endif
