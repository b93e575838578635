/* An input for counting: the same random integers in every program. */
#ifndef EXAMPLE_H
#define EXAMPLE_H
#include "reds_net.h"

static reds_net_value input[REDS_NET_INPUT_SIZE];

static void fill_input(void) {
  const int bits = 8 * sizeof *input;
  uint32_t state = 2463534242u;
  for (unsigned i = 0; i < REDS_NET_INPUT_SIZE; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    input[i] = (reds_net_value)((int)(state >> (32 - bits)) - (1 << (bits - 1)));
  }
}

#endif
