/* The engine of reds: runs quantised networks that share one array of weights, in C99, without malloc.
 *
 * A member of a family is a list of layers. Each layer names a kernel (reds_*.c), its settings, and the places of its
 * inputs and its output in one array of bytes, the arena. All arithmetic is that of tflite-micro, bit for bit: sums are
 * 32-bit integers, and each is multiplied by multiplier * 2^(shift - 31) with two roundings, as in gemmlowp.
 *
 * Images lie in memory as height, width, channels; what has no height or width has 1 of it. */
#ifndef REDS_ENGINE_H
#define REDS_ENGINE_H
#include <stdint.h>

#define REDS_NET_INPUT UINT32_MAX /* as the place of an input: the input of the network */
#define REDS_NO_INPUT (UINT32_MAX - 1) /* as the place of the second input of a layer that has one input */

typedef void reds_kernel(const void *settings, const int8_t *first, const int8_t *second, int8_t *output);

typedef struct {
  reds_kernel *run;
  const void *settings;            /* of the type that the kernel documents */
  uint32_t first, second, output;  /* places in the arena in bytes, or one of the above */
} reds_layer;

typedef struct {
  const reds_layer *layers;
  uint16_t count;
  uint32_t result;                 /* the place of the output of the network in the arena in bytes */
} reds_member;

/* Run a member; returns its output, which lies in the arena until the next run. */
const int8_t *reds_run(const reds_member *member, const int8_t *input, int8_t *arena);

/* A run of consecutive input channels whose weights are consecutive in the store. */
typedef struct {
  uint16_t input;    /* the first of them among the input channels of the layer */
  uint16_t weight;   /* the place of its weight in a row of the store, in elements */
  uint16_t count;
} reds_segment;

/* Weights with a codebook for each output channel, or with a mask, or both. */
typedef struct {
  const uint8_t *values;   /* weights, or indices into codebooks: `bits` bits each, packed without gaps */
  const int8_t *codebook;  /* `clusters` weights for each output channel; NULL: values are weights */
  const uint8_t *mask;     /* one bit for each weight, 1 if it is stored: output channels one after the other, packed
                              without gaps; NULL: all are stored */
  const int32_t *starts;   /* with a mask: the index of the first value of each output channel; otherwise NULL */
  uint8_t bits, clusters;
} reds_coded_weights;

/* Weights of 8 bits in two halves, of which a member may read the upper ones alone. The lower ones then count as 8, which
 * is the middle of what they can be. */
typedef struct {
  const uint8_t *upper;    /* the upper 4 bits of each weight, packed with the first in the lowest bits of a byte */
  const uint8_t *lower;    /* the lower 4 bits, packed likewise; NULL: 8 for each weight */
} reds_split_weights;

/* Convolutions of every kind and fully connected layers (a convolution whose kernel is the whole image).
 *
 * The weight of output channel o, tap (y, x) and element e of a row is element
 *     ((o * kernel_height + y) * kernel_width + x) * row + e
 * of `weights`; for depthwise convolutions, that of tap (y, x) and output channel o is (y * kernel_width + x) * row + o.
 * `row` is the number of channels of the full network, of which a member uses the first, or those of `segments`.
 * Segments of depthwise convolutions are runs of output channels: `input` is the first of them.
 * Weights of 4 or 2 bits are packed with the first in the lowest bits of a byte, without gaps between rows.
 *
 * `bias` holds bias - input_zero * (sum of the weights of the channel that the member uses, all taps), so that kernels
 * multiply inputs as they are stored; a tap outside of the image then counts as the input `input_zero`. */
typedef struct {
  const void *weights;             /* int8_t, packed, reds_coded_weights or reds_split_weights */
  const int32_t *bias;             /* one for each output channel, as are the next two */
  const int32_t *multiplier;
  const int8_t *shift;             /* positive: to the left */
  const reds_segment *segments;    /* NULL: the first in_channels of a row */
  uint16_t segment_count;
  uint16_t row;                    /* in elements */
  uint16_t in_height, in_width, in_channels;     /* in_channels of one group in grouped convolutions */
  uint16_t out_height, out_width, out_channels;  /* out_channels of all groups */
  uint16_t groups;                 /* 1 unless grouped; output channels of one group are consecutive */
  uint16_t kernel_height, kernel_width;
  uint16_t stride_y, stride_x, dilation_y, dilation_x;
  uint16_t pad_top, pad_left;
  uint16_t depth_multiplier;       /* of depthwise convolutions: output channels for each input channel */
  int16_t input_zero, output_zero;
  int8_t least, greatest;          /* the range of outputs, which the activation limits */
  uint8_t weight_bits;             /* 8, 4 or 2; 0 with reds_coded_weights or reds_split_weights */
} reds_convolution;

