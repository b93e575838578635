/* Sums of depthwise convolutions over the taps of one position. */
#ifndef REDS_TAPS_H
#define REDS_TAPS_H
#include <stdint.h>

enum { REDS_TAPS = 32 }; /* Larger kernels are computed in parts. */

typedef struct {
  const int8_t *inputs[REDS_TAPS]; /* of each tap, the inputs of all channels from some channel on */
  int32_t count;
  int32_t row;                     /* from the weights of one tap to those of the next */
} reds_tap_list;

/* Write to `sums` the sums of `count` adjacent channels over the taps, each added to that of `start`, which may be `sums`.
 * The inputs begin `place` bytes after those of the list, and `weights` are those of the first channel. */
void reds_add_taps(const reds_tap_list *taps, int32_t place, int32_t count, const int8_t *weights, const int32_t *start,
                   int32_t *sums);

#endif
