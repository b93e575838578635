/* Sums, differences and products of 16-bit activations. Outputs may replace an input of the same size. */
#include "reds_requantize.h"
#include "reds_wide.h"

static void add(const reds_wide_arithmetic *s, const int16_t *first, const int16_t *second, int16_t *output,
                int32_t sign) {
  const int16_t *const operand = s->constant ? s->constant : second;
  const int16_t *const last = operand + s->period, *const end = first + s->count;
  for (const int16_t *value = operand; first != end; first++) {
    const int32_t a = (int32_t)((uint32_t)*first << s->left_shift), b = (int32_t)((uint32_t)*value << s->left_shift);
    const int32_t sum = reds_rescale(a, s->first_multiplier, s->first_shift) +
                        sign * reds_rescale(b, s->second_multiplier, s->second_shift);
    const int32_t result = reds_rescale(sum, s->output_multiplier, s->output_shift);
    *output++ = (int16_t)reds_clamp(result, s->least, s->greatest);
    if (++value == last) value = operand;
  }
}

void reds_wide_add(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  add(settings, (const void *)first, (const void *)second, (void *)output, 1);
}

void reds_wide_subtract(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  add(settings, (const void *)first, (const void *)second, (void *)output, -1);
}

void reds_wide_multiply(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_arithmetic *const s = settings;
  const int16_t *factor = (const void *)first, *const operand = s->constant ? s->constant : (const void *)second;
  const int16_t *const last = operand + s->period, *const end = factor + s->count;
  int16_t *product = (void *)output;
  for (const int16_t *value = operand; factor != end; factor++) {
    const int32_t result = reds_rescale(*factor * *value, s->output_multiplier, s->output_shift);
    *product++ = (int16_t)reds_clamp(result, s->least, s->greatest);
    if (++value == last) value = operand;
  }
}
