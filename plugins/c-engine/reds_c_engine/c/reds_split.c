/* Convolutions with weights of 8 bits in two halves, or with the upper halves alone. The functions for weights are given
 * the structure reds_split_weights in place of weights. */
#include "reds_convolve.h"
#include "reds_pairs.h"
#include "reds_split.h"
#include <stddef.h>

#if REDS_DSP
/* sum + the products of eight inputs with their weights, of which two words have the halves. */
static inline int32_t add_word(reds_pairs p, reds_word upper, reds_word lower, int32_t sum) {
  const reds_word even = (upper << 4 & 0xF0F0F0F0u) | (lower & 0x0F0F0F0Fu);
  const reds_word odd = (upper & 0xF0F0F0F0u) | (lower >> 4 & 0x0F0F0F0Fu);
  sum = reds_add_products(p.a, reds_even(even), sum);
  sum = reds_add_products(p.b, reds_even(odd), sum);
  sum = reds_add_products(p.c, reds_odd(even), sum);
  sum = reds_add_products(p.d, reds_odd(odd), sum);
  reds_barrier();
  return sum;
}
#endif

#if REDS_MVE
/* sum + the products of 32 inputs with their weights. */
static inline int32_t add_vector(int8x16x2_t inputs, uint8x16_t upper, uint8x16_t lower, int32_t sum) {
  const uint8x16_t even = vsliq_n_u8(lower, upper, 4), odd = vsriq_n_u8(upper, lower, 4);
  sum = vmladavaq_s8(sum, inputs.val[0], vreinterpretq_s8_u8(even));
  return vmladavaq_s8(sum, inputs.val[1], vreinterpretq_s8_u8(odd));
}
#endif

/* Four output channels, over `bytes` bytes of each half of each run. Distances are in bytes. `lower` is not read unless
 * `has_lower`, for which callers give a constant. */
static inline void dot_four(const reds_runs *runs, const int8_t *inputs, const uint8_t *upper, const uint8_t *lower,
                            int has_lower, int32_t bytes, const int32_t *start, int32_t *sums) {
  const int32_t stride = runs->stride, twice = 2 * stride, thrice = 3 * stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step) {
    const uint8_t *a = upper, *b = lower;
    const int8_t *value = inputs;
    int32_t left = bytes;
#if REDS_MVE
    const uint8x16_t middle = vdupq_n_u8(REDS_MIDDLE);
    for (; left >= 16; left -= 16, a += 16, value += 32) {
      const int8x16x2_t values = vld2q_s8(value);
      sum_a = add_vector(values, vldrbq_u8(a), has_lower ? vldrbq_u8(b) : middle, sum_a);
      sum_b = add_vector(values, vldrbq_u8(a + stride), has_lower ? vldrbq_u8(b + stride) : middle, sum_b);
      sum_c = add_vector(values, vldrbq_u8(a + twice), has_lower ? vldrbq_u8(b + twice) : middle, sum_c);
      sum_d = add_vector(values, vldrbq_u8(a + thrice), has_lower ? vldrbq_u8(b + thrice) : middle, sum_d);
      if (has_lower) b += 16;
    }
#elif REDS_DSP
    const reds_word middle = REDS_MIDDLE * 0x01010101u;
    for (const uint8_t *const end = a + (left & ~3); a != end; a += 4) {
      const reds_word first = reds_next(&value);
      const reds_pairs p = reds_paired(first, reds_next(&value));
      sum_a = add_word(p, reds_load(a), has_lower ? reds_load(b) : middle, sum_a);
      sum_b = add_word(p, reds_load(a + stride), has_lower ? reds_load(b + stride) : middle, sum_b);
      sum_c = add_word(p, reds_load(a + twice), has_lower ? reds_load(b + twice) : middle, sum_c);
      sum_d = add_word(p, reds_load(a + thrice), has_lower ? reds_load(b + thrice) : middle, sum_d);
      if (has_lower) b += 4;
    }
    left &= 3;
#endif
    for (; left > 0; left--, a++) {
      const int32_t even = *value++, odd = *value++;
      uint32_t low_a = REDS_MIDDLE, low_b = REDS_MIDDLE, low_c = REDS_MIDDLE, low_d = REDS_MIDDLE;
      if (has_lower) {
        low_a = b[0], low_b = b[stride], low_c = b[twice], low_d = b[thrice];
        b++;
      }
      sum_a += even * reds_joined(a[0], low_a) + odd * reds_joined(a[0] >> 4, low_a >> 4);
      sum_b += even * reds_joined(a[stride], low_b) + odd * reds_joined(a[stride] >> 4, low_b >> 4);
      sum_c += even * reds_joined(a[twice], low_c) + odd * reds_joined(a[twice] >> 4, low_c >> 4);
      sum_d += even * reds_joined(a[thrice], low_d) + odd * reds_joined(a[thrice] >> 4, low_d >> 4);
    }
    upper += runs->weight_step;
    if (has_lower) lower += runs->weight_step;
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
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
        dot_four(&whole, inputs, upper, w->lower + element / 2, 1, bytes, start, sums);
      } else {
        dot_four(&whole, inputs, upper, NULL, 0, bytes, start, sums);
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
