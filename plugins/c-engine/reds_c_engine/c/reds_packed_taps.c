/* Sums over taps with weights of 4 or 2 bits. */
#include "reds_bits.h"
#include "reds_taps.h"

static int32_t add_one(const reds_tap_list *taps, int32_t place, const uint8_t *weights, int32_t element, int32_t sum) {
  for (int32_t i = 0; i < taps->count; i++, element += taps->row) {
    sum += taps->inputs[i][place] * reds_weight_at(weights, element, taps->bits);
  }
  return sum;
}

/* Four channels whose weights of a tap are two bytes of 4 bits each, or one byte of 2 bits each. */
static void add_four(const reds_tap_list *taps, int32_t place, const uint8_t *row, const int32_t *start,
                     int32_t *sums) {
  const int8_t *const *const end = taps->inputs + taps->count;
  const int32_t step = taps->row * taps->bits / 8;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  if (taps->bits == 4) {
    for (const int8_t *const *tap = taps->inputs; tap != end; row += step) {
      const int8_t *const values = *tap++ + place;
      const uint32_t low = row[0], high = row[1];
      sum_a += values[0] * reds_field(low, 0, 4);
      sum_b += values[1] * reds_field(low, 4, 4);
      sum_c += values[2] * reds_field(high, 0, 4);
      sum_d += values[3] * reds_field(high, 4, 4);
    }
  } else {
    for (const int8_t *const *tap = taps->inputs; tap != end; row += step) {
      const int8_t *const values = *tap++ + place;
      const uint32_t byte = *row;
      sum_a += values[0] * reds_field(byte, 0, 2);
      sum_b += values[1] * reds_field(byte, 2, 2);
      sum_c += values[2] * reds_field(byte, 4, 2);
      sum_d += values[3] * reds_field(byte, 6, 2);
    }
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

void reds_add_taps_packed(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights,
                          int32_t element, const int32_t *start, int32_t *sums) {
  if ((element | taps->row) * taps->bits % 8 == 0) {
    for (; count >= 4; count -= 4, place += 4, element += 4, start += 4, sums += 4) {
      add_four(taps, place, weights + element * taps->bits / 8, start, sums);
    }
  }
  for (; count > 0; count--) *sums++ = add_one(taps, place++, weights, element++, *start++);
}
