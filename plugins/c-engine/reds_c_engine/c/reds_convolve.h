/* Convolutions for any format of weights. */
#ifndef REDS_CONVOLVE_H
#define REDS_CONVOLVE_H
#include "reds_dot.h"
#include "reds_engine.h"
#include "reds_taps.h"

/* Convolutions that are not depthwise; `dot` is the function for the weights of the settings. */
void reds_convolve_any(const reds_convolution *s, reds_dot_function *dot, const int8_t *input, int8_t *output);

/* Depthwise convolutions. Where `coded` is not NULL, it holds the weights, and the settings only refer to it. */
void reds_convolve_depthwise_any(const reds_convolution *s, const reds_coded_weights *coded, reds_taps_function *add,
                                 const int8_t *input, int8_t *output);

#endif
