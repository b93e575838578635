/* Average and maximum pooling. */
#include "reds_engine.h"
#include "reds_requantize.h"
#include "reds_window.h"

enum { block = 32 }; /* Poolings compute so many channels of a position at a time. */

/* What a window sees inside of the image, from the first channel of a block on. */
typedef struct {
  const int8_t *first;
  int32_t rows, columns;
  int32_t line, step; /* from one row to the next, and from one pixel to the next */
} window;

/* Writes the pool of `channels` channels. */
typedef void pool(const window *w, int32_t channels, int32_t *results);

static void average(const window *w, int32_t channels, int32_t *results) {
  const int32_t count = w->rows * w->columns, half = count / 2;
  const int8_t *line = w->first;
  for (int32_t c = 0; c < channels; c++) results[c] = 0;
  for (int32_t rows = w->rows; rows > 0; rows--, line += w->line) {
    const int8_t *pixel = line;
    for (int32_t columns = w->columns; columns > 0; columns--, pixel += w->step) {
      const int8_t *value = pixel;
      for (int32_t *sum = results, *const end = results + channels; sum != end;) *sum++ += *value++;
    }
  }
  if (count == 0) return;
  for (int32_t c = 0; c < channels; c++) {
    results[c] = (results[c] > 0 ? results[c] + half : results[c] - half) / count;
  }
}

static void maximum(const window *w, int32_t channels, int32_t *results) {
  const int8_t *line = w->first;
  for (int32_t c = 0; c < channels; c++) results[c] = INT8_MIN;
  for (int32_t rows = w->rows; rows > 0; rows--, line += w->line) {
    const int8_t *pixel = line;
    for (int32_t columns = w->columns; columns > 0; columns--, pixel += w->step) {
      const int8_t *value = pixel;
      for (int32_t *greatest = results, *const end = results + channels; greatest != end; greatest++, value++) {
        if (*value > *greatest) *greatest = *value;
      }
    }
  }
}

static void pool_image(const reds_pooling *s, const int8_t *input, int8_t *output, pool *reduce) {
  const int32_t channels = s->channels, least = s->least, greatest = s->greatest;
  int32_t results[block];
  window w;
  w.line = s->in_width * channels;
  w.step = channels;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, 1, s->kernel_height, s->in_height);
    w.rows = y.end - y.first;
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, 1, s->kernel_width, s->in_width);
      w.columns = x.end - x.first;
      w.first = input + (top + y.first) * w.line + (left + x.first) * w.step;
      for (int32_t first = 0; first < channels; first += block, w.first += block) {
        const int32_t count = channels - first < block ? channels - first : block;
        reduce(&w, count, results);
        for (int32_t c = 0; c < count; c++) *output++ = (int8_t)reds_clamp(results[c], least, greatest);
      }
    }
  }
}

void reds_average_pool(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  pool_image(settings, first, output, average);
}

void reds_max_pool(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  pool_image(settings, first, output, maximum);
}
