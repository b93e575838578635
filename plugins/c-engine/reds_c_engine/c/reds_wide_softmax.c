/* Softmax of 16-bit activations, with samples of exp(x) and 1 / (1 + x). Outputs may replace the inputs. */
#include "reds_requantize.h"
#include "reds_wide.h"

/* A function between its samples, which lie 128 inputs apart, the first at INT16_MIN. */
static int32_t interpolated(const int16_t *samples, int32_t input) {
  const int32_t x = reds_clamp(input, INT16_MIN, INT16_MAX);
  const int16_t *const sample = samples + 256 + (x >> 7);
  return sample[0] + (((sample[1] - sample[0]) * (x & 127) + 64) >> 7);
}

static int leading_zeros(uint32_t value) {
  int count = 0;
  for (uint32_t bit = (uint32_t)1 << 31; bit > value; bit >>= 1) count++;
  return count;
}

static void softmax_row(const reds_wide_softmax_settings *s, const int16_t *input, int16_t *output) {
  int32_t greatest = INT16_MIN, sum = 0;
  for (int32_t c = 0; c < s->classes; c++) {
    if (input[c] > greatest) greatest = input[c];
  }
  for (int32_t c = 0; c < s->classes; c++) {
    const int32_t below = reds_rescale(input[c] - greatest, s->multiplier, s->shift);
    output[c] = (int16_t)interpolated(s->exponential, below + INT16_MAX);
    sum += output[c];
  }
  const int zeros = leading_zeros((uint32_t)sum), shift = 31 - zeros;
  const int32_t above = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14) - 3 * (1 << 15);
  const int32_t reciprocal = interpolated(s->reciprocal, above);
  for (int32_t c = 0; c < s->classes; c++) {
    const int32_t share = (int32_t)(((int64_t)output[c] * reciprocal + ((int64_t)1 << (shift - 1))) >> shift);
    output[c] = (int16_t)reds_clamp(share, 0, INT16_MAX);
  }
}

void reds_wide_softmax(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_softmax_settings *const s = settings;
  const int16_t *input = (const void *)first;
  int16_t *result = (void *)output;
  (void)second;
  for (uint32_t row = 0; row < s->rows; row++, input += s->classes, result += s->classes) softmax_row(s, input, result);
}
