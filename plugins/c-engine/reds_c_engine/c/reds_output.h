/* What convolutions do with their sums: rescale, limit and store them. */
#ifndef REDS_OUTPUT_H
#define REDS_OUTPUT_H
#include "reds_engine.h"

enum { REDS_BLOCK = 32 }; /* Convolutions compute so many output channels of a position at a time. */

/* How many output channels to compute at a time where `left` are left. */
static inline int32_t reds_block(int32_t left) {
  return left < REDS_BLOCK ? left : REDS_BLOCK;
}

/* Write the outputs of `count` channels from `channel` on, whose sums are given. */
void reds_output(const reds_convolution *s, int32_t channel, int32_t count, const int32_t *sums, int8_t *output);

#endif
