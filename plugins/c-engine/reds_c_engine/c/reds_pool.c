/* Average and maximum pooling. */
#include "reds_engine.h"
#include "reds_requantize.h"
#include "reds_window.h"

/* The pool of one channel, from the first value inside of the image. */
typedef int32_t pool(const int8_t *values, int32_t rows, int32_t columns, int32_t row_step, int32_t column_step);

static int32_t average(const int8_t *values, int32_t rows, int32_t columns, int32_t row_step, int32_t column_step) {
  const int32_t count = rows * columns;
  int32_t sum = 0;
  for (; rows > 0; rows--, values += row_step) {
    const int8_t *value = values;
    for (int32_t i = columns; i > 0; i--, value += column_step) sum += *value;
  }
  if (count == 0) return 0;
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static int32_t maximum(const int8_t *values, int32_t rows, int32_t columns, int32_t row_step, int32_t column_step) {
  int32_t greatest = INT8_MIN;
  for (; rows > 0; rows--, values += row_step) {
    const int8_t *value = values;
    for (int32_t i = columns; i > 0; i--, value += column_step) {
      if (*value > greatest) greatest = *value;
    }
  }
  return greatest;
}

static void pool_image(const reds_pooling *s, const int8_t *input, int8_t *output, pool *reduce) {
  const int32_t channels = s->channels, line = s->in_width * channels;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, 1, s->kernel_height, s->in_height);
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, 1, s->kernel_width, s->in_width);
      const int8_t *const values = input + (top + y.first) * line + (left + x.first) * channels;
      for (int32_t c = 0; c < channels; c++) {
        const int32_t value = reduce(values + c, y.end - y.first, x.end - x.first, line, channels);
        *output++ = (int8_t)reds_clamp(value, s->least, s->greatest);
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
