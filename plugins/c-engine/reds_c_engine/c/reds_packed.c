/* Convolutions with weights of 4 or 2 bits, packed with the first in the lowest bits of a byte; rows are whole bytes. */
#include "reds_engine.h"
#include "reds_output.h"
#include "reds_window.h"

/* The weights of one row, and how to read them. */
typedef struct {
  int32_t bits; /* of a weight */
  int32_t row_bytes;
} packing;

static packing packing_of(const reds_convolution *s) {
  packing p;
  p.bits = s->weight_bits;
  p.row_bytes = (s->row * p.bits + 7) / 8;
  return p;
}

static inline int32_t weight_at(const packing *p, const uint8_t *row, int32_t element) {
  const int32_t bit = element * p->bits, sign = 1 << (p->bits - 1);
  const int32_t field = row[bit >> 3] >> (bit & 7) & (2 * sign - 1);
  return (field ^ sign) - sign;
}

/* sum += inputs . weights over a segment of one tap; inputs == NULL: all of them are `zero`. */
static int32_t add_segment(const packing *p, const int8_t *inputs, const uint8_t *row, int32_t weight, int32_t count,
                           int32_t zero, int32_t sum) {
  for (int32_t e = 0; e < count; e++) sum += (inputs ? inputs[e] : zero) * weight_at(p, row, weight + e);
  return sum;
}

static int32_t sum_of(const reds_convolution *s, const packing *p, const int8_t *input, int32_t top, int32_t left,
                      int32_t channel) {
  const int32_t taps = s->kernel_height * s->kernel_width, channels = s->in_channels * s->groups;
  const uint8_t *row = (const uint8_t *)s->weights + channel * taps * p->row_bytes;
  int32_t sum = s->bias[channel];
  for (int32_t ky = 0; ky < s->kernel_height; ky++) {
    const int32_t iy = top + ky * s->dilation_y;
    for (int32_t kx = 0; kx < s->kernel_width; kx++, row += p->row_bytes) {
      const int32_t ix = left + kx * s->dilation_x;
      const int outside = iy < 0 || iy >= s->in_height || ix < 0 || ix >= s->in_width;
      const int8_t *const inputs = outside ? 0 : input + (iy * s->in_width + ix) * channels;
      if (!s->segments) {
        sum = add_segment(p, inputs, row, 0, s->in_channels, s->input_zero, sum);
        continue;
      }
      for (int32_t i = 0; i < s->segment_count; i++) {
        const reds_segment *const g = &s->segments[i];
        sum = add_segment(p, inputs ? inputs + g->input : 0, row, g->weight, g->count, s->input_zero, sum);
      }
    }
  }
  return sum;
}

void reds_convolve_packed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  const packing p = packing_of(s);
  const int32_t of_group = s->out_channels / s->groups;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      const int32_t top = oy * s->stride_y - s->pad_top, left = ox * s->stride_x - s->pad_left;
      for (int32_t o = 0; o < s->out_channels; o++) {
        const int8_t *const input = first + o / of_group * s->in_channels;
        const int32_t sum = sum_of(s, &p, input, top, left, o);
        reds_output(s, o, 1, &sum, output++);
      }
    }
  }
}

static int32_t depthwise_sum_of(const reds_convolution *s, const packing *p, const int8_t *input, int32_t top,
                                int32_t left, int32_t channel, int32_t element) {
  const uint8_t *row = s->weights;
  int32_t sum = s->bias[channel];
  input += channel / s->depth_multiplier;
  for (int32_t ky = 0; ky < s->kernel_height; ky++) {
    const int32_t iy = top + ky * s->dilation_y;
    for (int32_t kx = 0; kx < s->kernel_width; kx++, row += p->row_bytes) {
      const int32_t ix = left + kx * s->dilation_x;
      const int outside = iy < 0 || iy >= s->in_height || ix < 0 || ix >= s->in_width;
      const int32_t value = outside ? s->input_zero : input[(iy * s->in_width + ix) * s->in_channels];
      sum += value * weight_at(p, row, element);
    }
  }
  return sum;
}

void reds_convolve_depthwise_packed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  const packing p = packing_of(s);
  const reds_segment whole = {0, 0, s->out_channels};
  const reds_segment *const segments = s->segments ? s->segments : &whole;
  const int32_t segment_count = s->segments ? s->segment_count : 1;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    for (int32_t ox = 0; ox < s->out_width; ox++, output += s->out_channels) {
      const int32_t top = oy * s->stride_y - s->pad_top, left = ox * s->stride_x - s->pad_left;
      for (int32_t i = 0; i < segment_count; i++) {
        for (int32_t k = 0; k < segments[i].count; k++) {
          const int32_t o = segments[i].input + k;
          const int32_t sum = depthwise_sum_of(s, &p, first, top, left, o, segments[i].weight + k);
          reds_output(s, o, 1, &sum, output + o);
        }
      }
    }
  }
}
