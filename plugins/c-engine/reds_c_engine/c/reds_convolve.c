/* Convolutions of any kernel, stride, dilation, padding, number of groups and choice of input channels. */
#include "reds_dot.h"
#include "reds_engine.h"
#include "reds_output.h"
#include "reds_window.h"

enum { piece = 64 };
static const int8_t ones[piece] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Dot products over `rows` runs of `count` elements each, for `outputs` (4 or 1) output channels. */
static void dot_rows(const int8_t *inputs, int32_t input_step, const int8_t *weights, int32_t weight_step, int32_t rows,
                     int32_t count, int32_t stride, int32_t outputs, int32_t *sums) {
  if (outputs == 4) {
    for (; rows > 0; rows--, inputs += input_step, weights += weight_step) {
      reds_dot_four(inputs, weights, stride, count, sums);
    }
  } else {
    for (; rows > 0; rows--, inputs += input_step, weights += weight_step) {
      sums[0] = reds_dot_one(inputs, weights, count, sums[0]);
    }
  }
}

/* What the settings say of all taps. */
typedef struct {
  const reds_convolution *settings;
  const reds_segment *segments;
  reds_segment whole;    /* the only segment where the settings name none */
  int32_t segment_count;
  int32_t channels;      /* of the input, all groups */
  int32_t stride;        /* from one output channel to the next in the weights */
  int32_t contiguous;    /* the taps of a row of the kernel are adjacent, both in the image and in the weights */
} convolution;

/* Add the taps of the rectangle y, x of the kernel, of which `input` is the first. */
static void add_taps(const convolution *c, const int8_t *input, const int8_t *weights, reds_taps y, reds_taps x,
                     int32_t outputs, int32_t *sums) {
  const reds_convolution *const s = c->settings;
  const int32_t columns = x.end - x.first, row = s->row;
  const int32_t line = s->dilation_y * s->in_width * c->channels, tap = s->dilation_x * c->channels;
  weights += (y.first * s->kernel_width + x.first) * row;
  if (c->contiguous) {
    dot_rows(input, line, weights, s->kernel_width * row, y.end - y.first, columns * row, c->stride, outputs, sums);
    return;
  }
  for (int32_t ky = y.first; ky < y.end; ky++, input += line, weights += s->kernel_width * row) {
    for (int32_t i = 0; i < c->segment_count; i++) {
      const reds_segment *const g = &c->segments[i];
      dot_rows(input + g->input, tap, weights + g->weight, row, columns, g->count, c->stride, outputs, sums);
    }
  }
}

/* Add the sums of the weights of a rectangle of the kernel. */
static void add_weights(const convolution *c, const int8_t *weights, int32_t y_first, int32_t y_end, int32_t x_first,
                        int32_t x_end, int32_t outputs, int32_t *sums) {
  const reds_convolution *const s = c->settings;
  for (int32_t ky = y_first; ky < y_end; ky++) {
    const int8_t *const place = weights + (ky * s->kernel_width + x_first) * s->row;
    for (int32_t i = 0; i < c->segment_count; i++) {
      const reds_segment *const g = &c->segments[i];
      for (int32_t e = 0; e < g->count; e += piece) {
        const int32_t count = g->count - e < piece ? g->count - e : piece;
        dot_rows(ones, 0, place + g->weight + e, s->row, x_end - x_first, count, c->stride, outputs, sums);
      }
    }
  }
}

/* Add the taps outside of the image, all of which see the input `input_zero`. */
static void add_padding(const convolution *c, const int8_t *weights, reds_taps y, reds_taps x, int32_t outputs,
                        int32_t *sums) {
  const reds_convolution *const s = c->settings;
  int32_t outside[4] = {0, 0, 0, 0};
  add_weights(c, weights, 0, y.first, 0, s->kernel_width, outputs, outside);
  add_weights(c, weights, y.end, s->kernel_height, 0, s->kernel_width, outputs, outside);
  add_weights(c, weights, y.first, y.end, 0, x.first, outputs, outside);
  add_weights(c, weights, y.first, y.end, x.end, s->kernel_width, outputs, outside);
  for (int32_t k = 0; k < outputs; k++) sums[k] += s->input_zero * outside[k];
}

/* The outputs of one position. */
static void convolve_position(const convolution *c, const int8_t *input, reds_taps y, reds_taps x, int8_t *output) {
  const reds_convolution *const s = c->settings;
  const int32_t of_group = s->out_channels / s->groups;
  const int padded = y.first > 0 || x.first > 0 || y.end < s->kernel_height || x.end < s->kernel_width;
  const int8_t *weights = s->weights;
  int32_t channel = 0;
  for (int32_t g = 0; g < s->groups; g++, input += s->in_channels) {
    for (int32_t o = 0; o < of_group;) {
      const int32_t outputs = o + 4 <= of_group ? 4 : 1;
      int32_t sums[4];
      for (int32_t k = 0; k < outputs; k++) sums[k] = s->bias[channel + k];
      add_taps(c, input, weights, y, x, outputs, sums);
      if (padded && s->input_zero != 0) add_padding(c, weights, y, x, outputs, sums);
      if (outputs == 4) {
        reds_output_four(s, channel, sums, output);
      } else {
        *output = reds_output_one(s, channel, sums[0]);
      }
      o += outputs;
      channel += outputs;
      output += outputs;
      weights += outputs * c->stride;
    }
  }
}

void reds_convolve(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  convolution c;
  (void)second;
  c.settings = s;
  c.whole.input = 0;
  c.whole.weight = 0;
  c.whole.count = s->in_channels;
  c.segments = s->segments ? s->segments : &c.whole;
  c.segment_count = s->segments ? s->segment_count : 1;
  c.channels = s->in_channels * s->groups;
  c.stride = s->kernel_height * s->kernel_width * s->row;
  c.contiguous = !s->segments && s->groups == 1 && s->dilation_x == 1 && s->row == s->in_channels;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    const reds_taps y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    for (int32_t ox = 0; ox < s->out_width; ox++, output += s->out_channels) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      const reds_taps x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t row = top + y.first * s->dilation_y, column = left + x.first * s->dilation_x;
      convolve_position(&c, first + (row * s->in_width + column) * c.channels, y, x, output);
    }
  }
}
