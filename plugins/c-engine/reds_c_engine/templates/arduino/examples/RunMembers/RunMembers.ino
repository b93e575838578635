#include <reds_net.h>
#include <string.h>

#ifdef REDS_NET_MIXED // some members have elements of 8 bits, others of 16
typedef void element;
static const uint8_t bits[] = REDS_NET_MIXED;
static unsigned bits_of(unsigned member) { return bits[member]; }
#else
typedef reds_net_value element;
static unsigned bits_of(unsigned) { return 8 * sizeof(reds_net_value); }
#endif

void setup() { Serial.begin(115200); }

void loop() {
  for (unsigned member = 0; member < REDS_NET_MEMBERS; member++) {
    const unsigned element_bits = bits_of(member);
    net_select(member);
    element *input = net_input();
    memset(input, 0, REDS_NET_INPUT_SIZE * (element_bits / 8)); // write what your sensor reads
    unsigned long start = micros();
    const element *output = net_run(input);
    unsigned long time = micros() - start;
    Serial.print(reds_net_members[member].name);
    Serial.print(": first output ");
    Serial.print(element_bits == 8 ? *(const int8_t *)output : *(const int16_t *)output);
    Serial.print(", microseconds ");
    Serial.println(time);
  }
  delay(1000);
}
