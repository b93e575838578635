/* Depthwise convolutions of 16-bit activations. What is outside of the image is 0, so its taps are skipped. */
#include "reds_wide_dot.h"
#include "reds_window.h"
#include <stddef.h>

enum { block = 16 }; /* So many output channels of a position are computed at a time. */

/* The taps of a kernel that lie inside of the image, and the first of them. */
typedef struct {
  const int16_t *input;
  const int8_t *weight;
  int32_t rows, columns;
  int32_t input_row, input_step, weight_row, weight_step;
} taps;

/* Add the products of `count` output channels from `channel` on. */
static void add_taps(const reds_wide_convolution *s, const taps *t, int32_t channel, int32_t place, int32_t count,
                     int32_t *sums) {
  const int32_t repeat = s->depth_multiplier;
  for (int32_t y = 0; y < t->rows; y++) {
    for (int32_t x = 0; x < t->columns; x++) {
      const int16_t *input = t->input + y * t->input_row + x * t->input_step;
      const int8_t *const weight = t->weight + y * t->weight_row + x * t->weight_step + place;
      if (repeat == 1) {
        input += channel;
        for (int32_t c = 0; c < count; c++) sums[c] += input[c] * weight[c];
      } else {
        for (int32_t c = 0; c < count; c++) sums[c] += input[(channel + c) / repeat] * weight[c];
      }
    }
  }
}

/* Write the outputs of `count` channels from `channel` on, whose weights are consecutive from `place` on in a row. */
static void write_channels(const reds_wide_convolution *s, const taps *t, int32_t channel, int32_t place, int32_t count,
                           int16_t *output) {
  while (count > 0) {
    const int32_t now = count < block ? count : block;
    int32_t sums[block] = {0};
    add_taps(s, t, channel, place, now, sums);
    for (int32_t c = 0; c < now; c++) output[channel + c] = reds_wide_output(s, channel + c, sums[c]);
    channel += now;
    place += now;
    count -= now;
  }
}

void reds_wide_convolve_depthwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_wide_convolution *const s = settings;
  const int16_t *const image = (const void *)first;
  int16_t *result = (void *)output;
  taps t;
  (void)second;
  t.input_step = s->dilation_x * s->in_channels;
  t.input_row = s->dilation_y * s->in_width * s->in_channels;
  t.weight_step = s->row;
  t.weight_row = s->kernel_width * s->row;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    t.rows = y.end - y.first;
    for (int32_t ox = 0; ox < s->out_width; ox++, result += s->out_channels) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t row = top + y.first * s->dilation_y, column = left + x.first * s->dilation_x;
      t.columns = x.end - x.first;
      t.input = image + (row * s->in_width + column) * s->in_channels;
      t.weight = s->weights + (y.first * s->kernel_width + x.first) * s->row;
      if (s->segments == NULL) write_channels(s, &t, 0, 0, s->out_channels, result);
      for (int32_t i = 0; s->segments != NULL && i < s->segment_count; i++) {
        const reds_segment *const segment = &s->segments[i];
        write_channels(s, &t, segment->input, segment->weight, segment->count, result);
      }
    }
  }
}
