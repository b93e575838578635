/* Kernels for activations of 16 bits. Their zero points are 0, and weights have 8 bits.
 *
 * The arena and the inputs of the network hold int16_t then; kernels take their addresses as those of bytes, since all
 * kernels have one type. Places in the arena are even. Copies and padding with zeros are those of bytes: reds_copy and
 * reds_pad.
 *
 * Sums of products have 64 bits and are multiplied by multiplier / 2^shift with one rounding, where multipliers have 15
 * bits. Everything else is scaled as for activations of 8 bits, with two roundings. This is what tflite-micro does. */
#ifndef REDS_WIDE_H
#define REDS_WIDE_H
#include "reds_engine.h"

/* Convolutions of every kind and fully connected layers. Weights lie as in reds_convolution. */
typedef struct {
  const int8_t *weights;
  const int64_t *bias;             /* one for each output channel, as are the next two */
  const int16_t *multiplier;
  const int8_t *shift;             /* to the right, 8 to 46 */
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
  int16_t least, greatest;         /* the range of outputs, which the activation limits */
} reds_wide_convolution;

reds_kernel reds_wide_convolve;            /* any but depthwise */
reds_kernel reds_wide_convolve_pointwise;  /* 1x1, stride 1, no padding, one group, no segments; also fully connected
                                              layers: out_height * out_width rows of in_channels */
reds_kernel reds_wide_convolve_depthwise;  /* depthwise, any depth multiplier, at most 504 taps */

/* Poolings. The average is over the taps inside of the image and rounds half away from zero. */
typedef struct {
  uint16_t in_height, in_width, channels, out_height, out_width;
  uint16_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int16_t least, greatest;
} reds_wide_pooling;
reds_kernel reds_wide_average_pool;
reds_kernel reds_wide_max_pool;

/* The mean over all positions, for each channel, with a change of scale. */
typedef struct {
  uint16_t positions, channels;
  int32_t multiplier;              /* of the sum, so the number of positions is part of it */
  int8_t shift;
} reds_wide_reduction;
reds_kernel reds_wide_mean;

/* ReLU and changes of scale: one factor for inputs of at least 0 and one for those below. */
typedef struct {
  uint32_t count;
  int32_t multiplier, negative_multiplier;
  int8_t shift, negative_shift;    /* positive: to the left */
  int16_t least, greatest;
} reds_wide_slopes;
reds_kernel reds_wide_relu;

/* Sums and products of two tensors. The second one has as many elements as the first, or is repeated for each block of
 * `period` elements of it. A second input that is a constant is given by `constant`; then the layer has one input. */
typedef struct {
  uint32_t count, period;
  const int16_t *constant;         /* NULL: the second input of the layer */
  int32_t first_multiplier, second_multiplier, output_multiplier;  /* of sums; products use the last */
  int8_t first_shift, second_shift, output_shift;
  int8_t left_shift;               /* of sums: 15 */
  int16_t least, greatest;
} reds_wide_arithmetic;
reds_kernel reds_wide_add;
reds_kernel reds_wide_subtract;
reds_kernel reds_wide_multiply;

/* Softmax over the last axis. The output has the scale 1/32768. */
typedef struct {
  uint32_t rows;
  uint16_t classes;
  int32_t multiplier;              /* of differences of inputs, into units of 10/65535 */
  int8_t shift;
  const int16_t *exponential;      /* 513 samples of exp(x) for x from -10 to 0, in units of 1/32768 */
  const int16_t *reciprocal;       /* 513 samples of 1 / (1 + x) for x from 0 to 1, likewise */
} reds_wide_softmax_settings;
reds_kernel reds_wide_softmax;

#endif
