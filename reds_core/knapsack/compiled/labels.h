/* One run of label setting: its labels, and the tables of its present step. See labels.c and step_tables.c. */

#ifndef REDS_LABELS_H
#define REDS_LABELS_H

#include "program.h"

#include <stdlib.h>

/* Label extensions that are tried between two questions whether to stop. */
#define PATIENCE (1 << 17)

/* The limits and the outcome of a run; mirrored in labels.py of this folder. */
typedef struct {
    int64_t most_labels; /* at one step */
    int64_t most_bytes;
    int64_t beam;        /* the most labels to keep at one step, or 0 for all */
    int64_t kept;        /* labels kept so far, over all steps */
    int64_t complete;    /* whether no label was dropped for the beam */
    int64_t found;       /* whether a choice was found */
} outcome;

/* The labels of one step, and while they are made, the labels that they extend. */
typedef struct {
    int64_t count, room;
    int64_t *state, *value, *usage; /* usage (count, resources) */
    int64_t *parent, *at;           /* at: entry of the tables of the step */
} labels;

/* What is known of one step once it is done. */
typedef struct {
    int32_t *parent, *option;
} step;

typedef struct {
    program p;
    int64_t k, rows, resources;
    const double *weights, *messages;
    const stop_check *stop;
    outcome *out;
    labels made;
    step *steps;
    int64_t states;
    int32_t **columns;    /* for each open group, its position in each state; else NULL */
    int64_t count;        /* the labels of the last step, sorted by state */
    int32_t *state;
    int64_t *value, *usage;
    float *slack;         /* (count, k), rounded up, since slacks take most of the memory of labels */
    int64_t bytes;        /* of all steps */
    int64_t work;
    /* the tables of the present step: for each distinct row of the bucket, its options by rising first loss */
    int64_t table_rows;
    int32_t *row_of;      /* of each state */
    int64_t *row_start;   /* (rows + 1,) */
    double *loss;         /* (entries, k) */
    int64_t *added;       /* (entries, rows) */
    int32_t *option;
    int32_t *base_of;     /* of each state, its number among the states of the groups that stay open */
    int64_t bases;
    int32_t *base_state;  /* a state of each base */
    uint8_t *allowed;     /* (states, options), or NULL */
} run;

/* Reallocate an array for `count` entries. If memory runs out, the old array is freed and the result is NULL. */
static inline void *grown(void *old, int64_t count, size_t size)
{
    void *larger = realloc(old, (size_t)(count > 0 ? count : 1) * size);
    if (!larger)
        free(old);
    return larger;
}

/* Count work, and ask now and then whether to stop. Returns nonzero if so. */
static inline int ask(run *r, int64_t work)
{
    r->work += work;
    if (r->work < PATIENCE)
        return 0;
    r->work = 0;
    return raises(r->stop);
}

/* Fill the tables of the step of bucket `i` with the options whose first loss some label of the row can afford. */
int tabulate(run *r, int64_t i);

/* Which options the steps of peak resources that end with this group allow in each state.

   peaks: the number of such steps, and for each: the room, the address of the group's own usage, the number of other
   groups, and for each of these its position and the address of its usage. Moves `peaks` behind what it reads. */
int permit(run *r, int64_t n, const int64_t **peaks);

/* Number the states of the groups that stay open after step `i`. */
int number_states(run *r, int64_t i, const int64_t *last);

#endif
