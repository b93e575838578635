/* Convolutions whose weights are indices into a codebook of each output channel. */
#include "reds_bits.h"
#include "reds_windows.h"

/* The weights of the codes in a whole word. Constants for `bits` let compilers unroll it. */
#define REDS_CODE(i) row[i] = codebook[word >> (i) * bits & mask]

static inline void decode_4_bits(uint32_t word, const int8_t *codebook, int8_t *row) {
  enum { bits = 4, mask = 15 };
  REDS_CODE(0), REDS_CODE(1), REDS_CODE(2), REDS_CODE(3), REDS_CODE(4), REDS_CODE(5), REDS_CODE(6), REDS_CODE(7);
}

static inline void decode_2_bits(uint32_t word, const int8_t *codebook, int8_t *row) {
  enum { bits = 2, mask = 3 };
  REDS_CODE(0), REDS_CODE(1), REDS_CODE(2), REDS_CODE(3), REDS_CODE(4), REDS_CODE(5), REDS_CODE(6), REDS_CODE(7);
}

static inline void decode_1_bit(uint32_t word, const int8_t *codebook, int8_t *row) {
  enum { bits = 1, mask = 1 };
  REDS_CODE(0), REDS_CODE(1), REDS_CODE(2), REDS_CODE(3), REDS_CODE(4), REDS_CODE(5), REDS_CODE(6), REDS_CODE(7);
}

static void decode(const reds_coded_weights *w, reds_tile *tile, int32_t k, int8_t *row) {
  const int32_t bits = w->bits, mask = (1 << bits) - 1;
  const int8_t *const codebook = w->codebook + (tile->channel + k) * w->clusters;
  int32_t bit = ((tile->channel + k) * tile->stride + tile->element) * bits;
  int8_t *const end = row + tile->count;
  for (; row != end && bit & 7; bit += bits) *row++ = codebook[w->values[bit >> 3] >> (bit & 7) & mask];
  const uint8_t *byte = w->values + (bit >> 3);
  if (bits == 4) {
    for (; end - row >= 8; row += 8, byte += 4) decode_4_bits(reds_load_32(byte), codebook, row);
  } else if (bits == 2) {
    for (; end - row >= 16; row += 16, byte += 4) {
      const uint32_t word = reds_load_32(byte);
      decode_2_bits(word, codebook, row);
      decode_2_bits(word >> 16, codebook, row + 8);
    }
  } else {
    for (; end - row >= 8; row += 8, byte++) decode_1_bit(*byte, codebook, row);
  }
  for (bit = 0; row != end; bit += bits) *row++ = codebook[byte[bit >> 3] >> (bit & 7) & mask];
}

static void add_coded(const reds_coded_weights *w, reds_tile *tile) {
  reds_add_decoded(w, tile, decode);
}

void reds_convolve_coded(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_windows(settings, add_coded, first, output);
}
