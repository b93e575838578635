/* Depthwise convolutions. Segments choose output channels: `input` is the first of them, `weight` their place in a row. */
#include "reds_engine.h"
#include "reds_output.h"
#include "reds_simd.h"
#include "reds_window.h"
#include <string.h>

/* The elements of the sum of a channel: taps in `rows` rows of `columns`, and the distances between them. */
typedef struct {
  int32_t rows, columns;
  int32_t input_line, input_step, weight_line, weight_step;
} grid;

/* Add to the sums of four adjacent channels. */
static void add_four(const grid *g, const int8_t *inputs, const int8_t *weights, int32_t *sums) {
  const int32_t input_step = g->input_step, weight_step = g->weight_step;
#if REDS_MVE
  int32x4_t sum = vldrwq_s32(sums);
  for (int32_t rows = g->rows; rows > 0; rows--, inputs += g->input_line, weights += g->weight_line) {
    const int8_t *value = inputs, *weight = weights;
    for (int32_t i = g->columns; i > 0; i--, value += input_step, weight += weight_step) {
      sum = vaddq_s32(sum, vmulq_s32(vldrbq_s32(value), vldrbq_s32(weight)));
    }
  }
  vstrwq_s32(sums, sum);
#else
  int32_t sum_a = sums[0], sum_b = sums[1], sum_c = sums[2], sum_d = sums[3];
  for (int32_t rows = g->rows; rows > 0; rows--, inputs += g->input_line, weights += g->weight_line) {
    const int8_t *value = inputs, *weight = weights;
    for (int32_t i = g->columns; i > 0; i--, value += input_step, weight += weight_step) {
#if REDS_DSP
      const reds_word values = reds_load(value), word = reds_load(weight);
      const reds_word even = reds_even(values), odd = reds_odd(values);
      const reds_word weight_even = reds_even(word), weight_odd = reds_odd(word);
      sum_a = reds_add_low(even, weight_even, sum_a);
      sum_b = reds_add_low(odd, weight_odd, sum_b);
      sum_c = reds_add_high(even, weight_even, sum_c);
      sum_d = reds_add_high(odd, weight_odd, sum_d);
#else
      sum_a += value[0] * weight[0];
      sum_b += value[1] * weight[1];
      sum_c += value[2] * weight[2];
      sum_d += value[3] * weight[3];
#endif
    }
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
#endif
}

static void add_one(const grid *g, const int8_t *inputs, const int8_t *weights, int32_t *sums) {
  int32_t sum = sums[0];
  for (int32_t rows = g->rows; rows > 0; rows--, inputs += g->input_line, weights += g->weight_line) {
    const int8_t *value = inputs, *weight = weights;
    for (int32_t i = g->columns; i > 0; i--, value += g->input_step, weight += g->weight_step) sum += *value * *weight;
  }
  sums[0] = sum;
}

/* Add to the sums of `count` adjacent channels. */
static void add(const grid *g, const int8_t *inputs, const int8_t *weights, int32_t count, int32_t *sums) {
  for (; count >= 4; count -= 4, inputs += 4, weights += 4, sums += 4) add_four(g, inputs, weights, sums);
  for (; count > 0; count--) add_one(g, inputs++, weights++, sums++);
}

/* The outputs of `count` channels of a position from `channel` on. `zeros` are REDS_BLOCK inputs `input_zero`. */
static void convolve_channels(const reds_convolution *s, const int8_t *input, const int8_t *weights,
                              reds_rectangle inside, const int8_t *zeros, int32_t channel, int32_t count,
                              int8_t *output) {
  const int32_t row = s->row, weight_line = s->kernel_width * row;
  const int32_t step = s->dilation_x * s->in_channels, line = s->dilation_y * s->in_width * s->in_channels;
  const grid image = {inside.y.end - inside.y.first, inside.x.end - inside.x.first, line, step, weight_line, row};
  const int8_t *const seen = weights + inside.y.first * weight_line + inside.x.first * row;
  int32_t sums[REDS_BLOCK];
  memcpy(sums, s->bias + channel, (size_t)count * sizeof *sums);
  if (s->depth_multiplier == 1) {
    add(&image, input + channel, seen, count, sums);
  } else {
    for (int32_t k = 0; k < count; k++) {
      add_one(&image, input + (channel + k) / s->depth_multiplier, seen + k, sums + k);
    }
  }
  for (int part = 0; part < 4; part++) {
    const reds_rectangle r = reds_rectangle_outside(inside, part, s->kernel_height, s->kernel_width);
    const grid padding = {r.y.end - r.y.first, r.x.end - r.x.first, 0, 0, weight_line, row};
    if (padding.rows == 0 || padding.columns == 0) continue;
    add(&padding, zeros, weights + r.y.first * weight_line + r.x.first * row, count, sums);
  }
  reds_output(s, channel, count, sums, output + channel);
}

void reds_convolve_depthwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  const reds_segment whole = {0, 0, s->out_channels};
  const reds_segment *const segments = s->segments ? s->segments : &whole;
  const int32_t segment_count = s->segments ? s->segment_count : 1;
  const int8_t *const weights = s->weights;
  int8_t zeros[REDS_BLOCK];
  (void)second;
  memset(zeros, s->input_zero, sizeof zeros);
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    reds_rectangle inside;
    inside.y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    for (int32_t ox = 0; ox < s->out_width; ox++, output += s->out_channels) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      inside.x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t y = top + inside.y.first * s->dilation_y, x = left + inside.x.first * s->dilation_x;
      const int8_t *const input = first + (y * s->in_width + x) * s->in_channels;
      for (int32_t i = 0; i < segment_count; i++) {
        const reds_segment *const g = &segments[i];
        for (int32_t k = 0; k < g->count; k += REDS_BLOCK) {
          const int32_t channel = g->input + k;
          convolve_channels(s, input, weights + g->weight + k, inside, zeros, channel, reds_block(g->count - k), output);
        }
      }
    }
  }
}
