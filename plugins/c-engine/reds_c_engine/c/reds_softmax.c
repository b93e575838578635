/* Softmax in fixed point. A format Qm.n has m integer bits and n fraction bits beside the sign. */
#include "reds_engine.h"
#include "reds_requantize.h"

/* value * 2^exponent, saturated. */
static int32_t saturating_shift(int32_t value, int exponent) {
  const int64_t result = (int64_t)value * ((int64_t)1 << exponent);
  if (result > INT32_MAX) return INT32_MAX;
  return result < INT32_MIN ? INT32_MIN : (int32_t)result;
}

/* exp(x) of x in [-1/4, 0), both in Q0.31: four terms of the Taylor series around -1/8. */
static int32_t exp_of_a_quarter(int32_t x) {
  const int32_t exp_of_an_eighth = 1895147668, third = 715827883; /* exp(-1/8), 1/3 */
  const int32_t a = x + (1 << 28);
  const int32_t square = reds_multiply_high(a, a);
  const int32_t cube = reds_multiply_high(square, a);
  const int32_t fourth = reds_divide_by_power(reds_multiply_high(square, square), 2);
  const int32_t upper = reds_divide_by_power(reds_multiply_high(fourth + cube, third) + square, 1);
  return exp_of_an_eighth + reds_multiply_high(exp_of_an_eighth, a + upper);
}

/* exp(x) in Q0.31 of x <= 0 in Q5.26: the lowest part by the series, the others by a product for each bit. */
static int32_t exp_of_negative(int32_t x) {
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242}; /* e^-2^k */
  const int32_t quarter = 1 << 24;
  if (x == 0) return INT32_MAX;
  const int32_t part = (x & (quarter - 1)) - quarter;
  const int32_t rest = part - x;
  int32_t result = exp_of_a_quarter(part * 32);
  for (int k = 0; k < 7; k++) {
    if (rest & (quarter << k)) result = reds_multiply_high(result, factors[k]);
  }
  return result;
}

/* 1 / (1 + x) of x in [0, 1), both in Q0.31: three steps of Newton's method in Q2.29. */
static int32_t reciprocal(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  int32_t result = 1515870810 + reds_multiply_high(half, -1010580540); /* 48/17 - 32/17 * half */
  for (int k = 0; k < 3; k++) {
    const int32_t error = (1 << 29) - reds_multiply_high(half, result);
    result += saturating_shift(reds_multiply_high(result, error), 2);
  }
  return saturating_shift(result, 1);
}

/* exp of a difference of inputs, in Q0.31. */
static int32_t exp_of_difference(const reds_softmax_settings *s, int32_t difference) {
  const int32_t shifted = (int32_t)((uint32_t)difference << s->left_shift);
  return exp_of_negative(reds_multiply_high(shifted, s->multiplier));
}

void reds_softmax(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_softmax_settings *const s = settings;
  (void)second;
  for (uint32_t r = 0; r < s->rows; r++, first += s->classes, output += s->classes) {
    int32_t greatest = INT8_MIN;
    for (int32_t c = 0; c < s->classes; c++) {
      if (first[c] > greatest) greatest = first[c];
    }
    uint32_t sum = 0; /* in Q12.19 */
    for (int32_t c = 0; c < s->classes; c++) {
      const int32_t difference = first[c] - greatest;
      if (difference >= s->least_difference) {
        sum += (uint32_t)reds_divide_by_power(exp_of_difference(s, difference), 12);
      }
    }
    int headroom = 0; /* the sum is mantissa * 2^(12 - headroom), the mantissa in [1, 2) */
    while (!(sum & UINT32_C(0x80000000))) {
      sum <<= 1;
      headroom++;
    }
    const int32_t scale = reciprocal((int32_t)(sum - UINT32_C(0x80000000)));
    const int power = 12 - headroom + 31 - 8;
    const int exponent = power > 32 ? 32 : power; /* From 32 on, all products are rounded to 0. */
    for (int32_t c = 0; c < s->classes; c++) {
      const int32_t difference = first[c] - greatest;
      int32_t value = INT8_MIN;
      if (difference >= s->least_difference) {
        const int32_t product = reds_multiply_high(scale, exp_of_difference(s, difference));
        value = reds_clamp(reds_divide_by_power(product, exponent) + INT8_MIN, INT8_MIN, INT8_MAX);
      }
      output[c] = (int8_t)value;
    }
  }
}
