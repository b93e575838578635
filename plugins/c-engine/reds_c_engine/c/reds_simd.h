/* What Arm cores with instructions for signal processing (REDS_DSP is 1 there) or for vectors (REDS_MVE) have. */
#ifndef REDS_SIMD_H
#define REDS_SIMD_H
#include <stdint.h>

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define REDS_MVE 1
#include <arm_mve.h>
#else
#define REDS_MVE 0
#endif

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN) && !REDS_MVE
#define REDS_DSP 1
#include <arm_acle.h>
#include <string.h>

typedef uint32_t reds_word; /* four values of 8 bits, or two of 16 */

/* The four values at a place of any alignment. */
static inline reds_word reds_load(const void *place) {
  reds_word word;
  memcpy(&word, place, sizeof word);
  return word;
}

/* The same, and go on to the next four. */
static inline reds_word reds_next(const int8_t **place) {
  const reds_word word = reds_load(*place);
  *place += 4;
  return word;
}

/* Values 0 and 2 of a word, in 16 bits each. */
static inline reds_word reds_even(reds_word word) {
  return (reds_word)__sxtb16(word);
}

/* Values 1 and 3 of a word, in 16 bits each. */
static inline reds_word reds_odd(reds_word word) {
#if defined(__GNUC__)
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(word) : "r"(word)); /* Compilers use two instructions otherwise. */
  return word;
#else
  return (reds_word)__sxtb16(word >> 8 | word << 24);
#endif
}

/* Keeps GCC from loading many words ahead, for which there are no registers. */
static inline void reds_barrier(void) {
#if defined(__GNUC__)
  __asm__ volatile("" ::: "memory");
#endif
}

/* sum + a[0] * b[0] + a[1] * b[1] of pairs of 16 bits. */
static inline int32_t reds_add_products(reds_word a, reds_word b, int32_t sum) {
  return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

/* sum + a[0] * b[0], and sum + a[1] * b[1]. */
static inline int32_t reds_add_low(reds_word a, reds_word b, int32_t sum) {
  return __smlabb((int32_t)a, (int32_t)b, sum);
}
static inline int32_t reds_add_high(reds_word a, reds_word b, int32_t sum) {
  return __smlatt((int32_t)a, (int32_t)b, sum);
}

/* sum + the products of a word's values with others, which are given as their even and odd ones. */
static inline int32_t reds_add_word(reds_word even, reds_word odd, reds_word word, int32_t sum) {
  sum = reds_add_products(even, reds_even(word), sum);
  sum = reds_add_products(odd, reds_odd(word), sum);
  reds_barrier();
  return sum;
}

#else
#define REDS_DSP 0
#endif

#if defined(__ARM_FEATURE_DSP)
#define REDS_FAST_MULTIPLY 1
/* a * b / 2^31, rounded, of b >= 0: the upper half of the product with 2 b, which as a signed number may lack 2^32. */
static inline int32_t reds_multiply_high_fast(int32_t a, int32_t b) {
  const int32_t twice = (int32_t)((uint32_t)b << 1), lacking = a & (twice >> 31);
  int32_t result;
#if defined(__GNUC__)
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(twice), "r"(lacking));
#else
  result = lacking + (int32_t)(((int64_t)a * twice + INT64_C(0x80000000)) >> 32);
#endif
  return result;
}
#else
#define REDS_FAST_MULTIPLY 0
#endif

#endif
