/* Transposed convolutions, each output gathered from the inputs that add to it. */
#include "reds_engine.h"
#include "reds_output.h"

/* The place along one axis of the input that adds to output place `output` by tap `tap`, or -1. */
static int32_t source(int32_t output, int32_t tap, int32_t pad, int32_t stride, int32_t size) {
  const int32_t distance = output + pad - tap;
  if (distance < 0 || distance % stride != 0 || distance / stride >= size) return -1;
  return distance / stride;
}

/* sum += (inputs - zero) . weights */
static int32_t dot(const int8_t *inputs, const int8_t *weights, int32_t count, int32_t zero, int32_t sum) {
  for (int32_t i = 0; i < count; i++) sum += (inputs[i] - zero) * weights[i];
  return sum;
}

static int32_t sum_of(const reds_convolution *s, const int8_t *input, int32_t oy, int32_t ox, int32_t channel) {
  const int8_t *weights = (const int8_t *)s->weights + channel * s->kernel_height * s->kernel_width * s->row;
  int32_t sum = s->bias[channel];
  for (int32_t ky = 0; ky < s->kernel_height; ky++) {
    const int32_t iy = source(oy, ky, s->pad_top, s->stride_y, s->in_height);
    for (int32_t kx = 0; kx < s->kernel_width; kx++, weights += s->row) {
      const int32_t ix = iy < 0 ? -1 : source(ox, kx, s->pad_left, s->stride_x, s->in_width);
      if (ix < 0) continue;
      const int8_t *const inputs = input + (iy * s->in_width + ix) * s->in_channels;
      if (!s->segments) {
        sum = dot(inputs, weights, s->in_channels, s->input_zero, sum);
        continue;
      }
      for (int32_t i = 0; i < s->segment_count; i++) {
        const reds_segment *const g = &s->segments[i];
        sum = dot(inputs + g->input, weights + g->weight, g->count, s->input_zero, sum);
      }
    }
  }
  return sum;
}

void reds_convolve_transposed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      for (int32_t o = 0; o < s->out_channels; o++) {
        const int32_t sum = sum_of(s, first, oy, ox, o);
        reds_output(s, o, 1, &sum, output++);
      }
    }
  }
}
