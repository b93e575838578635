/* Outputs of dot products of 16-bit inputs and rows of 8-bit weights, four at a time. */
#include "reds_wide_dot.h"
#include "reds_simd.h"

/* Add the products of at most REDS_WIDE_TERMS inputs and four rows of weights. */
static void add_four(const int16_t *input, const int8_t *weight, int32_t row, int32_t count, int64_t *sums) {
  const int8_t *w0 = weight, *w1 = w0 + row, *w2 = w1 + row, *w3 = w2 + row;
  int32_t a = 0, b = 0, c = 0, d = 0;
#if REDS_DSP
  for (; count >= 4; count -= 4, input += 4) {
    const reds_word low = reds_load(input), high = reds_load(input + 2);
    const reds_word even = (low & 0xffff) | high << 16, odd = low >> 16 | (high & 0xffff0000); /* as of weights */
    reds_word word = reds_next(&w0);
    a = reds_add_products(odd, reds_odd(word), reds_add_products(even, reds_even(word), a));
    word = reds_next(&w1);
    b = reds_add_products(odd, reds_odd(word), reds_add_products(even, reds_even(word), b));
    word = reds_next(&w2);
    c = reds_add_products(odd, reds_odd(word), reds_add_products(even, reds_even(word), c));
    word = reds_next(&w3);
    d = reds_add_products(odd, reds_odd(word), reds_add_products(even, reds_even(word), d));
  }
#endif
  for (; count > 0; count--) {
    const int32_t x = *input++;
    a += x * *w0++;
    b += x * *w1++;
    c += x * *w2++;
    d += x * *w3++;
  }
  sums[0] += a;
  sums[1] += b;
  sums[2] += c;
  sums[3] += d;
}

void reds_wide_outputs(const reds_wide_convolution *s, const int16_t *input, int32_t count, int32_t row,
                       int16_t *output) {
  const int8_t *weight = s->weights;
  int32_t channel = 0;
  for (; channel + 4 <= s->out_channels; channel += 4, weight += 4 * row) {
    int64_t sums[4] = {0};
    for (int32_t done = 0; done < count; done += REDS_WIDE_TERMS) {
      const int32_t left = count - done;
      add_four(input + done, weight + done, row, left < REDS_WIDE_TERMS ? left : REDS_WIDE_TERMS, sums);
    }
    for (int32_t i = 0; i < 4; i++) *output++ = reds_wide_output(s, channel + i, sums[i]);
  }
  for (; channel < s->out_channels; channel++, weight += row) {
    *output++ = reds_wide_output(s, channel, reds_wide_dot(input, weight, count));
  }
}
