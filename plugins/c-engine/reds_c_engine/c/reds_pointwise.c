/* Convolutions with kernels of 1x1, and fully connected layers. */
#include "reds_dot.h"
#include "reds_engine.h"
#include "reds_output.h"

void reds_convolve_pointwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  const int32_t inputs = s->in_channels, outputs = s->out_channels, row = s->row;
  (void)second;
  for (int32_t p = (int32_t)s->out_height * s->out_width; p > 0; p--, first += inputs) {
    const int8_t *weights = s->weights;
    int32_t o = 0;
    for (; o + 4 <= outputs; o += 4, weights += 4 * row, output += 4) {
      int32_t sums[4] = {s->bias[o], s->bias[o + 1], s->bias[o + 2], s->bias[o + 3]};
      reds_dot_four(first, weights, row, inputs, sums);
      reds_output_four(s, o, sums, output);
    }
    for (; o < outputs; o++, weights += row) {
      *output++ = reds_output_one(s, o, reds_dot_one(first, weights, inputs, s->bias[o]));
    }
  }
}