reds_kernel reds_convolve;            /* any: settings reds_convolution, weights of 8 bits */
reds_kernel reds_convolve_pointwise;  /* 1x1, stride 1, no padding, one group, no segments; also fully connected layers
                                         of one position: out_height * out_width rows of in_channels, 8 bits */
reds_kernel reds_convolve_depthwise;  /* depthwise, any depth multiplier, 8 bits */
reds_kernel reds_convolve_packed;            /* as reds_convolve, weights of 4 or 2 bits */
reds_kernel reds_convolve_depthwise_packed;  /* as reds_convolve_depthwise, weights of 4 or 2 bits */
reds_kernel reds_convolve_split;             /* as reds_convolve, weights in halves */
reds_kernel reds_convolve_depthwise_split;   /* as reds_convolve_depthwise, weights in halves */
reds_kernel reds_convolve_coded;             /* as reds_convolve, weights with codebooks */
reds_kernel reds_convolve_sparse;            /* as reds_convolve, weights with a mask, no segments and
                                                row = in_channels */
reds_kernel reds_convolve_depthwise_coded;   /* as reds_convolve_depthwise, weights with codebooks */
reds_kernel reds_convolve_transposed; /* transposed convolution, weights of 8 bits: input (y, x) adds to the outputs
                                         (y * stride_y - pad_top + ky, x * stride_x - pad_left + kx). Its `bias` is
                                         plain, and `input_zero` is subtracted from inputs. */

/* Poolings: settings reds_pooling. The average is over the taps inside of the image and rounds half away from zero. */
typedef struct {
  uint16_t in_height, in_width, channels, out_height, out_width;
  uint16_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int8_t least, greatest;
} reds_pooling;
reds_kernel reds_average_pool;
reds_kernel reds_max_pool;

/* The mean over all positions, for each channel, with a change of scale: settings reds_reduction. */
typedef struct {
  uint32_t positions;
  uint16_t channels;
  int16_t input_zero, output_zero;
  int32_t multiplier;              /* of the sum, so the number of positions is part of it */
  int8_t shift;
} reds_reduction;
reds_kernel reds_mean;

/* A function of each element: settings int8_t[256], the result for the inputs -128, -127, ... 127, after the count. */
typedef struct {
  uint32_t count;
  const int8_t *table;             /* 256 results */
} reds_lookup_table;
reds_kernel reds_lookup;

/* Sums and products of two tensors. The second one has as many elements as the first, or is repeated for each block of
 * `period` elements of it (a value for each channel: period = channels; a single value: period = 1). A second input
 * that is a constant is given by `constant`; then the layer has one input. Settings reds_arithmetic. */
typedef struct {
  uint32_t count, period;          /* elements of the output, and of the second input */
  const int8_t *constant;          /* NULL: the second input of the layer */
  int16_t first_zero, second_zero, output_zero;
  int32_t first_multiplier, second_multiplier, output_multiplier;  /* of sums; products use the last */
  int8_t first_shift, second_shift, output_shift;
  int8_t left_shift;               /* of sums: 20 for int8 */
  int8_t least, greatest;
} reds_arithmetic;
reds_kernel reds_add;
reds_kernel reds_subtract;
reds_kernel reds_multiply;

/* Copies blocks of `size` bytes that lie `input_stride` apart to places that lie `output_stride` apart; concatenation is
 * one copy for each part, with its place in the output as the output of the layer. Settings reds_blocks. */
typedef struct {
  uint32_t count, size, input_stride, output_stride;
} reds_blocks;
reds_kernel reds_copy;

/* Pads an image on all sides: settings reds_padding. */
typedef struct {
  uint16_t in_height, in_width, out_height, out_width, channels, channels_before, out_channels;
  uint16_t pad_top, pad_left;
  int8_t value;
} reds_padding;
reds_kernel reds_pad;

/* Softmax over the last axis: settings reds_softmax_settings. The output has the scale 1/256 and the zero point -128. */
typedef struct {
  uint32_t rows;
  uint16_t classes;
  int32_t multiplier;              /* of differences of inputs, into fixed point with 5 integer bits */
  int8_t left_shift;
  int16_t least_difference;        /* smaller differences from the largest input count as 0 */
} reds_softmax_settings;
reds_kernel reds_softmax;

#endif
