// Just enough of an Arduino to run a sketch on this machine: time and pins are made up, what is
// written to Serial goes to standard output.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { A0 = 14, A1, A2, A3, A4, A5 };

static uint32_t fake_ms = 0;
static const char* fake_input = "";

inline uint32_t millis() { return fake_ms; }
inline int analogRead(uint8_t pin) { return (pin * 10 + fake_ms / 100) % 1000; }

struct FakeSerial {
  void begin(unsigned long) {}
  int available() { return *fake_input ? 1 : 0; }
  int read() { return *fake_input ? *fake_input++ : -1; }
  size_t write(const uint8_t* data, size_t length) { return fwrite(data, 1, length, stdout); }
};
static FakeSerial Serial;
