/* Start-up of Cortex-M without a vendor's library: vector table, memory, floating point and vectors, semihosting. */
#include <stdint.h>
#include <stdlib.h>

#include "emulator.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
extern void initialise_monitor_handles(void);
extern int main(void);

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSTICK_CONTROL REGISTER(0xE000E010)
#define SYSTICK_RELOAD REGISTER(0xE000E014)
#define SYSTICK_VALUE REGISTER(0xE000E018)
#define COPROCESSOR_ACCESS REGISTER(0xE000ED88)
#define SYSTICK_BITS 24
#define SYSTICK_LAST ((1u << SYSTICK_BITS) - 1)

void reset(void);
void _init(void) {} /* newlib calls both */
void _fini(void) {}

static void fault(void) { _Exit(99); }

static volatile uint32_t wraps;
static void systick(void) { wraps++; }

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
  (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault,
  (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
  0, 0, 0, (uintptr_t)fault, (uintptr_t)fault, 0, (uintptr_t)fault, (uintptr_t)systick };

void reset(void) {
  const uint32_t *from = data_load;
  for (uint32_t *to = data_start; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  COPROCESSOR_ACCESS |= 0xFu << 20;
  __asm volatile("dsb\n isb");
#endif
  initialise_monitor_handles();
  exit(main());
}

void emulator_start(void) {
  SYSTICK_CONTROL = 0;
  SYSTICK_RELOAD = SYSTICK_LAST;
  SYSTICK_VALUE = 0; /* any value clears the counter */
  wraps = 0;
  SYSTICK_CONTROL = 7; /* on, with an interrupt at each wrap, from the clock of the processor */
}

uint64_t emulator_stop(void) {
  uint32_t before, value;
  do { /* a wrap in between would not fit to the value */
    before = wraps;
    value = SYSTICK_VALUE;
  } while (before != wraps);
  SYSTICK_CONTROL = 0;
  return ((uint64_t)before << SYSTICK_BITS) + (value ? SYSTICK_LAST + 1 - value : 0);
}
