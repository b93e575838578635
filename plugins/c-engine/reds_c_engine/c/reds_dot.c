/* Dot products, in plain C and with the instructions of Arm cores for signal processing and for vectors. */
#include "reds_dot.h"
#include "reds_simd.h"

/* Four output channels at a time, so that each input is loaded once for four products. */
static void dot_four(const reds_runs *runs, const int8_t *inputs, const int8_t *weights, const int32_t *start,
                     int32_t *sums) {
  const int32_t stride = runs->stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const int8_t *value = inputs, *a = weights;
    int32_t count = runs->count;
#if REDS_MVE
    for (; count > 0; count -= 16, value += 16, a += 16) {
      const mve_pred16_t valid = vctp8q((uint32_t)count);
      const int8x16_t values = vldrbq_z_s8(value, valid);
      sum_a = vmladavaq_p_s8(sum_a, values, vldrbq_z_s8(a, valid), valid);
      sum_b = vmladavaq_p_s8(sum_b, values, vldrbq_z_s8(a + stride, valid), valid);
      sum_c = vmladavaq_p_s8(sum_c, values, vldrbq_z_s8(a + 2 * stride, valid), valid);
      sum_d = vmladavaq_p_s8(sum_d, values, vldrbq_z_s8(a + 3 * stride, valid), valid);
    }
#else
#if REDS_DSP
    const int32_t twice = 2 * stride, thrice = 3 * stride;
    for (const int8_t *const end = value + (count & ~3); value != end; a += 4) {
      const reds_word values = reds_next(&value), even = reds_even(values), odd = reds_odd(values);
      sum_a = reds_add_word(even, odd, reds_load(a), sum_a);
      sum_b = reds_add_word(even, odd, reds_load(a + stride), sum_b);
      sum_c = reds_add_word(even, odd, reds_load(a + twice), sum_c);
      sum_d = reds_add_word(even, odd, reds_load(a + thrice), sum_d);
    }
    count &= 3;
#endif
    const int8_t *b = a + stride, *c = b + stride, *d = c + stride;
    for (; count > 0; count--) {
      const int32_t v = *value++;
      sum_a += v * *a++;
      sum_b += v * *b++;
      sum_c += v * *c++;
      sum_d += v * *d++;
    }
#endif
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

static int32_t dot_one(const reds_runs *runs, const int8_t *inputs, const int8_t *weights, int32_t sum) {
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const int8_t *value = inputs, *a = weights;
    int32_t count = runs->count;
#if REDS_MVE
    for (; count > 0; count -= 16, value += 16, a += 16) {
      const mve_pred16_t valid = vctp8q((uint32_t)count);
      sum = vmladavaq_p_s8(sum, vldrbq_z_s8(value, valid), vldrbq_z_s8(a, valid), valid);
    }
#else
#if REDS_DSP
    for (const int8_t *const end = value + (count & ~3); value != end;) {
      const reds_word values = reds_next(&value);
      sum = reds_add_word(reds_even(values), reds_odd(values), reds_next(&a), sum);
    }
    count &= 3;
#endif
    for (; count > 0; count--) sum += *value++ * *a++;
#endif
  }
  return sum;
}

void reds_dot(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t outputs,
              const int32_t *start, int32_t *sums) {
  const int8_t *weight = (const int8_t *)weights + runs->element;
  for (; outputs >= 4; outputs -= 4, weight += 4 * runs->stride, start += 4, sums += 4) {
    dot_four(runs, inputs, weight, start, sums);
  }
  for (; outputs > 0; outputs--, weight += runs->stride) *sums++ = dot_one(runs, inputs, weight, *start++);
}
