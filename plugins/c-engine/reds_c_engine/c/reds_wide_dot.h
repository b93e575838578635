/* Sums of products of 16-bit inputs and 8-bit weights, and what is done with them. */
#ifndef REDS_WIDE_DOT_H
#define REDS_WIDE_DOT_H
#include "reds_requantize.h"
#include "reds_wide.h"

enum { REDS_WIDE_TERMS = 504 }; /* A sum of 32 bits holds up to 511 products. */

/* The sum of `count` products of consecutive inputs and weights. */
static inline int64_t reds_wide_dot(const int16_t *input, const int8_t *weight, int32_t count) {
  int64_t total = 0;
  while (count > 0) {
    const int32_t terms = count < REDS_WIDE_TERMS ? count : REDS_WIDE_TERMS;
    int32_t sum = 0;
    for (int32_t i = 0; i < terms; i++) sum += *input++ * *weight++;
    total += sum;
    count -= terms;
  }
  return total;
}

/* The output of a channel, whose sum is given without bias. */
static inline int16_t reds_wide_output(const reds_wide_convolution *s, int32_t channel, int64_t sum) {
  const int shift = s->shift[channel];
  sum = ((((sum + s->bias[channel]) * s->multiplier[channel]) >> (shift - 1)) + 1) >> 1; /* rounds halves upwards */
  if (sum < s->least) return s->least;
  return sum > s->greatest ? s->greatest : (int16_t)sum;
}

/* Write the outputs of all channels for `count` inputs; the weights of the channels lie `row` apart. */
void reds_wide_outputs(const reds_wide_convolution *s, const int16_t *input, int32_t count, int32_t row,
                       int16_t *output);

#endif
