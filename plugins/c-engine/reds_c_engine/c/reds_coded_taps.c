/* Depthwise convolutions whose weights are indices into a codebook of each output channel. */
#include "reds_bits.h"
#include "reds_convolve.h"

static void add_taps_coded(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights,
                           int32_t element, const int32_t *start, int32_t *sums) {
  const int32_t bits = taps->bits, mask = (1 << bits) - 1, step = taps->row * bits;
  const int8_t *const *const end = taps->inputs + taps->count;
  const int8_t *codebook = taps->codebook + taps->column * taps->clusters;
  for (; count > 0; count--, place++, element++, codebook += taps->clusters) {
    int32_t sum = *start++, bit = element * bits;
    for (const int8_t *const *tap = taps->inputs; tap != end; bit += step) {
      sum += (*tap++)[place] * codebook[weights[bit >> 3] >> (bit & 7) & mask];
    }
    *sums++ = sum;
  }
}

void reds_convolve_depthwise_coded(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  (void)second;
  reds_convolve_depthwise_any(s, s->weights, add_taps_coded, first, output);
}
