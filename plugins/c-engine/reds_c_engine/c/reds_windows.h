/* Convolutions that read each weight once for several positions, because finding it takes instructions. */
#ifndef REDS_WINDOWS_H
#define REDS_WINDOWS_H
#include "reds_engine.h"

enum {
  REDS_TILE = 8,   /* positions of the output that are computed at a time */
  REDS_PIECE = 64, /* inputs of each of them */
  REDS_ROWS = 16,  /* and output channels */
  REDS_DECODED = 4 /* rows of weights that are decoded at a time */
};

/* Some output channels of some positions, and a part of the weights that they need. */
typedef struct {
  int32_t positions;
  int32_t channel, outputs;             /* the first output channel, and how many there are */
  int32_t element, count;               /* the part of a row of weights: its first element, and its length */
  int32_t stride;                       /* from one output channel to the next in the weights, in elements */
  int32_t next[REDS_ROWS];              /* of each channel, where its values continue; only with a mask */
  int32_t sums[REDS_ROWS][REDS_TILE];
  int8_t inputs[REDS_TILE][REDS_PIECE]; /* what the positions see, padding included */
} reds_tile;

/* Adds the products of the inputs of a tile with its weights to the sums. */
typedef void reds_tile_function(const reds_coded_weights *weights, reds_tile *tile);

/* Writes the weights of channel k of a tile, of its part of a row, to `row`. */
typedef void reds_decoder(const reds_coded_weights *weights, reds_tile *tile, int32_t k, int8_t *row);

/* Any convolution that is not depthwise; the `weights` of its settings are reds_coded_weights. */
void reds_convolve_windows(const reds_convolution *s, reds_tile_function *add, const int8_t *input, int8_t *output);

/* Adds the products with decoded weights, as a reds_tile_function that knows a decoder. */
void reds_add_decoded(const reds_coded_weights *weights, reds_tile *tile, reds_decoder *decode);

#endif
