/* The mean over all positions of an image of 16-bit activations, for each channel. */
#include "reds_requantize.h"
#include "reds_wide.h"

void reds_wide_mean(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_reduction *const s = settings;
  const int16_t *const input = (const void *)first;
  int16_t *const result = (void *)output;
  const int32_t channels = s->channels;
  (void)second;
  for (int32_t c = 0; c < channels; c++) {
    const int16_t *value = input + c;
    int32_t sum = 0;
    for (int32_t p = s->positions; p > 0; p--, value += channels) sum += *value;
    result[c] = (int16_t)reds_clamp(reds_rescale(sum, s->multiplier, s->shift), INT16_MIN, INT16_MAX);
  }
}
