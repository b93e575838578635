/* Convolutions with weights of 8 bits in two halves, or with the upper halves alone. The functions for weights are given
 * the structure reds_split_weights in place of weights. */
#include "reds_convolve.h"
#include "reds_pairs.h"
#include "reds_split.h"

/* Parts of four output channels, over `bytes` bytes of each half of each run. Distances in `runs` are in bytes. */

#if REDS_DSP
enum { ones = 0x00010001 };

/* sum + the products of eight inputs with their weights, of which two words have the halves. */
static inline int32_t add_whole(reds_pairs p, const uint8_t *upper, const uint8_t *lower, int32_t sum) {
  const reds_word high = reds_load(upper), low = reds_load(lower);
  const reds_word even = (high << 4 & 0xF0F0F0F0u) | (low & 0x0F0F0F0Fu);
  const reds_word odd = (high & 0xF0F0F0F0u) | (low >> 4 & 0x0F0F0F0Fu);
  sum = reds_add_products(p.a, reds_even(even), sum);
  sum = reds_add_products(p.c, reds_odd(even), sum);
  sum = reds_add_products(p.b, reds_even(odd), sum);
  sum = reds_add_products(p.d, reds_odd(odd), sum);
  reds_barrier();
  return sum;
}

/* sum + 16 times the products of eight inputs with upper halves. */
static inline int32_t add_upper(reds_pairs p, const uint8_t *upper, int32_t sum) {
  const reds_word word = reds_load(upper), even = word << 4 & 0xF0F0F0F0u, odd = word & 0xF0F0F0F0u;
  sum = reds_add_products(p.a, reds_even(even), sum);
  sum = reds_add_products(p.c, reds_odd(even), sum);
  sum = reds_add_products(p.b, reds_even(odd), sum);
  sum = reds_add_products(p.d, reds_odd(odd), sum);
  reds_barrier();
  return sum;
}
#endif

#if REDS_MVE
/* sum + the products of 32 inputs with their weights. */
static inline int32_t add_whole(int8x16x2_t inputs, const uint8_t *upper, const uint8_t *lower, int32_t sum) {
  const uint8x16_t high = vldrbq_u8(upper), low = vldrbq_u8(lower);
  sum = vmladavaq_s8(sum, inputs.val[0], vreinterpretq_s8_u8(vsliq_n_u8(low, high, 4)));
  return vmladavaq_s8(sum, inputs.val[1], vreinterpretq_s8_u8(vsriq_n_u8(high, low, 4)));
}

/* sum + 16 times the products of 32 inputs with upper halves. */
static inline int32_t add_upper(int8x16x2_t inputs, const uint8_t *upper, int32_t sum) {
  const uint8x16_t high = vldrbq_u8(upper);
  sum = vmladavaq_s8(sum, inputs.val[0], vreinterpretq_s8_u8(vshlq_n_u8(high, 4)));
  return vmladavaq_s8(sum, inputs.val[1], vreinterpretq_s8_u8(vandq_u8(high, vdupq_n_u8(0xF0))));
}
#endif

