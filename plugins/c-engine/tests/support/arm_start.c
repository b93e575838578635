/* Start-up of Cortex-M boards in QEMU: copies data, clears the rest, enables the vector unit, and exits with main's value. */
#include <stdint.h>
extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;
extern void initialise_monitor_handles(void), exit(int);
extern int main(void);
void _init(void) {}
void _fini(void) {}
static void fault(void) {
  exit(99);
}
void start(void) {
  const uint32_t *from = &data_load;
  for (uint32_t *to = &data_start; to < &data_end;) *to++ = *from++;
  for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
  __asm volatile("dsb\n isb");
  initialise_monitor_handles();
  exit(main());
}
__attribute__((section(".vectors"), used)) const uint32_t vectors[16] = {
    (uint32_t)&stack_top, (uint32_t)start, (uint32_t)fault, (uint32_t)fault, (uint32_t)fault, (uint32_t)fault, (uint32_t)fault};
