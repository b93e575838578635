/* Dot products of inputs with the weights of output channels: the inner loops of convolutions. */
#ifndef REDS_DOT_H
#define REDS_DOT_H
#include <stdint.h>

/* The elements that a dot product takes: `rows` runs of `count` consecutive ones. */
typedef struct {
  int32_t rows, count;
  int32_t input_step, weight_step; /* from one run to the next, in elements */
  int32_t stride;                  /* from the weights of one output channel to those of the next, in elements */
  int32_t element;                 /* the place of the first weight, in elements */
  int32_t bits;                    /* of a weight */
} reds_runs;

/* Writes to `sums` the dot products of the inputs with the weights of each of `outputs` channels, each added to that of
 * `start`, which may be `sums`. */
typedef void reds_dot_function(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t outputs,
                               const int32_t *start, int32_t *sums);

reds_dot_function reds_dot;        /* weights of 8 bits */
reds_dot_function reds_dot_packed; /* weights of 4 or 2 bits */

#endif
