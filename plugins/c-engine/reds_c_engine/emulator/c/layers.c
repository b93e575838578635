/* Counts the instructions of each layer of each member. Includes the source of the family to reach its tables. */
#include <stdio.h>

#include "reds_net.c"

#include "emulator.h"
#include "example.h"

static const int8_t *place(uint32_t at) {
  if (at == REDS_NO_INPUT) return NULL;
  return at == REDS_NET_INPUT ? (const int8_t *)input : (const int8_t *)net_arena + at;
}

int main(void) {
  fill_input();
  emulator_start();
  unsigned long nothing = (unsigned long)emulator_stop();
  for (unsigned member = 0; member < REDS_NET_MEMBERS; member++)
    for (unsigned i = 0; i < net_programs[member].count; i++) {
      const reds_layer *layer = &net_programs[member].layers[i];
      emulator_start();
      layer->run(layer->settings, place(layer->first), place(layer->second), (int8_t *)net_arena + layer->output);
      printf("ticks layer-%u-%u %lu\n", member, i, (unsigned long)emulator_stop() - nothing);
    }
  return 0;
}
