/* Runs every member on every example of the file `inputs`, and writes what they compute to the file `outputs`.
 *
 * Members change after each run, so that what one leaves in memory would disturb the next one. */
#include <stdio.h>

#include "reds_net.h"

static reds_net_value input[REDS_NET_INPUT_SIZE];

int main(void) {
  FILE *in = fopen("inputs", "rb"), *out = fopen("outputs", "wb");
  if (!in || !out) return 2;
  while (fread(input, 1, sizeof input, in) == sizeof input)
    for (unsigned member = 0; member < REDS_NET_MEMBERS; member++) {
      if (net_select(member)) return 3;
      if (fwrite(net_run(input), sizeof *input, REDS_NET_OUTPUT_SIZE, out) != REDS_NET_OUTPUT_SIZE) return 4;
    }
  fclose(in);
  return fclose(out) ? 5 : 0;
}
