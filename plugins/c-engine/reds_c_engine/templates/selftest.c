/* Runs every member on random inputs and compares all values with those that were computed when this was generated.
 * Returns 0 if they are equal. On a host: make test. */
#include <stdio.h>
#include <string.h>

#include "reds_net.h"
#include "reds_net_vectors.h"

static uint32_t state;
static reds_net_value input[REDS_NET_INPUT_SIZE];

#ifdef REDS_NET_MIXED
static const uint8_t bits_of[] = REDS_NET_MIXED;
static int8_t short_input[REDS_NET_INPUT_SIZE];

/* An input of a member; elements of 8 bits are the upper halves of those of 16. */
static const void *input_of(unsigned member) {
  if (bits_of[member] == 16) return input;
  for (uint32_t i = 0; i < REDS_NET_INPUT_SIZE; i++) short_input[i] = (int8_t)(input[i] >> 8);
  return short_input;
}

static size_t size_of(unsigned member) { return bits_of[member] / 8u; }

static int32_t value_at(const void *values, uint32_t i, unsigned member) {
  return bits_of[member] == 8 ? ((const int8_t *)values)[i] : ((const int16_t *)values)[i];
}
#else
static const void *input_of(unsigned member) {
  (void)member;
  return input;
}

static size_t size_of(unsigned member) {
  (void)member;
  return sizeof *input;
}

static int32_t value_at(const reds_net_value *values, uint32_t i, unsigned member) {
  (void)member;
  return values[i];
}
#endif

static void make_input(reds_net_value *to) {
  const unsigned bits = 8 * sizeof *to;
  for (uint32_t i = 0; i < REDS_NET_INPUT_SIZE; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    to[i] = (reds_net_value)((int32_t)(state >> (32 - bits)) - (1 << (bits - 1)));
  }
}

static uint32_t differences(const void *found, unsigned row, unsigned member, uint32_t example) {
  const reds_net_value *expected = test_outputs + (row * (uint32_t)TEST_INPUTS + example) * REDS_NET_OUTPUT_SIZE;
  uint32_t count = 0;
  for (uint32_t i = 0; i < REDS_NET_OUTPUT_SIZE; i++) count += value_at(found, i, member) != expected[i];
  return count;
}

#ifdef REDS_NET_EXITS
/* The row of the output of a member itself, which follows those of its early exits. */
static unsigned row_of(unsigned member) {
  unsigned row = reds_net_exit_counts[0] - 1u;
  for (unsigned i = 1; i <= member; i++) row += reds_net_exit_counts[i];
  return row;
}

/* Stop at each exit and go on. */
static uint32_t differences_by_exits(const void *from, unsigned member, uint32_t example) {
  unsigned exit = 0, last = reds_net_exit_counts[member] - 1u;
  uint32_t count = 0;
  for (const void *found = net_begin(from); found; found = net_continue(), exit++)
    count += differences(found, row_of(member) - last + exit, member, example) + (net_exit() != exit);
  return count + (exit != last + 1);
}
#else
static unsigned row_of(unsigned member) { return member; }
#endif

int main(void) {
  uint32_t wrong = 0;
  state = TEST_SEED;
  for (uint32_t example = 0; example < TEST_INPUTS; example++) {
    make_input(input);
    for (unsigned i = 0; i < 2 * REDS_NET_MEMBERS; i++) { /* upwards, with the input elsewhere; down, in the arena */
      unsigned member = i < REDS_NET_MEMBERS ? i : 2 * REDS_NET_MEMBERS - 1 - i;
      const void *from = input_of(member);
      if (net_select(member)) wrong++;
      if (i >= REDS_NET_MEMBERS) {
        from = memcpy(net_input(), from, REDS_NET_INPUT_SIZE * size_of(member));
      }
      wrong += differences(net_run(from), row_of(member), member, example);
      if (net_member() != member) wrong++;
#ifdef REDS_NET_EXITS
      if (net_continue()) wrong++;
      if (i >= REDS_NET_MEMBERS) { /* the run may have written over it */
        memcpy(net_input(), input_of(member), REDS_NET_INPUT_SIZE * size_of(member));
      }
      wrong += differences_by_exits(from, member, example);
#endif
    }
  }
  if (net_select(REDS_NET_MEMBERS) != -1) wrong++;
  printf("%lu values differ of %lu\n", (unsigned long)wrong,
         2ul * TEST_INPUTS * REDS_NET_MEMBERS * REDS_NET_OUTPUT_SIZE);
  return wrong != 0;
}
