/* Transposed convolutions, each output gathered from the inputs that add to it. */
#include "reds_engine.h"
#include "reds_output.h"

/* The place along one axis of the input that adds to output place `output` by tap `tap`, or -1. */
static int32_t source(int32_t output, int32_t tap, int32_t pad, int32_t stride, int32_t size) {
  const int32_t distance = output + pad - tap;
  if (distance < 0 || distance % stride != 0 || distance / stride >= size) return -1;
  return distance / stride;
}

/* The weights of one tap: those of an output channel lie `stride` bytes after those of the channel before. */
typedef struct {
  const int8_t *weights;
  int32_t stride;
  int32_t zero; /* to be subtracted from inputs */
} tap;

/* Add (inputs - zero) . weights to the sums of `outputs` channels, for `count` inputs. */
static void add_tap(tap t, const int8_t *inputs, int32_t count, int32_t outputs, int32_t *sums) {
  for (; outputs >= 4; outputs -= 4, t.weights += 4 * t.stride, sums += 4) {
    const int8_t *a = t.weights, *b = a + t.stride, *c = b + t.stride, *d = c + t.stride;
    int32_t sum_a = sums[0], sum_b = sums[1], sum_c = sums[2], sum_d = sums[3];
    const int8_t *input = inputs;
    for (const int8_t *const end = input + count; input != end;) {
      const int32_t value = *input++ - t.zero;
      sum_a += value * *a++;
      sum_b += value * *b++;
      sum_c += value * *c++;
      sum_d += value * *d++;
    }
    sums[0] = sum_a;
    sums[1] = sum_b;
    sums[2] = sum_c;
    sums[3] = sum_d;
  }
  for (; outputs > 0; outputs--, t.weights += t.stride, sums++) {
    for (int32_t i = 0; i < count; i++) *sums += (inputs[i] - t.zero) * t.weights[i];
  }
}

/* The outputs of `outputs` channels from `channel` on, of one position. */
static void convolve_block(const reds_convolution *s, const int8_t *input, int32_t oy, int32_t ox, int32_t channel,
                           int32_t outputs, int8_t *output) {
  const int32_t stride = s->kernel_height * s->kernel_width * s->row;
  int32_t sums[REDS_BLOCK];
  for (int32_t k = 0; k < outputs; k++) sums[k] = s->bias[channel + k];
  for (int32_t ky = 0; ky < s->kernel_height; ky++) {
    const int32_t iy = source(oy, ky, s->pad_top, s->stride_y, s->in_height);
    if (iy < 0) continue;
    for (int32_t kx = 0; kx < s->kernel_width; kx++) {
      const int32_t ix = source(ox, kx, s->pad_left, s->stride_x, s->in_width);
      if (ix < 0) continue;
      const int8_t *const inputs = input + (iy * s->in_width + ix) * s->in_channels;
      tap t = {s->weights, stride, s->input_zero};
      t.weights += channel * stride + (ky * s->kernel_width + kx) * s->row;
      if (!s->segments) {
        add_tap(t, inputs, s->in_channels, outputs, sums);
        continue;
      }
      for (int32_t i = 0; i < s->segment_count; i++) {
        const reds_segment *const g = &s->segments[i];
        tap of_segment = t;
        of_segment.weights += g->weight;
        add_tap(of_segment, inputs + g->input, g->count, outputs, sums);
      }
    }
  }
  reds_output(s, channel, outputs, sums, output);
}

void reds_convolve_transposed(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_convolution *const s = settings;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++) {
    for (int32_t ox = 0; ox < s->out_width; ox++) {
      for (int32_t o = 0; o < s->out_channels; o += REDS_BLOCK) {
        const int32_t outputs = reds_block(s->out_channels - o);
        convolve_block(s, first, oy, ox, o, outputs, output);
        output += outputs;
      }
    }
  }
}
