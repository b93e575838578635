/* Dot products of inputs with the weights of one or four output channels: the inner loops of convolutions. */
#ifndef REDS_DOT_H
#define REDS_DOT_H
#include <stdint.h>

/* sums[k] += inputs . weights[k * stride ...], for the four output channels k, over `count` elements. */
static inline void reds_dot_four(const int8_t *inputs, const int8_t *weights, int32_t stride, int32_t count,
                                 int32_t *sums) {
  const int8_t *a = weights, *b = a + stride, *c = b + stride, *d = c + stride;
  int32_t sum_a = sums[0], sum_b = sums[1], sum_c = sums[2], sum_d = sums[3];
  for (; count > 0; count--) {
    const int32_t value = *inputs++;
    sum_a += value * *a++;
    sum_b += value * *b++;
    sum_c += value * *c++;
    sum_d += value * *d++;
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

/* The same for one output channel. */
static inline int32_t reds_dot_one(const int8_t *inputs, const int8_t *weights, int32_t count, int32_t sum) {
  for (; count > 0; count--) sum += *inputs++ * *weights++;
  return sum;
}

#endif
