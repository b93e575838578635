/* Convolutions with weights of 4 or 2 bits, packed with the first in the lowest bits of a byte. */
#include "reds_convolve.h"

void reds_convolve_packed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_any(settings, reds_dot_packed, first, output);
}

void reds_convolve_depthwise_packed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_depthwise_any(settings, 0, reds_add_taps_packed, first, output);
}
