/* Weights of 4 or 2 bits, packed with the first in the lowest bits of a byte. */
#ifndef REDS_BITS_H
#define REDS_BITS_H
#include <stdint.h>

/* The weight whose lowest bit is bit `place` of a byte. With constants, it is one instruction of most cores. */
static inline int32_t reds_field(uint32_t byte, int32_t place, int32_t bits) {
  return (int32_t)(byte << (32 - bits - place)) >> (32 - bits);
}

/* A weight of 8, 4 or 2 bits. */
static inline int32_t reds_weight_at(const uint8_t *weights, int32_t element, int32_t bits) {
  const int32_t bit = element * bits;
  return reds_field(weights[bit >> 3], bit & 7, bits);
}

/* The next 32 bits, of which the first byte has the lowest. */
static inline uint32_t reds_load_32(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

#endif
