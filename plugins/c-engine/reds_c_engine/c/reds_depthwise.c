/* Depthwise convolutions. Segments choose output channels: `input` is the first of them, `weight` their place in a row. */
#include "reds_engine.h"
#include "reds_output.h"
#include "reds_window.h"

/* The taps of one position that lie inside of the image. */
typedef struct {
  const int8_t *input; /* the first of them, input channel 0 */
  reds_taps y, x;
} window;

/* The sum of output channel `channel`, whose weights are element `element` of the rows. */
static int32_t sum_of(const reds_convolution *s, const window *w, int32_t channel, int32_t element) {
  const int32_t channels = s->in_channels, row = s->row, columns = w->x.end - w->x.first;
  const int8_t *weights = (const int8_t *)s->weights + element;
  const int8_t *input = w->input + channel / s->depth_multiplier;
  int32_t sum = s->bias[channel];
  int32_t inside = 0, all = 0;
  weights += (w->y.first * s->kernel_width + w->x.first) * row;
  for (int32_t y = w->y.first; y < w->y.end; y++) {
    for (int32_t x = 0; x < columns; x++) {
      sum += input[x * s->dilation_x * channels] * weights[x * row];
      inside += weights[x * row];
    }
    input += s->dilation_y * s->in_width * channels;
    weights += s->kernel_width * row;
  }
  if (columns == s->kernel_width && w->y.end - w->y.first == s->kernel_height) return sum;
  weights = (const int8_t *)s->weights + element;
  for (int32_t i = s->kernel_height * s->kernel_width; i > 0; i--, weights += row) all += *weights;
  return sum + s->input_zero * (all - inside);
}

static void convolve_position(const reds_convolution *s, const window *w, int8_t *output) {
  if (!s->segments) {
    for (int32_t o = 0; o < s->out_channels; o++) output[o] = reds_output_one(s, o, sum_of(s, w, o, o));
    return;
  }
  for (int32_t i = 0; i < s->segment_count; i++) {
    const reds_segment *const g = &s->segments[i];
    for (int32_t k = 0; k < g->count; k++) {
      const int32_t o = g->input + k;
      output[o] = reds_output_one(s, o, sum_of(s, w, o, g->weight + k));
    }
  }
}

void reds_convolve_depthwise(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  window w;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    const int32_t top = oy * s->stride_y - s->pad_top;
    w.y = reds_taps_inside(top, s->dilation_y, s->kernel_height, s->in_height);
    for (int32_t ox = 0; ox < s->out_width; ox++, output += s->out_channels) {
      const int32_t left = ox * s->stride_x - s->pad_left;
      w.x = reds_taps_inside(left, s->dilation_x, s->kernel_width, s->in_width);
      const int32_t y = top + w.y.first * s->dilation_y, x = left + w.x.first * s->dilation_x;
      w.input = first + (y * s->in_width + x) * s->in_channels;
      convolve_position(s, &w, output);
    }
  }
}
