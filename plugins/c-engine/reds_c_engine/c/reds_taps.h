/* Sums of depthwise convolutions over the taps of one position. */
#ifndef REDS_TAPS_H
#define REDS_TAPS_H
#include <stdint.h>

enum { REDS_TAPS = 32 }; /* Larger kernels are computed in parts. */

typedef struct {
  const int8_t *inputs[REDS_TAPS]; /* of each tap, the inputs of all channels from some channel on */
  int32_t count;
  int32_t row;                     /* from the weights of one tap to those of the next, in elements */
  int32_t bits;                    /* of a weight */
  const int8_t *codebook;          /* of all output channels, `clusters` weights each; NULL: there is none */
  int32_t clusters;
  int32_t column;                  /* the place of the first weight of the block in a row: its channel in the codebook */
} reds_tap_list;

/* Writes to `sums` the sums of `count` adjacent channels over the taps, each added to that of `start`, which may be
 * `sums`. The inputs of the first channel lie `place` bytes after those of the list, and its weights are element
 * `element` of the rows. */
typedef void reds_taps_function(const reds_tap_list *taps, int32_t place, int32_t count, const uint8_t *weights,
                                int32_t element, const int32_t *start, int32_t *sums);

reds_taps_function reds_add_taps;        /* weights of 8 bits */
reds_taps_function reds_add_taps_packed; /* weights of 4 or 2 bits */

#endif
