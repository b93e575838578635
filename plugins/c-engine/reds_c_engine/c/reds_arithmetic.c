/* Sums, differences and products of two tensors, or of a tensor and a constant. Outputs may replace an
 * input of the same size. */
#include "reds_engine.h"
#include "reds_requantize.h"

/* How an operand is brought to the scale of a sum. */
typedef struct {
  int32_t zero, left_shift, multiplier, shift;
} scaling;

static inline int32_t scaled(scaling by, int32_t value) {
  return reds_rescale((int32_t)((uint32_t)(value - by.zero) << by.left_shift), by.multiplier, by.shift);
}

/* Copies of settings in variables need not be read again after each output. */
static void add(const reds_arithmetic *s, const int8_t *first, const int8_t *second, int8_t *output, int32_t sign) {
  const int8_t *const operand = s->constant ? s->constant : second;
  const int8_t *const last = operand + s->period, *const end = first + s->count;
  const scaling of_first = {s->first_zero, s->left_shift, s->first_multiplier, s->first_shift};
  const scaling of_second = {s->second_zero, s->left_shift, s->second_multiplier, s->second_shift};
  const int32_t multiplier = s->output_multiplier, shift = s->output_shift, zero = s->output_zero;
  const int32_t least = s->least, greatest = s->greatest;
  const int32_t single = s->period == 1 ? sign * scaled(of_second, *operand) : 0; /* A single value is scaled once. */
  const int is_single = s->period == 1;
  for (const int8_t *value = operand; first != end;) {
    int32_t b = single;
    if (!is_single) {
      b = sign * scaled(of_second, *value++);
      if (value == last) value = operand;
    }
    const int32_t sum = reds_rescale(scaled(of_first, *first++) + b, multiplier, shift) + zero;
    *output++ = (int8_t)reds_clamp(sum, least, greatest);
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
  const int8_t *const last = operand + s->period, *const end = first + s->count;
  const int32_t first_zero = s->first_zero, second_zero = s->second_zero;
  const int32_t multiplier = s->output_multiplier, shift = s->output_shift, zero = s->output_zero;
  const int32_t least = s->least, greatest = s->greatest;
  for (const int8_t *value = operand; first != end;) {
    const int32_t product = (*first++ - first_zero) * (*value++ - second_zero);
    if (value == last) value = operand;
    const int32_t result = reds_rescale(product, multiplier, shift) + zero;
    *output++ = (int8_t)reds_clamp(result, least, greatest);
  }
}