static void dot_four_whole(const reds_runs *runs, const int8_t *inputs, const uint8_t *upper, const uint8_t *lower,
                           int32_t bytes, const int32_t *start, int32_t *sums) {
  const int32_t stride = runs->stride, twice = 2 * stride, thrice = 3 * stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step) {
    const uint8_t *a = upper, *b = lower;
    const int8_t *value = inputs;
    int32_t left = bytes;
#if REDS_MVE
    for (; left >= 16; left -= 16, a += 16, b += 16, value += 32) {
      const int8x16x2_t values = vld2q_s8(value);
      sum_a = add_whole(values, a, b, sum_a);
      sum_b = add_whole(values, a + stride, b + stride, sum_b);
      sum_c = add_whole(values, a + twice, b + twice, sum_c);
      sum_d = add_whole(values, a + thrice, b + thrice, sum_d);
    }
#elif REDS_DSP
    for (const uint8_t *const end = a + (left & ~3); a != end; a += 4, b += 4) {
      const reds_word first = reds_next(&value);
      const reds_pairs p = reds_paired(first, reds_next(&value));
      sum_a = add_whole(p, a, b, sum_a);
      sum_b = add_whole(p, a + stride, b + stride, sum_b);
      sum_c = add_whole(p, a + twice, b + twice, sum_c);
      sum_d = add_whole(p, a + thrice, b + thrice, sum_d);
    }
    left &= 3;
#endif
    for (; left > 0; left--, a++, b++) {
      const int32_t even = *value++, odd = *value++;
      sum_a += even * reds_whole(*a, *b, 0) + odd * reds_whole(*a, *b, 4);
      sum_b += even * reds_whole(a[stride], b[stride], 0) + odd * reds_whole(a[stride], b[stride], 4);
      sum_c += even * reds_whole(a[twice], b[twice], 0) + odd * reds_whole(a[twice], b[twice], 4);
      sum_d += even * reds_whole(a[thrice], b[thrice], 0) + odd * reds_whole(a[thrice], b[thrice], 4);
    }
    upper += runs->weight_step;
    lower += runs->weight_step;
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

/* The sum of products with 16 h + 8 is that with 16 h, and 8 times the sum of the inputs, which four channels share. */
static void dot_four_upper(const reds_runs *runs, const int8_t *inputs, const uint8_t *upper, int32_t bytes,
                           const int32_t *start, int32_t *sums) {
  const int32_t stride = runs->stride, twice = 2 * stride, thrice = 3 * stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3], sum = 0;
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, upper += runs->weight_step) {
    const uint8_t *a = upper;
    const int8_t *value = inputs;
    int32_t left = bytes;
#if REDS_MVE
    for (; left >= 16; left -= 16, a += 16, value += 32) {
      const int8x16x2_t values = vld2q_s8(value);
      sum = vaddvaq_s8(vaddvaq_s8(sum, values.val[0]), values.val[1]);
      sum_a = add_upper(values, a, sum_a);
      sum_b = add_upper(values, a + stride, sum_b);
      sum_c = add_upper(values, a + twice, sum_c);
      sum_d = add_upper(values, a + thrice, sum_d);
    }
#elif REDS_DSP
    for (const uint8_t *const end = a + (left & ~3); a != end; a += 4) {
      const reds_word first = reds_next(&value);
      const reds_pairs p = reds_paired(first, reds_next(&value));
      sum = reds_add_products(p.b, ones, reds_add_products(p.a, ones, sum));
      sum = reds_add_products(p.d, ones, reds_add_products(p.c, ones, sum));
      sum_a = add_upper(p, a, sum_a);
      sum_b = add_upper(p, a + stride, sum_b);
      sum_c = add_upper(p, a + twice, sum_c);
      sum_d = add_upper(p, a + thrice, sum_d);
    }
    left &= 3;
#endif
    for (; left > 0; left--, a++) {
      const int32_t even = *value++, odd = *value++;
      sum += even + odd;
      sum_a += even * reds_upper(*a, 0) + odd * reds_upper(*a, 4);
      sum_b += even * reds_upper(a[stride], 0) + odd * reds_upper(a[stride], 4);
      sum_c += even * reds_upper(a[twice], 0) + odd * reds_upper(a[twice], 4);
      sum_d += even * reds_upper(a[thrice], 0) + odd * reds_upper(a[thrice], 4);
    }
  }
  sums[0] = sum_a + REDS_MIDDLE * sum;
  sums[1] = sum_b + REDS_MIDDLE * sum;
  sums[2] = sum_c + REDS_MIDDLE * sum;
  sums[3] = sum_d + REDS_MIDDLE * sum;
}

/* The products of the inputs of each run from the one `first` on with weights from element `element` on. */
static int32_t dot_one(const reds_runs *runs, const int8_t *inputs, const reds_split_weights *w, int32_t element,
                       int32_t first, int32_t sum) {
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, element += runs->weight_step) {
    for (int32_t i = first; i < runs->count; i++) sum += inputs[i] * reds_split_at(w, element + i);
  }
  return sum;
}

static void dot_split(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t outputs,
                      const int32_t *start, int32_t *sums) {
  const reds_split_weights *const w = (const void *)weights;
  const int32_t bytes = runs->count / 2, done = bytes * 2;
  int32_t element = runs->element;
  if ((element | runs->stride | runs->weight_step) % 2 == 0) {
    reds_runs whole = *runs; /* with distances in bytes */
    whole.stride /= 2;
    whole.weight_step /= 2;
    for (; outputs >= 4; outputs -= 4, start += 4, sums += 4) {
      const uint8_t *const upper = w->upper + element / 2;
      if (w->lower) {
        dot_four_whole(&whole, inputs, upper, w->lower + element / 2, bytes, start, sums);
      } else {
        dot_four_upper(&whole, inputs, upper, bytes, start, sums);
      }
      for (int32_t k = 0; k < 4; k++, element += runs->stride) {
        if (done < runs->count) sums[k] = dot_one(runs, inputs, w, element, done, sums[k]);
      }
    }
  }
  for (; outputs > 0; outputs--, element += runs->stride) {
    *sums++ = dot_one(runs, inputs, w, element, 0, *start++);
  }
}

void reds_convolve_split(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_any(settings, dot_split, first, output);
}
