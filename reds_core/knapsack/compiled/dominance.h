/* Dominance between labels. See dominance.c. */

#ifndef REDS_DOMINANCE_H
#define REDS_DOMINANCE_H

#include "program.h"

typedef struct {
    uint64_t key;
    int64_t index;
} keyed;

/* Sort `items` by rising key; `spare` is as large. Equal keys keep their order. */
void sort_keyed(int64_t count, keyed *items, keyed *spare);

/* A double as an unsigned number of the same order. */
uint64_t rising(double value);

/* The labels to keep, sorted by state, in `kept`, int64 (count,).

   states, values: int64 (count,). usage: that of resource r by label i is usage[r * along + i * beside].
   Returns how many are kept, or -1 if memory runs out. */
int64_t undominated(int64_t count, int64_t resources, const int64_t *states, const int64_t *values,
                    const int64_t *usage, int64_t along, int64_t beside, int64_t *kept);

#endif
