/* Which taps of a kernel lie inside of an image. */
#ifndef REDS_WINDOW_H
#define REDS_WINDOW_H
#include <stdint.h>

/* The taps first <= tap < end along one axis; the others are padding. */
typedef struct {
  int32_t first, end;
} reds_taps;

/* The taps at start + tap * dilation, for tap < kernel, that lie in 0 ... size - 1. */
static inline reds_taps reds_taps_inside(int32_t start, int32_t dilation, int32_t kernel, int32_t size) {
  reds_taps taps = {0, kernel};
  while (taps.first < kernel && start + taps.first * dilation < 0) taps.first++;
  while (taps.end > taps.first && start + (taps.end - 1) * dilation >= size) taps.end--;
  return taps;
}

#endif
