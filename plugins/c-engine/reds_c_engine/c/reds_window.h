/* Which taps of a kernel lie inside of an image. */
#ifndef REDS_WINDOW_H
#define REDS_WINDOW_H
#include <stdint.h>

/* The taps first <= tap < end along one axis. */
typedef struct {
  int32_t first, end;
} reds_taps;

/* The taps at start + tap * dilation, for tap < kernel, that lie in 0 ... size - 1. The others are padding. */
static inline reds_taps reds_taps_inside(int32_t start, int32_t dilation, int32_t kernel, int32_t size) {
  reds_taps taps = {0, kernel};
  while (taps.first < kernel && start + taps.first * dilation < 0) taps.first++;
  while (taps.end > taps.first && start + (taps.end - 1) * dilation >= size) taps.end--;
  return taps;
}

/* A rectangle of the taps of a kernel. */
typedef struct {
  reds_taps y, x;
} reds_rectangle;

/* Part 0 ... 3 of the taps of a kernel outside of those `inside`: above, below, to the left and to the right. */
static inline reds_rectangle reds_rectangle_outside(reds_rectangle inside, int part, int32_t height, int32_t width) {
  reds_rectangle result = {{0, height}, {0, width}};
  if (part == 0) {
    result.y.end = inside.y.first;
  } else if (part == 1) {
    result.y.first = inside.y.end;
  } else {
    result.y = inside.y;
    if (part == 2) {
      result.x.end = inside.x.first;
    } else {
      result.x.first = inside.x.end;
    }
  }
  return result;
}

#endif
