/* Depthwise convolutions with weights of 8 bits in two halves, or with the upper halves alone. */
#include "reds_convolve.h"
#include "reds_split.h"

/* Four channels whose weights of a tap are two bytes of each half, of which the rows begin at `upper` and `lower`. */
static void add_four_whole(const reds_tap_list *taps, int32_t place, const uint8_t *upper, const uint8_t *lower,
                           const int32_t *start, int32_t *sums) {
  const int8_t *const *const end = taps->inputs + taps->count;
  const int32_t step = taps->row / 2;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (const int8_t *const *tap = taps->inputs; tap != end; upper += step, lower += step) {
    const int8_t *const values = *tap++ + place;
    const uint32_t first = upper[0], second = upper[1], low = lower[0], next = lower[1];
    sum_a += values[0] * reds_whole(first, low, 0);
    sum_b += values[1] * reds_whole(first, low, 4);
    sum_c += values[2] * reds_whole(second, next, 0);
    sum_d += values[3] * reds_whole(second, next, 4);
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

/* The same with upper halves alone. */
static void add_four_upper(const reds_tap_list *taps, int32_t place, const uint8_t *upper, const int32_t *start,
                           int32_t *sums) {
  const int8_t *const *const end = taps->inputs + taps->count;
  const int32_t step = taps->row / 2;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (const int8_t *const *tap = taps->inputs; tap != end; upper += step) {
    const int8_t *const values = *tap++ + place;
    const uint32_t first = upper[0], second = upper[1];
    sum_a += values[0] * (reds_upper(first, 0) + REDS_MIDDLE);
    sum_b += values[1] * (reds_upper(first, 4) + REDS_MIDDLE);
    sum_c += values[2] * (reds_upper(second, 0) + REDS_MIDDLE);
    sum_d += values[3] * (reds_upper(second, 4) + REDS_MIDDLE);
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

static int32_t add_one(const reds_tap_list *taps, int32_t place, const reds_split_weights *w, int32_t element,
                       int32_t sum) {
  for (int32_t i = 0; i < taps->count; i++, element += taps->row) {
    sum += taps->inputs[i][place] * reds_split_at(w, element);
  }
  return sum;
}

static void add_taps_split(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights,
                           int32_t element, const int32_t *start, int32_t *sums) {
  const reds_split_weights *const w = (const void *)weights;
  if ((element | taps->row) % 2 == 0) {
    for (; count >= 4; count -= 4, place += 4, element += 4, start += 4, sums += 4) {
      const uint8_t *const upper = w->upper + element / 2;
      if (w->lower) {
        add_four_whole(taps, place, upper, w->lower + element / 2, start, sums);
      } else {
        add_four_upper(taps, place, upper, start, sums);
      }
    }
  }
  for (; count > 0; count--) *sums++ = add_one(taps, place++, w, element++, *start++);
}

void reds_convolve_depthwise_split(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_depthwise_any(settings, 0, add_taps_split, first, output);
}
