/* Convolutions of any kernel, stride, dilation, padding, number of groups and choice of input channels, which copy what
 * a few positions see and go through the weights once for all of them. */
#include "reds_windows.h"
#include "reds_dot.h"
#include "reds_output.h"
#include "reds_window.h"
#include <stddef.h>
#include <string.h>

/* The windows of a tile. */
typedef struct {
  const reds_convolution *settings;
  const int8_t *input; /* the image, from the first channel of the group on */
  reds_segment whole;  /* the only segment where the settings name none */
  const reds_segment *segments;
  int32_t segment_count;
  int32_t channels;    /* of the input, all groups */
  int adjacent;        /* the taps of a row of the kernel are adjacent, both in the image and in the weights */
  int32_t top[REDS_TILE], left[REDS_TILE];
} windows;

/* A place in a kernel: a tap, one of its segments, and how many elements of that are done. If taps are adjacent, the
 * row of the kernel counts as one segment. */
typedef struct {
  int32_t ky, kx, segment, done;
} kernel_place;

static int32_t length_at(const windows *w, const kernel_place *at) {
  return w->adjacent ? w->settings->kernel_width * w->settings->in_channels : w->segments[at->segment].count;
}

static void go_on(const windows *w, kernel_place *at) {
  at->done = 0;
  if (!w->adjacent) {
    if (++at->segment < w->segment_count) return;
    at->segment = 0;
    if (++at->kx < w->settings->kernel_width) return;
    at->kx = 0;
  }
  at->ky++;
}

/* Copy `count` inputs of position t to a place. */
static void copy_inputs(const windows *w, const kernel_place *at, int32_t t, int32_t count, int8_t *to) {
  const reds_convolution *const s = w->settings;
  const int32_t y = w->top[t] + at->ky * s->dilation_y, x = w->left[t] + at->kx * s->dilation_x;
  const int32_t end = at->done + count;
  int32_t first = 0, last = 0; /* the elements of the segment that lie inside of the image */
  if (y >= 0 && y < s->in_height) {
    const reds_taps taps = reds_taps_inside(x, 1, w->adjacent ? s->kernel_width : 1, s->in_width);
    first = taps.first * (w->adjacent ? s->in_channels : 0);
    last = w->adjacent ? taps.end * s->in_channels : taps.end > taps.first ? end : 0;
  }
  int32_t e = at->done;
  for (; e < end && e < first; e++) *to++ = (int8_t)s->input_zero;
  if (e < last) {
    const int32_t channel = w->adjacent ? 0 : w->segments[at->segment].input;
    const int8_t *from = w->input + ((y * s->in_width + x) * w->channels + channel + e);
    const int32_t stop = last < end ? last : end;
    for (; e + 4 <= stop; e += 4, to += 4, from += 4) memcpy(to, from, 4);
    for (; e < stop; e++) *to++ = *from++;
  }
  for (; e < end; e++) *to++ = (int8_t)s->input_zero;
}

/* Copy the inputs of the next part of the kernel, at least one and as many as fit and have consecutive weights. */
static void fill(const windows *w, kernel_place *at, reds_tile *tile) {
  const reds_convolution *const s = w->settings;
  tile->element = (at->ky * s->kernel_width + at->kx) * s->row + w->segments[at->segment].weight + at->done;
  tile->count = 0;
  do {
    const int32_t left = length_at(w, at) - at->done, space = REDS_PIECE - tile->count;
    const int32_t count = left < space ? left : space;
    for (int32_t t = 0; t < tile->positions; t++) copy_inputs(w, at, t, count, tile->inputs[t] + tile->count);
    tile->count += count;
    at->done += count;
    if (count == left) go_on(w, at);
  } while (w->adjacent && tile->count < REDS_PIECE && at->ky < s->kernel_height);
}

