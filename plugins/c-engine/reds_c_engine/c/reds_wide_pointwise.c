/* Convolutions of 1x1 and fully connected layers of 16-bit activations. */
#include "reds_wide_dot.h"

void reds_wide_convolve_pointwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_convolution *const s = settings;
  const int16_t *input = (const void *)first;
  int16_t *result = (void *)output;
  const int32_t channels = s->in_channels;
  (void)second;
  for (int32_t position = s->out_height * s->out_width; position > 0; position--, input += channels) {
    const int8_t *weight = s->weights;
    for (int32_t channel = 0; channel < s->out_channels; channel++, weight += s->row) {
      *result++ = reds_wide_output(s, channel, reds_wide_dot(input, weight, channels));
    }
  }
}
