/* Convolutions whose weights are indices into a codebook of each output channel. */
#include "reds_bits.h"
#include "reds_windows.h"

/* The sums of an output channel, one for each position. */
typedef struct {
  int32_t a, b, c, d;
} four;

/* Add the products of `count` weights, whose codes begin at the lowest bits of a word. */
static inline four add_four(four sum, const int8_t *inputs, uint32_t word, int32_t count, int32_t bits,
                            const int8_t *codebook) {
  const uint32_t mask = (1u << bits) - 1;
  for (const int8_t *const end = inputs + count; inputs != end; inputs++, word >>= bits) {
    const int32_t weight = codebook[word & mask];
    sum.a += weight * inputs[0];
    sum.b += weight * inputs[REDS_PIECE];
    sum.c += weight * inputs[2 * REDS_PIECE];
    sum.d += weight * inputs[3 * REDS_PIECE];
  }
  return sum;
}

static inline int32_t add_one(int32_t sum, const int8_t *inputs, uint32_t word, int32_t count, int32_t bits,
                              const int8_t *codebook) {
  const uint32_t mask = (1u << bits) - 1;
  for (const int8_t *const end = inputs + count; inputs != end; word >>= bits) {
    sum += codebook[word & mask] * *inputs++;
  }
  return sum;
}

/* The weights of one output channel. */
typedef struct {
  const uint8_t *codes;
  int32_t bit;             /* where the first of them begins */
  const int8_t *codebook;
} channel;

/* Split codes into words of 32 bits, after those before a whole byte: `ADD` is called with a word, the number of its
 * codes and the place of the first. */
#define REDS_FOR_WORDS(ADD, bits)                                                \
  int32_t i = 0;                                                                 \
  const uint8_t *byte = one.codes + (one.bit >> 3);                              \
  if (one.bit & 7) {                                                             \
    i = (8 - (one.bit & 7)) / bits;                                              \
    i = i < count ? i : count;                                                   \
    ADD((uint32_t)*byte++ >> (one.bit & 7), i, 0);                               \
  }                                                                              \
  for (; count - i >= 32 / bits; i += 32 / bits, byte += 4) {                    \
    ADD(reds_load_32(byte), 32 / bits, i);                                       \
  }                                                                              \
  for (int32_t n; i < count; i += n) {                                           \
    n = count - i < 8 / bits ? count - i : 8 / bits;                             \
    ADD(*byte++, n, i);                                                          \
  }

#define REDS_ADD_FOUR(word, n, place) sum = add_four(sum, inputs + (place), word, n, bits, one.codebook)
#define REDS_ADD_ONE(word, n, place) sum = add_one(sum, inputs + (place), word, n, bits, one.codebook)

static inline four channel_of_four(four sum, channel one, const int8_t *inputs, int32_t count, const int32_t bits) {
  REDS_FOR_WORDS(REDS_ADD_FOUR, bits)
  return sum;
}

static inline int32_t channel_of_one(int32_t sum, channel one, const int8_t *inputs, int32_t count,
                                     const int32_t bits) {
  REDS_FOR_WORDS(REDS_ADD_ONE, bits)
  return sum;
}

/* All channels of a tile, with a constant number of bits. */
static inline void add_channels(const reds_coded_weights *w, reds_tile *tile, const int32_t bits) {
  const int8_t *const inputs = tile->inputs[0];
  channel one = {w->values, (tile->channel * tile->stride + tile->element) * bits,
                 w->codebook + tile->channel * w->clusters};
  for (int32_t k = 0; k < tile->outputs; k++, one.bit += tile->stride * bits, one.codebook += w->clusters) {
    if (tile->positions == 1) {
      tile->sums[0][k] = channel_of_one(tile->sums[0][k], one, inputs, tile->count, bits);
    } else {
      four sum = {tile->sums[0][k], tile->sums[1][k], tile->sums[2][k], tile->sums[3][k]};
      sum = channel_of_four(sum, one, inputs, tile->count, bits);
      tile->sums[0][k] = sum.a;
      tile->sums[1][k] = sum.b;
      tile->sums[2][k] = sum.c;
      tile->sums[3][k] = sum.d;
    }
  }
}

static void add_coded(const reds_coded_weights *w, reds_tile *tile) {
  if (w->bits == 4) {
    add_channels(w, tile, 4);
  } else if (w->bits == 2) {
    add_channels(w, tile, 2);
  } else {
    add_channels(w, tile, 1);
  }
}

void reds_convolve_coded(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_windows(settings, add_coded, first, output);
}
