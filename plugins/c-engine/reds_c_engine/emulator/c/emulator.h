/* Counts of instructions and of stack for programs that run in the emulator. */
#ifndef EMULATOR_H
#define EMULATOR_H
#include <stdint.h>

/* Start counting from 0. A tick is a fixed number of instructions, which depends on the board. */
void emulator_start(void);
uint64_t emulator_ticks(void);

/* Fill the unused stack with a pattern; then the number of bytes at its far end that nothing has overwritten since. */
void emulator_paint_stack(void);
unsigned emulator_painted_bytes(void);

#endif
