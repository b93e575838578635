/* Convolutions with kernels of 1x1, and fully connected layers. */
#include "reds_dot.h"
#include "reds_engine.h"
#include "reds_output.h"

void reds_convolve_pointwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  const uint8_t *const weights = s->weights;
  const reds_runs runs = {1, s->in_channels, 0, 0, s->row, 0, 8};
  int32_t sums[REDS_BLOCK];
  (void)second;
  for (int32_t p = (int32_t)s->out_height * s->out_width; p > 0; p--, first += runs.count) {
    for (int32_t o = 0; o < s->out_channels; o += REDS_BLOCK) {
      const int32_t outputs = reds_block(s->out_channels - o);
      reds_dot(&runs, first, weights + o * runs.stride, outputs, s->bias + o, sums);
      reds_output(s, o, outputs, sums, output);
      output += outputs;
    }
  }
}
