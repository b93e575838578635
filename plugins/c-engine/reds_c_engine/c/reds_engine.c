#include "reds_engine.h"

#include <stddef.h>

/* Kernels multiply sizes as int. This line fails to compile where it has 16 bits, as on AVR. */
enum { reds_int_has_32_bits = 1 / (sizeof(int) >= 4) };

static const int8_t *place(uint32_t at, const int8_t *input, const int8_t *arena) {
  if (at == REDS_NO_INPUT) return NULL;
  return at == REDS_NET_INPUT ? input : arena + at;
}

const int8_t *reds_run(const reds_member *member, const int8_t *input, int8_t *arena) {
  const reds_layer *layer = member->layers;
  const reds_layer *end = layer + member->count;
  for (; layer != end; layer++)
    layer->run(layer->settings, place(layer->first, input, arena), place(layer->second, input, arena),
               arena + layer->output);
  return place(member->result, input, arena);
}
