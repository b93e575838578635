/* Weights of 8 bits in two halves. */
#ifndef REDS_SPLIT_H
#define REDS_SPLIT_H
#include "reds_bits.h"
#include "reds_engine.h"

enum { REDS_MIDDLE = 8 }; /* What lower halves count where there are none: the middle of 0 ... 15. */

/* 16 times the upper half of a weight, which begins at bit `place` of a byte. */
static inline int32_t reds_upper(uint32_t byte, int32_t place) {
  return 16 * reds_field(byte, place, 4);
}

/* The weight whose halves begin at bit `place` of two bytes. */
static inline int32_t reds_whole(uint32_t upper, uint32_t lower, int32_t place) {
  return (int8_t)(uint8_t)(upper >> place << 4 | (lower >> place & 15u));
}

/* A weight. */
static inline int32_t reds_split_at(const reds_split_weights *weights, int32_t element) {
  const int32_t byte = element >> 1, place = (element & 1) * 4;
  const int32_t lower = weights->lower ? weights->lower[byte] >> place & 15 : REDS_MIDDLE;
  return reds_upper(weights->upper[byte], place) + lower;
}

#endif
