/* Sums over taps, in plain C and with the instructions of Arm cores for signal processing and for vectors. */
#include "reds_taps.h"
#include "reds_simd.h"

#if REDS_MVE
/* sum + the products of four inputs with their weights. */
static inline int32x4_t add_vector(int32x4_t sum, const int8_t *values, const int8_t *weights) {
  return vaddq_s32(sum, vmulq_s32(vldrbq_s32(values), vldrbq_s32(weights)));
}

void reds_add_taps(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights, int32_t element,
                   const int32_t *start, int32_t *sums) {
  const int8_t *first = (const int8_t *)weights + element;
  const int32_t row = taps->row;
  const int8_t *const *const end = taps->inputs + taps->count;
  for (; count >= 16; count -= 16, first += 16, place += 16, start += 16, sums += 16) {
    int32x4_t sum_a = vldrwq_s32(start), sum_b = vldrwq_s32(start + 4);
    int32x4_t sum_c = vldrwq_s32(start + 8), sum_d = vldrwq_s32(start + 12);
    const int8_t *weight = first;
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) {
      const int8_t *const values = *tap++ + place;
      sum_a = add_vector(sum_a, values, weight);
      sum_b = add_vector(sum_b, values + 4, weight + 4);
      sum_c = add_vector(sum_c, values + 8, weight + 8);
      sum_d = add_vector(sum_d, values + 12, weight + 12);
    }
    vstrwq_s32(sums, sum_a);
    vstrwq_s32(sums + 4, sum_b);
    vstrwq_s32(sums + 8, sum_c);
    vstrwq_s32(sums + 12, sum_d);
  }
  for (; count > 0; count -= 4, first += 4, place += 4, start += 4, sums += 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)count);
    int32x4_t sum = vldrwq_z_s32(start, valid);
    const int8_t *weight = first;
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) {
      sum = vaddq_s32(sum, vmulq_s32(vldrbq_z_s32(*tap++ + place, valid), vldrbq_z_s32(weight, valid)));
    }
    vstrwq_p_s32(sums, sum, valid);
  }
}

#else
void reds_add_taps(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights, int32_t element,
                   const int32_t *start, int32_t *sums) {
  const int8_t *first = (const int8_t *)weights + element;
  const int32_t row = taps->row;
  const int8_t *const *const end = taps->inputs + taps->count;
  for (; count >= 4; count -= 4, first += 4, place += 4, start += 4, sums += 4) {
    int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
    const int8_t *weight = first;
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) {
      const int8_t *const values = *tap++ + place;
#if REDS_DSP
      const reds_word word = reds_load(values), weight_word = reds_load(weight);
      const reds_word even = reds_even(word), odd = reds_odd(word);
      const reds_word weight_even = reds_even(weight_word), weight_odd = reds_odd(weight_word);
      sum_a = reds_add_low(even, weight_even, sum_a);
      sum_b = reds_add_low(odd, weight_odd, sum_b);
      sum_c = reds_add_high(even, weight_even, sum_c);
      sum_d = reds_add_high(odd, weight_odd, sum_d);
#else
      sum_a += values[0] * weight[0];
      sum_b += values[1] * weight[1];
      sum_c += values[2] * weight[2];
      sum_d += values[3] * weight[3];
#endif
    }
    sums[0] = sum_a;
    sums[1] = sum_b;
    sums[2] = sum_c;
    sums[3] = sum_d;
  }
  for (; count > 0; count--, first++, place++) {
    const int8_t *weight = first;
    int32_t sum = *start++;
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) sum += (*tap++)[place] * *weight;
    *sums++ = sum;
  }
}
#endif
