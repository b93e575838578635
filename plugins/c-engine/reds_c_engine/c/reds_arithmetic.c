/* Sums, differences and products of two tensors, or of a tensor and a constant. Outputs may replace the first input. */
#include "reds_engine.h"
#include "reds_requantize.h"

static int32_t scaled(int32_t value, int left_shift, int32_t multiplier, int shift) {
  return reds_rescale((int32_t)((uint32_t)value << left_shift), multiplier, shift);
}

static void add(const reds_arithmetic *s, const int8_t *first, const int8_t *second, int8_t *output, int32_t sign) {
  const int8_t *const operand = s->constant ? s->constant : second;
  int32_t b = 0;
  uint32_t j = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    const int32_t a = scaled(first[i] - s->first_zero, s->left_shift, s->first_multiplier, s->first_shift);
    if (s->period != 1 || i == 0) { /* A single value is scaled once. */
      b = sign * scaled(operand[j] - s->second_zero, s->left_shift, s->second_multiplier, s->second_shift);
    }
    const int32_t sum = reds_rescale(a + b, s->output_multiplier, s->output_shift) + s->output_zero;
    output[i] = (int8_t)reds_clamp(sum, s->least, s->greatest);
    if (++j == s->period) j = 0;
  }
}

void reds_add(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  add(settings, first, second, output, 1);
}

void reds_subtract(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  add(settings, first, second, output, -1);
}

void reds_multiply(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_arithmetic *const s = settings;
  const int8_t *const operand = s->constant ? s->constant : second;
  uint32_t j = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    const int32_t product = (first[i] - s->first_zero) * (operand[j] - s->second_zero);
    const int32_t value = reds_rescale(product, s->output_multiplier, s->output_shift) + s->output_zero;
    output[i] = (int8_t)reds_clamp(value, s->least, s->greatest);
    if (++j == s->period) j = 0;
  }
}
