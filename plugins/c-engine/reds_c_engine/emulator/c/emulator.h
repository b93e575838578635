/* Counts of instructions and of stack for programs that run in the emulator. */
#ifndef EMULATOR_H
#define EMULATOR_H
#include <stdint.h>

/* Start counting from 0. A tick is a fixed number of instructions, which depends on the board. */
void emulator_start(void);

/* Stop counting, and return the ticks since the start. */
uint64_t emulator_stop(void);

/* The far end of the stack. */
extern uint32_t emulator_stack_limit[];
#define EMULATOR_PAINT 0xC0DEC0DEu

/* Fill the free stack with a pattern. */
__attribute__((always_inline)) static inline void emulator_paint_stack(void) {
  uint32_t *top;
  __asm volatile("mov %0, sp" : "=r"(top));
  for (volatile uint32_t *word = emulator_stack_limit; word < top; word++) *word = EMULATOR_PAINT;
}

/* The bytes of stack that were overwritten since then by functions that the same function called. */
__attribute__((always_inline)) static inline unsigned emulator_stack_bytes(void) {
  uintptr_t top;
  __asm volatile("mov %0, sp" : "=r"(top));
  const volatile uint32_t *word = emulator_stack_limit;
  while ((uintptr_t)word < top && *word == EMULATOR_PAINT) word++;
  return (unsigned)(top - (uintptr_t)word);
}

#endif
