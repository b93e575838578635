/* Convolutions with a mask of the weights that are stored; the others are 0 and take no multiplication. */
#include "reds_bits.h"
#include "reds_windows.h"

/* The place of the lowest bit of a word that is 1. */
static inline int32_t lowest_bit(uint32_t word) {
#if defined(__GNUC__)
  return __builtin_ctz(word);
#else
  int32_t place = 0;
  for (; !(word & 1); word >>= 1) place++;
  return place;
#endif
}

/* The value at a place, which is a weight of `bits` bits, or an index into a codebook. */
static inline int32_t value_at(const uint8_t *values, int32_t place, int32_t bits, const int8_t *codebook) {
  if (bits == 8) return (int8_t)values[place];
  const int32_t value = reds_weight_at(values, place, bits);
  return codebook ? codebook[value & ((1 << bits) - 1)] : value;
}

/* Add the products of the stored weights among `count`, whose bits are the lowest of a word of the mask. */
static inline int32_t add_masked(reds_tile *tile, int32_t k, int32_t place, uint32_t word, const uint8_t *values,
                                 int32_t next, int32_t bits, const int8_t *codebook) {
  const int8_t *const inputs = tile->inputs[0] + place;
  if (tile->positions == 1) {
    int32_t sum = tile->sums[0][k];
    for (; word; word &= word - 1) sum += value_at(values, next++, bits, codebook) * inputs[lowest_bit(word)];
    tile->sums[0][k] = sum;
    return next;
  }
  int32_t sum_a = tile->sums[0][k], sum_b = tile->sums[1][k], sum_c = tile->sums[2][k], sum_d = tile->sums[3][k];
  for (; word; word &= word - 1) {
    const int32_t weight = value_at(values, next++, bits, codebook);
    const int8_t *const input = inputs + lowest_bit(word);
    sum_a += weight * input[0];
    sum_b += weight * input[REDS_PIECE];
    sum_c += weight * input[2 * REDS_PIECE];
    sum_d += weight * input[3 * REDS_PIECE];
  }
  tile->sums[0][k] = sum_a;
  tile->sums[1][k] = sum_b;
  tile->sums[2][k] = sum_c;
  tile->sums[3][k] = sum_d;
  return next;
}

/* All channels of a tile. It is inlined with constants for weights of 8 bits. */
static inline void add_channels(const reds_coded_weights *w, reds_tile *tile, int32_t bits, const int8_t *codebook) {
  int32_t first = tile->channel * tile->stride + tile->element;
  if (codebook) codebook += tile->channel * w->clusters;
  for (int32_t k = 0; k < tile->outputs; k++, first += tile->stride) {
    const uint8_t *byte = w->mask + (first >> 3);
    const int32_t shift = first & 7;
    int32_t i = 0, next = tile->next[k];
    if (shift) {
      i = 8 - shift < tile->count ? 8 - shift : tile->count;
      next = add_masked(tile, k, 0, *byte++ >> shift & ((1u << i) - 1), w->values, next, bits, codebook);
    }
    for (; tile->count - i >= 32; i += 32, byte += 4) {
      next = add_masked(tile, k, i, reds_load_32(byte), w->values, next, bits, codebook);
    }
    for (; i < tile->count; i += 8) {
      const uint32_t bits_left = tile->count - i < 8 ? (1u << (tile->count - i)) - 1 : 255;
      next = add_masked(tile, k, i, *byte++ & bits_left, w->values, next, bits, codebook);
    }
    tile->next[k] = next;
    if (codebook) codebook += w->clusters;
  }
}

static void add_sparse(const reds_coded_weights *w, reds_tile *tile) {
  if (w->bits == 8) {
    add_channels(w, tile, 8, 0);
  } else {
    add_channels(w, tile, w->bits, w->codebook);
  }
}

void reds_convolve_sparse(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_windows(settings, add_sparse, first, output);
}
