/* Convolutions of 16-bit activations. What is outside of the image is 0, so its taps are skipped. */
#include "reds_wide_dot.h"
#include "reds_window.h"
#include <stddef.h>
#include <string.h>

enum { REDS_WIDE_PATCH = 128 }; /* What so small a kernel sees is copied to the stack. */

/* The taps of a kernel that lie inside of the image, and the first of them. */
typedef struct {
  const int16_t *input;
  const int8_t *weight;            /* of output channel 0 */
  int32_t rows, columns;
  int32_t input_row, input_step;   /* from one row of taps to the next, and from one tap to the next */
  int32_t weight_row, weight_step;
} taps;

static int64_t sum_of_pixel(const reds_wide_convolution *s, const int16_t *pixel, const int8_t *weight) {
  int64_t sum = 0;
  if (s->segments == NULL) return reds_wide_dot(pixel, weight, s->in_channels);
  for (int32_t i = 0; i < s->segment_count; i++) {
    const reds_segment *const segment = &s->segments[i];
    sum += reds_wide_dot(pixel + segment->input, weight + segment->weight, segment->count);
  }
  return sum;
}

static int64_t sum_of_taps(const reds_wide_convolution *s, const taps *t, const int16_t *input, const int8_t *weight) {
  int64_t sum = 0;
  const int is_run = s->segments == NULL && t->input_step == s->in_channels && t->weight_step == s->in_channels;
  for (int32_t y = 0; y < t->rows; y++, input += t->input_row, weight += t->weight_row) {
    if (is_run) {
      sum += reds_wide_dot(input, weight, t->columns * s->in_channels);
      continue;
    }
    for (int32_t x = 0; x < t->columns; x++) {
      sum += sum_of_pixel(s, input + x * t->input_step, weight + x * t->weight_step);
    }
  }
  return sum;
}

/* Copy what a kernel sees of the image, zeros outside. */
static void copy_patch(const reds_wide_convolution *s, const taps *t, reds_taps y, reds_taps x, int16_t *patch) {
  const int32_t channels = s->in_channels;
  const int16_t *input = t->input;
  int16_t *line = patch + (y.first * s->kernel_width + x.first) * channels;
  if (t->rows * t->columns != s->kernel_height * s->kernel_width) {
    memset(patch, 0, (size_t)(s->kernel_height * s->kernel_width * channels) * sizeof *patch);
  }
  for (int32_t rows = t->rows; rows > 0; rows--, input += t->input_row, line += s->kernel_width * channels) {
    for (int32_t column = 0; column < t->columns; column++) {
      const int16_t *const from = input + column * t->input_step;
      int16_t *const to = line + column * channels;
      for (int32_t c = 0; c < channels; c++) to[c] = from[c];
    }
  }
}

void reds_wide_convolve(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_convolution *const s = settings;
  const int16_t *const image = (const void *)first;
  int16_t *result = (void *)output;
  const int32_t pixel = s->in_channels * s->groups, of_group = s->out_channels / s->groups;
  const int32_t kernel = s->kernel_height * s->kernel_width * s->row;
  const int is_small = kernel <= REDS_WIDE_PATCH && s->row == s->in_channels && s->groups == 1 && s->segments == NULL;
  int16_t patch[REDS_WIDE_PATCH];
  taps t;
  (void)second;
  t.input_step = s->dilation_x * pixel;
  t.input_row = s->dilation_y * s->in_width * pixel;
  t.weight_step = s->row;
  t.weight_row = s->kernel_width * s->row;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    t.rows = y.end - y.first;
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t row = top + y.first * s->dilation_y, column = left + x.first * s->dilation_x;
      int32_t channel = 0;
      t.columns = x.end - x.first;
      t.input = image + (row * s->in_width + column) * pixel;
      t.weight = s->weights + (y.first * s->kernel_width + x.first) * s->row;
      if (is_small) {
        copy_patch(s, &t, y, x, patch);
        reds_wide_outputs(s, patch, kernel, kernel, result);
        result += s->out_channels;
        continue;
      }
      for (int32_t group = 0; group < s->groups; group++) {
        for (const int32_t end = channel + of_group; channel < end; channel++) {
          const int64_t sum = sum_of_taps(s, &t, t.input + group * s->in_channels, t.weight + channel * kernel);
          *result++ = reds_wide_output(s, channel, sum);
        }
      }
    }
  }
}
