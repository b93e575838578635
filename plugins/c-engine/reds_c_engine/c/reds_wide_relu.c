/* ReLU and changes of scale of 16-bit activations. */
#include "reds_requantize.h"
#include "reds_wide.h"

void reds_wide_relu(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_slopes *const s = settings;
  const int16_t *value = (const void *)first;
  int16_t *result = (void *)output;
  (void)second;
  for (const int16_t *const end = value + s->count; value != end; value++) {
    const int32_t scaled = *value >= 0 ? reds_rescale(*value, s->multiplier, s->shift)
                                       : reds_rescale(*value, s->negative_multiplier, s->negative_shift);
    *result++ = (int16_t)reds_clamp(scaled, s->least, s->greatest);
  }
}
