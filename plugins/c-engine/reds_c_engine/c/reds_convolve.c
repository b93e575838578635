/* Convolutions of any kernel, stride, dilation, padding, number of groups and choice of input channels. */
#include "reds_convolve.h"
#include "reds_output.h"
#include "reds_window.h"
#include <string.h>

enum { piece = 128 }; /* bytes of the copies of inputs */

/* What the settings say of all positions. */
typedef struct {
  const reds_convolution *settings;
  reds_dot_function *dot;
  const reds_segment *segments;
  int32_t segment_count;
  reds_segment whole; /* the only segment where the settings name none */
  int32_t channels;   /* of the input, all groups */
  int32_t row;        /* of weights, in elements */
  int32_t stride;     /* from one output channel to the next in the weights, in elements */
  int contiguous;     /* the taps of a row of the kernel are adjacent, both in the image and in the weights */
} convolution;

/* A block of output channels: the place of its weights, and its sums. */
typedef struct {
  int32_t element;      /* the place of its first weight, in elements */
  const int32_t *start; /* what to add to next: the bias, then `sums` */
  int32_t outputs;
  int32_t sums[REDS_BLOCK];
} block;

static void add_dot(const convolution *c, reds_runs *runs, const int8_t *inputs, int32_t weight, block *b) {
  runs->element = b->element + weight;
  c->dot(runs, inputs, c->settings->weights, b->outputs, b->start, b->sums);
  b->start = b->sums;
}

/* Add the taps of the rectangle r, which see the image from `input` on. */
static void add_image(const convolution *c, const int8_t *input, reds_rectangle r, block *b) {
  const reds_convolution *const s = c->settings;
  const int32_t columns = r.x.end - r.x.first, row = c->row, line = s->dilation_y * s->in_width * c->channels;
  int32_t weight = (r.y.first * s->kernel_width + r.x.first) * row;
  if (c->contiguous) {
    const int32_t count = columns * s->row, rows = r.y.end - r.y.first;
    reds_runs runs = {rows, count, line, s->kernel_width * row, c->stride, 0, s->weight_bits};
    add_dot(c, &runs, input, weight, b);
    return;
  }
  reds_runs runs = {columns, 0, s->dilation_x * c->channels, row, c->stride, 0, s->weight_bits};
  for (int32_t ky = r.y.first; ky < r.y.end; ky++, input += line, weight += s->kernel_width * row) {
    for (int32_t i = 0; i < c->segment_count; i++) {
      const reds_segment *const g = &c->segments[i];
      runs.count = g->count;
      add_dot(c, &runs, input + g->input, weight + g->weight, b);
    }
  }
}

/* Add the taps of the rectangle r, which see nothing but the input `input_zero`. */
static void add_padding(const convolution *c, reds_rectangle r, block *b) {
  const reds_convolution *const s = c->settings;
  reds_runs runs = {r.x.end - r.x.first, 0, 0, c->row, c->stride, 0, s->weight_bits};
  int8_t zeros[piece];
  memset(zeros, s->input_zero, sizeof zeros);
  for (int32_t ky = r.y.first; ky < r.y.end; ky++) {
    const int32_t weight = (ky * s->kernel_width + r.x.first) * c->row;
    for (int32_t i = 0; i < c->segment_count; i++) {
      const reds_segment *const g = &c->segments[i];
      for (int32_t e = 0; e < g->count; e += piece) {
        runs.count = g->count - e < piece ? g->count - e : piece;
        add_dot(c, &runs, zeros, weight + g->weight + e, b);
      }
    }
  }
}

/* The outputs of one position, whose taps `inside` see the image from `input` on. */
static void convolve_position(const convolution *c, const int8_t *input, reds_rectangle inside, int8_t *output) {
  const reds_convolution *const s = c->settings;
  const int32_t of_group = s->out_channels / s->groups;
  block b;
  b.element = 0;
  for (int32_t first = 0; first < s->out_channels; first += of_group, input += s->in_channels) {
    for (int32_t o = 0; o < of_group; o += REDS_BLOCK, b.element += b.outputs * c->stride) {
      b.outputs = reds_block(of_group - o);
      b.start = s->bias + first + o;
      add_image(c, input, inside, &b);
      for (int part = 0; part < 4; part++) {
        const reds_rectangle r = reds_rectangle_outside(inside, part, s->kernel_height, s->kernel_width);
        if (r.y.end > r.y.first && r.x.end > r.x.first) add_padding(c, r, &b);
      }
      reds_output(s, first + o, b.outputs, b.sums, output + first + o);
    }
  }
}

/* Copies of few bytes, for which memcpy takes longer. */
static void copy_bytes(int8_t *to, const int8_t *from, int32_t count) {
  for (; count >= 4; count -= 4, to += 4, from += 4) memcpy(to, from, 4);
  for (; count > 0; count--) *to++ = *from++;
}

/* The same where a kernel has few elements: a copy of what it sees, padding included, is one run of inputs. */
static void convolve_copy(const convolution *c, const int8_t *input, reds_rectangle inside, int8_t *output) {
  const reds_convolution *const s = c->settings;
  const int32_t of_tap = s->in_channels, of_row = s->kernel_width * of_tap, line = s->dilation_y * s->in_width * of_tap;
  const int32_t before = inside.x.first * of_tap, within = (inside.x.end - inside.x.first) * of_tap;
  const int32_t elements = s->kernel_height * of_row;
  reds_runs runs = {1, elements, 0, 0, c->stride, 0, s->weight_bits};
  int8_t copy[piece];
  int32_t sums[REDS_BLOCK];
  if (inside.y.end - inside.y.first < s->kernel_height || within < of_row) {
    memset(copy, s->input_zero, (size_t)elements);
  }
  for (int32_t ky = inside.y.first; ky < inside.y.end; ky++, input += line) {
    copy_bytes(copy + ky * of_row + before, input, within);
  }
  for (int32_t o = 0; o < s->out_channels; o += REDS_BLOCK, runs.element += REDS_BLOCK * c->stride) {
    const int32_t outputs = reds_block(s->out_channels - o);
    c->dot(&runs, copy, s->weights, outputs, s->bias + o, sums);
    reds_output(s, o, outputs, sums, output + o);
  }
}

void reds_convolve_any(const reds_convolution *s, reds_dot_function *dot, const int8_t *input, int8_t *output) {
  convolution c;
  c.settings = s;
  c.dot = dot;
  c.whole.input = 0;
  c.whole.weight = 0;
  c.whole.count = s->in_channels;
  c.segments = s->segments ? s->segments : &c.whole;
  c.segment_count = s->segments ? s->segment_count : 1;
  c.channels = s->in_channels * s->groups;
  c.row = s->row;
  c.stride = s->kernel_height * s->kernel_width * c.row;
  c.contiguous = !s->segments && s->groups == 1 && s->dilation_x == 1 && s->row == s->in_channels;
  const int copied = c.contiguous && s->kernel_height * s->kernel_width * s->row <= piece;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    reds_rectangle inside;
    inside.y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    for (int32_t ox = 0; ox < s->out_width; ox++, output += s->out_channels) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      inside.x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t y = top + inside.y.first * s->dilation_y, x = left + inside.x.first * s->dilation_x;
      const int8_t *const place = input + (y * s->in_width + x) * c.channels;
      if (copied) {
        convolve_copy(&c, place, inside, output);
      } else {
        convolve_position(&c, place, inside, output);
      }
    }
  }
}

void reds_convolve(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_any(settings, reds_dot, first, output);
}
