/* Inputs in the order in which words of packed weights give up theirs. */
#ifndef REDS_PAIRS_H
#define REDS_PAIRS_H
#include "reds_simd.h"

#if REDS_DSP
/* The inputs of four pairs of weights of 16 bits, which a word of weights has in bytes 0 and 2, or in bytes 1 and 3. */
typedef struct {
  reds_word a, b, c, d;
} reds_pairs;

/* Pairs of each of four inputs with the same of four others. */
static inline reds_pairs reds_paired(reds_word first, reds_word second) {
  const reds_word even = reds_even(first), odd = reds_odd(first);
  const reds_word other_even = reds_even(second), other_odd = reds_odd(second);
  reds_pairs p;
  p.a = (even & 0xFFFFu) | other_even << 16;
  p.b = (odd & 0xFFFFu) | other_odd << 16;
  p.c = even >> 16 | (other_even & 0xFFFF0000u);
  p.d = odd >> 16 | (other_odd & 0xFFFF0000u);
  return p;
}
#endif

#endif
