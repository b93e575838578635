/* Average and maximum pooling of 16-bit activations. */
#include "reds_requantize.h"
#include "reds_wide.h"
#include "reds_window.h"

/* What a window sees of one channel inside of the image. */
typedef struct {
  const int16_t *first;
  int32_t rows, columns, line, step;
} window;

typedef int32_t pool(const window *w);

static int32_t average(const window *w) {
  const int32_t count = w->rows * w->columns, half = count / 2;
  int32_t sum = 0;
  for (int32_t y = 0; y < w->rows; y++) {
    for (int32_t x = 0; x < w->columns; x++) sum += w->first[y * w->line + x * w->step];
  }
  if (count == 0) return 0;
  return (sum > 0 ? sum + half : sum - half) / count;
}

static int32_t maximum(const window *w) {
  int32_t greatest = INT16_MIN;
  for (int32_t y = 0; y < w->rows; y++) {
    for (int32_t x = 0; x < w->columns; x++) {
      const int32_t value = w->first[y * w->line + x * w->step];
      if (value > greatest) greatest = value;
    }
  }
  return greatest;
}

static void pool_image(const reds_wide_pooling *s, const int16_t *input, int16_t *output, pool *reduce) {
  window w;
  w.line = s->in_width * s->channels;
  w.step = s->channels;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, 1, s->kernel_height, s->in_height);
    w.rows = y.end - y.first;
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, 1, s->kernel_width, s->in_width);
      w.columns = x.end - x.first;
      w.first = input + (top + y.first) * w.line + (left + x.first) * w.step;
      for (int32_t c = 0; c < s->channels; c++, w.first++) {
        *output++ = (int16_t)reds_clamp(reduce(&w), s->least, s->greatest);
      }
    }
  }
}

void reds_wide_average_pool(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  pool_image(settings, (const void *)first, (void *)output, average);
}

void reds_wide_max_pool(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  pool_image(settings, (const void *)first, (void *)output, maximum);
}
