/* Convolutions with a mask of the weights that are stored. If few are, the others take no instructions; otherwise rows
 * of weights are restored, zeros included, since cores multiply several numbers at a time. */
#include "reds_bits.h"
#include "reds_simd.h"
#include "reds_windows.h"
#include <string.h>

/* Rows of weights are restored from so many stored weights in a hundred on, where that takes fewer instructions. */
#if REDS_MVE
enum { many = 22 };
#elif REDS_DSP
enum { many = 50 };
#else
enum { many = 80 };
#endif

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

/* The values of a channel. */
typedef struct {
  const uint8_t *values;
  const int8_t *codebook;
  int32_t next;
} channel_values;

/* What is done with the stored weights among 32 or fewer, whose bits are the lowest of a word of the mask: `place` is
 * the first of them in the part of the row. */
typedef void word_function(reds_tile *tile, int32_t k, int32_t place, uint32_t word, channel_values *v, int8_t *row,
                           int32_t bits);

static inline void restore(reds_tile *tile, int32_t k, int32_t place, uint32_t word, channel_values *v, int8_t *row,
                           int32_t bits) {
  int32_t next = v->next;
  (void)tile;
  (void)k;
  for (row += place; word; word &= word - 1) {
    row[lowest_bit(word)] = (int8_t)value_at(v->values, next++, bits, v->codebook);
  }
  v->next = next;
}

/* Add the products of four positions from t on. */
static inline void multiply_four(reds_tile *tile, int32_t k, int32_t t, int32_t place, uint32_t word,
                                 const channel_values *v, int32_t bits) {
  const int8_t *const inputs = tile->inputs[t] + place;
  int32_t *const sums = tile->sums[k] + t, next = v->next;
  int32_t sum_a = sums[0], sum_b = sums[1], sum_c = sums[2], sum_d = sums[3];
  for (; word; word &= word - 1) {
    const int32_t weight = value_at(v->values, next++, bits, v->codebook);
    const int8_t *const input = inputs + lowest_bit(word);
    sum_a += weight * input[0];
    sum_b += weight * input[REDS_PIECE];
    sum_c += weight * input[2 * REDS_PIECE];
    sum_d += weight * input[3 * REDS_PIECE];
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

static inline void multiply(reds_tile *tile, int32_t k, int32_t place, uint32_t word, channel_values *v, int8_t *row,
                            int32_t bits) {
  int32_t t = 0, next = v->next;
  (void)row;
  for (; tile->positions - t >= 4; t += 4) multiply_four(tile, k, t, place, word, v, bits);
  for (; t < tile->positions; t++) {
    const int8_t *const inputs = tile->inputs[t] + place;
    int32_t sum = tile->sums[k][t];
    next = v->next;
    for (uint32_t left = word; left; left &= left - 1) {
      sum += value_at(v->values, next++, bits, v->codebook) * inputs[lowest_bit(left)];
    }
    tile->sums[k][t] = sum;
  }
  for (next = v->next; word; word &= word - 1) next++;
  v->next = next;
}

/* Go through the mask of a channel. It is inlined for each function and for weights of 8 bits. */
static inline void for_words(word_function *what, const reds_coded_weights *w, reds_tile *tile, int32_t k, int8_t *row,
                             int32_t bits) {
  const int32_t first = (tile->channel + k) * tile->stride + tile->element, shift = first & 7, count = tile->count;
  const uint8_t *byte = w->mask + (first >> 3);
  channel_values v = {w->values, w->codebook ? w->codebook + (tile->channel + k) * w->clusters : 0, tile->next[k]};
  int32_t i = 0;
  if (shift) {
    i = 8 - shift < count ? 8 - shift : count;
    what(tile, k, 0, *byte++ >> shift & ((1u << i) - 1), &v, row, bits);
  }
  for (; count - i >= 32; i += 32, byte += 4) what(tile, k, i, reds_load_32(byte), &v, row, bits);
  for (; i < count; i += 8) {
    const uint32_t valid = count - i < 8 ? (1u << (count - i)) - 1 : 255;
    what(tile, k, i, *byte++ & valid, &v, row, bits);
  }
  tile->next[k] = v.next;
}

static void decode(const reds_coded_weights *w, reds_tile *tile, int32_t k, int8_t *row) {
  memset(row, 0, (size_t)tile->count);
  if (w->bits == 8) {
    for_words(restore, w, tile, k, row, 8);
  } else {
    for_words(restore, w, tile, k, row, w->bits);
  }
}

static void add_sparse(const reds_coded_weights *w, reds_tile *tile) {
  const int32_t rows = tile->outputs - 1, *const starts = w->starts + tile->channel;
  if (rows && (starts[rows] - starts[0]) * 100 >= rows * tile->stride * many) {
    reds_add_decoded(w, tile, decode);
    return;
  }
  for (int32_t k = 0; k < tile->outputs; k++) {
    if (w->bits == 8) {
      for_words(multiply, w, tile, k, 0, 8);
    } else {
      for_words(multiply, w, tile, k, 0, w->bits);
    }
  }
}

void reds_convolve_sparse(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_windows(settings, add_sparse, first, output);
}
