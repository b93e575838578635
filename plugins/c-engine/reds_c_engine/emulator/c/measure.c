/* Counts the instructions of switching and of running, before and after switching, and the stack that a run takes. */
#include <stdio.h>

#include "emulator.h"
#include "example.h"

static unsigned long nothing; /* the ticks of the counter itself */

static unsigned long ticks_of_run(void) {
  emulator_start();
  net_run(input);
  return (unsigned long)emulator_stop() - nothing;
}

static unsigned long ticks_of_switch(unsigned member) {
  emulator_start();
  net_select(member);
  return (unsigned long)emulator_stop() - nothing;
}

int main(void) {
  fill_input();
  emulator_start();
  nothing = (unsigned long)emulator_stop();
  for (unsigned member = 0; member < REDS_NET_MEMBERS; member++) {
    printf("ticks select-%u %lu\n", member, ticks_of_switch(member));
    emulator_paint_stack();
    net_run(input);
    printf("stack %u %u\n", member, emulator_stack_bytes());
    printf("ticks run-%u %lu\n", member, ticks_of_run());
  }
#ifdef REDS_NET_EXITS
  for (unsigned member = 0; member < REDS_NET_MEMBERS; member++) { /* stopping at each exit */
    unsigned long ticks = 0;
    net_select(member);
    for (unsigned exit = 0; exit < reds_net_exit_counts[member]; exit++) {
      emulator_start();
      exit ? net_continue() : net_begin(input);
      ticks += (unsigned long)emulator_stop() - nothing;
      printf("ticks exit-%u-%u %lu\n", member, exit, ticks);
    }
  }
#endif
  for (unsigned first = 0; first < REDS_NET_MEMBERS; first++) { /* after a run of each other member */
    net_select(first);
    net_run(input);
    unsigned second = (first + 1) % REDS_NET_MEMBERS;
    net_select(second);
    printf("ticks switched-%u %lu\n", second, ticks_of_run());
  }
  return 0;
}
