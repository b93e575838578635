/* Dot products of inputs with the weights of output channels: the inner loops of convolutions. */
#ifndef REDS_DOT_H
#define REDS_DOT_H
#include <stdint.h>

/* The elements that a dot product takes: `rows` runs of `count` consecutive ones. */
typedef struct {
  int32_t rows, count;
  int32_t input_step, weight_step; /* from one run to the next */
  int32_t stride;                  /* from the weights of one output channel to those of the next */
} reds_runs;

/* Write to `sums` the dot products of the inputs with the weights of each of `outputs` channels, each added to that of
 * `start`, which may be `sums`. */
void reds_dot(const reds_runs *runs, const int8_t *inputs, const int8_t *weights, int32_t outputs, const int32_t *start,
              int32_t *sums);

#endif
