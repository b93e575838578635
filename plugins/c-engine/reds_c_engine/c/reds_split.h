/* Weights of 8 bits in two halves. */
#ifndef REDS_SPLIT_H
#define REDS_SPLIT_H
#include "reds_engine.h"

/* Bytes of the lower halves that count where there are none: 8 is the middle of 0 ... 15. */
#define REDS_MIDDLE 0x88u

/* The weight whose halves are the lower 4 bits of two bytes. */
static inline int32_t reds_joined(uint32_t upper, uint32_t lower) {
  return (int8_t)(uint8_t)(upper << 4 | (lower & 15u));
}

/* A weight. */
static inline int32_t reds_split_at(const reds_split_weights *weights, int32_t element) {
  const int32_t byte = element >> 1, shift = (element & 1) * 4;
  const uint32_t lower = weights->lower ? weights->lower[byte] : REDS_MIDDLE;
  return reds_joined((uint32_t)weights->upper[byte] >> shift, lower >> shift);
}

#endif
