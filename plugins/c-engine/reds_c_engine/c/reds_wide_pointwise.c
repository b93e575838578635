/* Convolutions of 1x1 and fully connected layers of 16-bit activations. */
#include "reds_wide_dot.h"

void reds_wide_convolve_pointwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_convolution *const s = settings;
  const int16_t *input = (const void *)first;
  int16_t *result = (void *)output;
  (void)second;
  for (int32_t position = s->out_height * s->out_width; position > 0; position--) {
    reds_wide_outputs(s, input, s->in_channels, s->row, result);
    input += s->in_channels;
    result += s->out_channels;
  }
}
