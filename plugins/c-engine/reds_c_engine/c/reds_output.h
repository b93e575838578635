/* What convolutions do with their sums: rescale, limit and store them. */
#ifndef REDS_OUTPUT_H
#define REDS_OUTPUT_H
#include "reds_engine.h"
#include "reds_requantize.h"

/* The output of channel `channel` whose sum is `sum`. */
static inline int8_t reds_output_one(const reds_convolution *s, int32_t channel, int32_t sum) {
  const int32_t value = reds_rescale(sum, s->multiplier[channel], s->shift[channel]) + s->output_zero;
  return (int8_t)reds_clamp(value, s->least, s->greatest);
}

/* The outputs of the four channels from `channel` on. */
static inline void reds_output_four(const reds_convolution *s, int32_t channel, const int32_t *sums, int8_t *output) {
  for (int k = 0; k < 4; k++) output[k] = reds_output_one(s, channel + k, sums[k]);
}

#endif
