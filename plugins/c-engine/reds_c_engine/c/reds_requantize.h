/* Fixed-point arithmetic that the kernels share: the rescaling of tflite-micro, which rounds twice as gemmlowp does. */
#ifndef REDS_REQUANTIZE_H
#define REDS_REQUANTIZE_H
#include "reds_simd.h"
#include <stdint.h>

/* C99 leaves right shifts of negative numbers to the compiler. This line fails to compile where they are not arithmetic. */
enum { reds_right_shifts_are_arithmetic = 1 / ((-1 >> 1) == -1 && ((int64_t)-3 >> 1) == -2) };

/* The upper half of twice the product, rounded: a * b / 2^31. One of the two must differ from INT32_MIN. */
static inline int32_t reds_multiply_high(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* value / 2^exponent, rounded half away from zero, for exponents of at least 1. A value of INT32_MIN is not allowed;
 * reds_multiply_high returns none. The two steps of the shift keep the sum below 2^31. */
static inline int32_t reds_divide_by_power(int32_t value, int exponent) {
  return (((value + (value >> 31)) >> (exponent - 1)) + 1) >> 1;
}

#if defined(__GNUC__)
#define REDS_UNLIKELY(condition) __builtin_expect(condition, 0)
#else
#define REDS_UNLIKELY(condition) (condition)
#endif

/* value * multiplier * 2^(shift - 31), rounded twice. The multiplier is at least 0. */
static inline int32_t reds_rescale(int32_t value, int32_t multiplier, int shift) {
  if (REDS_UNLIKELY(shift >= 0)) return reds_multiply_high((int32_t)((uint32_t)value << shift), multiplier);
#if REDS_FAST_MULTIPLY
  return reds_divide_by_power(reds_multiply_high_fast(value, multiplier), -shift);
#else
  return reds_divide_by_power(reds_multiply_high(value, multiplier), -shift);
#endif
}

static inline int32_t reds_clamp(int32_t value, int32_t least, int32_t greatest) {
  value = value < least ? least : value;
  return value > greatest ? greatest : value;
}

#endif
