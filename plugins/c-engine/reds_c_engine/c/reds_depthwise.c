/* Depthwise convolutions. Segments choose output channels: `input` is the first of them, `weight` their place in a row. */
#include "reds_bits.h"
#include "reds_convolve.h"
#include "reds_output.h"
#include "reds_split.h"
#include <stddef.h>
#include <string.h>

/* A position: where its window begins, and the taps of a block of its channels. */
typedef struct {
  int32_t top, left;
  reds_tap_list taps;
  int32_t channel;      /* where the inputs of the list begin; -1: there is none for this position */
  int padded;           /* one of the taps lies outside of the image */
  const uint8_t *weights;
  const int8_t *zeros;  /* what it sees there: REDS_BLOCK inputs `input_zero` */
} position;

/* List the taps from `first` on, as many as fit. `image` is the first channel of the block at the first pixel. */
static void list_taps(const reds_convolution *s, const int8_t *image, int32_t first, position *p) {
  const int32_t width = s->in_width, kernel_width = s->kernel_width, dilation = s->dilation_x;
  const int32_t step = dilation * s->in_channels;
  const int32_t left = s->kernel_height * kernel_width - first, count = left < REDS_TAPS ? left : REDS_TAPS;
  const int8_t **tap = p->taps.inputs, **const end = tap + count;
  const int8_t *const zeros = p->zeros;
  int32_t ky = 0, kx = first;
  int padded = 0;
  for (; kx >= kernel_width; kx -= kernel_width) ky++;
  for (; tap != end; ky++, kx = 0) {
    const int32_t y = p->top + ky * s->dilation_y;
    const uint32_t limit = y >= 0 && y < s->in_height ? (uint32_t)width : 0;
    int32_t x = p->left + kx * dilation;
    const int8_t *input = image + (y * width + x) * s->in_channels;
    for (; kx < kernel_width && tap != end; kx++, x += dilation, input += step) {
      const int inside = (uint32_t)x < limit;
      *tap++ = inside ? input : zeros;
      padded |= !inside;
    }
  }
  p->taps.count = count;
  p->padded = padded;
}

/* As reds_taps_function, where several output channels see each input channel; `channel` is the first of them. Weights of
 * 0 bits are reds_split_weights. */
static void add_multiplied(const reds_tap_list *taps, int32_t channel, int32_t multiplier, int32_t count,
                           const uint8_t *weights, int32_t element, const int32_t *start, int32_t *sums) {
  for (int32_t k = 0; k < count; k++) {
    const int32_t place = (channel + k) / multiplier - channel / multiplier;
    const int8_t *const codebook = taps->codebook ? taps->codebook + (taps->column + k) * taps->clusters : NULL;
    int32_t sum = start[k], at = element + k;
    for (int32_t i = 0; i < taps->count; i++, at += taps->row) {
      const int32_t value =
        taps->bits ? reds_weight_at(weights, at, taps->bits) : reds_split_at((const void *)weights, at);
      sum += taps->inputs[i][place] * (codebook ? codebook[value & ((1 << taps->bits) - 1)] : value);
    }
    sums[k] = sum;
  }
}

/* The outputs of `count` channels from `channel` on, whose weights are elements of rows from `element` on. */
static void convolve_block(const reds_convolution *s, reds_taps_function *add, const int8_t *image, position *p,
                           int32_t element, int32_t channel, int32_t count, int8_t *output) {
  const int32_t all = s->kernel_height * s->kernel_width, multiplier = s->depth_multiplier;
  const uint8_t *const weights = p->weights;
  const int32_t *start = s->bias + channel;
  int32_t sums[REDS_BLOCK];
  p->taps.column = element;
  for (int32_t first = 0; first < all; first += REDS_TAPS, element += REDS_TAPS * p->taps.row) {
    if (multiplier != 1) {
      list_taps(s, image + channel / multiplier, first, p);
      add_multiplied(&p->taps, channel, multiplier, count, weights, element, start, sums);
    } else {
      if (p->channel < 0 || p->padded || all > REDS_TAPS) {
        list_taps(s, image + channel, first, p);
        p->channel = channel;
      } /* Otherwise the list of another block serves. */
      add(&p->taps, channel - p->channel, count, weights, element, start, sums);
    }
    start = sums;
  }
  reds_output(s, channel, count, sums, output + channel);
}

void reds_convolve_depthwise_any(const reds_convolution *s, const reds_coded_weights *coded, reds_taps_function *add,
                                 const int8_t *input, int8_t *output) {
  const reds_segment whole = {0, 0, s->out_channels};
  const reds_segment *const segments = s->segments ? s->segments : &whole;
  const int32_t segment_count = s->segments ? s->segment_count : 1;
  int8_t zeros[REDS_BLOCK];
  position p;
  memset(zeros, s->input_zero, sizeof zeros);
  p.zeros = zeros;
  p.weights = coded ? coded->values : s->weights;
  p.taps.row = s->row;
  p.taps.bits = coded ? coded->bits : s->weight_bits;
  p.taps.codebook = coded ? coded->codebook : NULL;
  p.taps.clusters = coded ? coded->clusters : 0;
  p.top = -s->pad_top;
  for (int32_t oy = 0; oy < s->out_height; oy++, p.top += s->stride_y) {
    p.left = -s->pad_left;
    for (int32_t ox = 0; ox < s->out_width; ox++, p.left += s->stride_x, output += s->out_channels) {
      p.channel = -1;
      for (int32_t i = 0; i < segment_count; i++) {
        const reds_segment *const g = &segments[i];
        for (int32_t k = 0; k < g->count; k += REDS_BLOCK) {
          convolve_block(s, add, input, &p, g->weight + k, g->input + k, reds_block(g->count - k), output);
        }
      }
    }
  }
}

void reds_convolve_depthwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  (void)second;
  reds_convolve_depthwise_any(settings, 0, reds_add_taps, first, output);
}
