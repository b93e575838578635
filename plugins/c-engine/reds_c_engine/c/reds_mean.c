/* The mean over all positions of an image, for each channel. */
#include "reds_engine.h"
#include "reds_requantize.h"

void reds_mean(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_reduction *const s = settings;
  const int32_t channels = s->channels, positions = (int32_t)s->positions, offset = positions * s->input_zero;
  (void)second;
  for (int32_t c = 0; c < channels; c++) {
    const int8_t *value = first + c;
    int32_t sum = -offset;
    for (int32_t p = positions; p > 0; p--, value += channels) sum += *value;
    sum = reds_rescale(sum, s->multiplier, s->shift) + s->output_zero;
    *output++ = (int8_t)reds_clamp(sum, INT8_MIN, INT8_MAX);
  }
}
