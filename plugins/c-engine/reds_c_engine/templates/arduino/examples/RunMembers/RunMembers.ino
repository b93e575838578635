#include <reds_net.h>

void setup() { Serial.begin(115200); }

void loop() {
  for (unsigned member = 0; member < REDS_NET_MEMBERS; member++) {
    net_select(member);
    reds_net_value *input = net_input();
    for (unsigned long i = 0; i < REDS_NET_INPUT_SIZE; i++) input[i] = 0; // write what your sensor reads
    unsigned long start = micros();
    const reds_net_value *output = net_run(input);
    unsigned long time = micros() - start;
    Serial.print(reds_net_members[member].name);
    Serial.print(": first output ");
    Serial.print(output[0]);
    Serial.print(", microseconds ");
    Serial.println(time);
  }
  delay(1000);
}