/* Write the outputs of a tile. */
static void convolve_tile(windows *w, reds_tile_function *add, const int8_t *input, reds_tile *tile, int8_t *output) {
  const reds_convolution *const s = w->settings;
  const reds_coded_weights *const weights = s->weights;
  const int32_t of_group = s->out_channels / s->groups;
  w->input = input;
  for (int32_t end = of_group; end <= s->out_channels; end += of_group, w->input += s->in_channels) {
    int held = 0; /* the inputs of the whole kernel are in the tile */
    for (int32_t o = end - of_group; o < end; o += REDS_ROWS) {
      tile->channel = o;
      tile->outputs = end - o < REDS_ROWS ? end - o : REDS_ROWS;
      for (int32_t k = 0; k < tile->outputs; k++) {
        for (int32_t t = 0; t < tile->positions; t++) tile->sums[k][t] = s->bias[o + k];
        if (weights->starts) tile->next[k] = weights->starts[o + k];
      }
      kernel_place at = {0, 0, 0, 0};
      while (!held && at.ky < s->kernel_height) {
        fill(w, &at, tile);
        if (at.ky == s->kernel_height && tile->element == w->segments[0].weight) {
          held = 1;
        } else {
          add(weights, tile);
        }
      }
      if (held) add(weights, tile);
      for (int32_t t = 0; t < tile->positions; t++) {
        int32_t sums[REDS_ROWS];
        for (int32_t k = 0; k < tile->outputs; k++) sums[k] = tile->sums[k][t];
        reds_output(s, o, tile->outputs, sums, output + t * s->out_channels + o);
      }
    }
  }
}

void reds_convolve_windows(const reds_convolution *s, reds_tile_function *add, const int8_t *input, int8_t *output) {
  windows w;
  reds_tile tile;
  w.settings = s;
  w.whole.input = 0;
  w.whole.weight = 0;
  w.whole.count = s->in_channels;
  w.segments = s->segments ? s->segments : &w.whole;
  w.segment_count = s->segments ? s->segment_count : 1;
  w.channels = s->in_channels * s->groups;
  w.adjacent = !s->segments && s->groups == 1 && s->dilation_x == 1 && s->row == s->in_channels;
  tile.stride = s->kernel_height * s->kernel_width * s->row;
  const int32_t all = s->out_height * s->out_width;
  int32_t y = 0, x = 0;
  for (int32_t p = 0; p < all; p += tile.positions, output += tile.positions * s->out_channels) {
    tile.positions = all - p < REDS_TILE ? all - p : REDS_TILE;
    for (int32_t t = 0; t < tile.positions; t++) {
      w.top[t] = y * s->stride_y - s->pad_top;
      w.left[t] = x * s->stride_x - s->pad_left;
      if (++x == s->out_width) x = 0, y++;
    }
    convolve_tile(&w, add, input, &tile, output);
  }
}

/* Products are those of int8 in either order: for several positions, their inputs take the place of the weights of
 * several output channels, and decoded weights the place of inputs. */
void reds_add_decoded(const reds_coded_weights *weights, reds_tile *tile, reds_decoder *decode) {
  const reds_runs runs = {1, tile->count, 0, 0, REDS_PIECE, 0, 8};
  int8_t rows[REDS_DECODED][REDS_PIECE];
  if (tile->positions > 2) {
    for (int32_t k = 0; k < tile->outputs; k++) {
      decode(weights, tile, k, rows[0]);
      reds_dot(&runs, rows[0], (const uint8_t *)tile->inputs, tile->positions, tile->sums[k], tile->sums[k]);
    }
    return;
  }
  for (int32_t k = 0, count; k < tile->outputs; k += count) {
    int32_t sums[REDS_DECODED];
    count = tile->outputs - k < REDS_DECODED ? tile->outputs - k : REDS_DECODED;
    for (int32_t i = 0; i < count; i++) decode(weights, tile, k + i, rows[i]);
    for (int32_t t = 0; t < tile->positions; t++) {
      for (int32_t i = 0; i < count; i++) sums[i] = tile->sums[k + i][t];
      reds_dot(&runs, tile->inputs[t], (const uint8_t *)rows, count, sums, sums);
      for (int32_t i = 0; i < count; i++) tile->sums[k + i][t] = sums[i];
    }
  }
}
