/* Depthwise convolutions of 16-bit activations. What is outside of the image is 0, so its taps are skipped. */
#include "reds_wide_dot.h"
#include "reds_window.h"
#include <stddef.h>

/* The taps of a kernel that lie inside of the image, and the first of them. */
typedef struct {
  const int16_t *input;
  const int8_t *weight;
  int32_t rows, columns;
  int32_t input_row, input_step, weight_row, weight_step;
} taps;

/* The sum of products of one channel. */
static int32_t sum_of_one(const taps *t, const int16_t *input, const int8_t *weight) {
  int32_t sum = 0;
  for (int32_t y = t->rows; y > 0; y--, input += t->input_row, weight += t->weight_row) {
    for (int32_t x = 0; x < t->columns; x++) sum += input[x * t->input_step] * weight[x * t->weight_step];
  }
  return sum;
}

/* The sums of products of four channels that follow each other. */
static void sums_of_four(const taps *t, const int16_t *input, const int8_t *weight, int32_t *sums) {
  const int32_t input_step = t->input_step, weight_step = t->weight_step;
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (int32_t y = t->rows; y > 0; y--, input += t->input_row, weight += t->weight_row) {
    const int16_t *from = input;
    const int8_t *by = weight;
    for (int32_t x = t->columns; x > 0; x--, from += input_step, by += weight_step) {
      a += from[0] * by[0];
      b += from[1] * by[1];
      c += from[2] * by[2];
      d += from[3] * by[3];
    }
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/* Write the outputs of `count` channels from `channel` on, whose weights are consecutive from `place` on in a row. */
static void write_channels(const reds_wide_convolution *s, const taps *t, int32_t channel, int32_t place, int32_t count,
                           int16_t *output) {
  const int32_t repeat = s->depth_multiplier, end = channel + count;
  const int8_t *weight = t->weight + place;
  if (repeat == 1) {
    for (; channel + 4 <= end; channel += 4, weight += 4) {
      int32_t sums[4];
      sums_of_four(t, t->input + channel, weight, sums);
      for (int32_t i = 0; i < 4; i++) output[channel + i] = reds_wide_output(s, channel + i, sums[i]);
    }
  }
  for (; channel < end; channel++, weight++) {
    output[channel] = reds_wide_output(s, channel, sum_of_one(t, t->input + channel / repeat, weight));
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
