// An electronic nose for Thymos out of any Arduino and up to six analogue gas sensors (MQ-2 …).
//
//   sensor: VCC to 5 V, GND to GND, AOUT to A0 … A5. The heaters of six MQ sensors draw 0.9 A:
//   feed them from a supply of their own, with a common ground.
//
// Upload, then:  thymos devices   and   thymos run --enose serial:/dev/ttyUSB0
// Other sensors: change kPins, kDescription and readSensor(). Docs: docs/noses.md

#include "thymos_wire.h"

const uint8_t kPins[] = {A0, A1, A2, A3};
const uint8_t kChannels = sizeof kPins;
const char kDescription[] =
    "nose=Thymos Arduino;fw=1.0;tick_ns=1000000;rate_hz=10;"
    "channels=MQ2:adc,MQ3:adc,MQ4:adc,MQ135:adc";

const uint32_t kPeriodMs = 100;
const uint32_t kDescribeMs = 5000;
const uint32_t kWarmupMs = 180000;  // heaters need three minutes before readings mean anything
const uint8_t kAverage = 8;

thymos::Wire<decltype(Serial)> wire(Serial, kDescription);
uint32_t nextReading = 0;
uint32_t nextDescription = 0;

float readSensor(uint8_t pin) {
  uint16_t sum = 0;
  for (uint8_t i = 0; i < kAverage; i++) sum += analogRead(pin);
  return static_cast<float>(sum) / kAverage;
}

void setup() {
  Serial.begin(115200);
  wire.describe();
}

void loop() {
  const uint32_t now = millis();
  if (Serial.available() && Serial.read() == '?') {
    wire.describe();
  }
  if (static_cast<int32_t>(now - nextDescription) >= 0) {
    wire.describe();
    nextDescription = now + kDescribeMs;
  }
  if (static_cast<int32_t>(now - nextReading) >= 0) {
    nextReading += kPeriodMs;
    if (static_cast<int32_t>(now - nextReading) > 1000) nextReading = now + kPeriodMs;
    float values[kChannels];
    for (uint8_t i = 0; i < kChannels; i++) values[i] = readSensor(kPins[i]);
    wire.reading(now, values, kChannels, now < kWarmupMs ? thymos::kWarmup : 0);
  }
}
