/* Sums over taps, in plain C and with the instructions of Arm cores for signal processing and for vectors. */
#include "reds_taps.h"
#include "reds_simd.h"

void reds_add_taps(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights, int32_t element,
                   const int32_t *start, int32_t *sums) {
  const int8_t *const first = (const int8_t *)weights + element;
  const int32_t row = taps->row;
  const int8_t *const *const end = taps->inputs + taps->count;
  int32_t k = 0;
  for (; k + 4 <= count; k += 4, place += 4, start += 4, sums += 4) {
    const int8_t *weight = first + k;
#if REDS_MVE
    int32x4_t sum = vldrwq_s32(start);
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) {
      sum = vaddq_s32(sum, vmulq_s32(vldrbq_s32(*tap++ + place), vldrbq_s32(weight)));
    }
    vstrwq_s32(sums, sum);
#else
    int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
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
#endif
  }
  for (; k < count; k++, place++) {
    const int8_t *weight = first + k;
    int32_t sum = *start++;
    for (const int8_t *const *tap = taps->inputs; tap != end; weight += row) sum += (*tap++)[place] * *weight;
    *sums++ = sum;
  }
}
