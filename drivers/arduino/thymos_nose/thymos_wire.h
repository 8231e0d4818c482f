// The Thymos wire protocol, version 1: what a nose sends. Reference: docs/wire-protocol.md
//
//   AA 55 | version u8 | type u8 | length u16 | payload | crc u16        little endian
//
// Plain C++11 without allocation: it compiles for an Uno (2 KB RAM) as for an ESP32.
#pragma once

#include <stdint.h>
#include <string.h>

namespace thymos {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kWarmup = 1;  // flags of a reading: the sensors have not settled
constexpr uint8_t kFault = 2;   // a sensor or a heater fails

// CRC-16/IBM-3740: polynomial 1021, start FFFF. Of "123456789" it is 29B1.
inline uint16_t crc16(const uint8_t* data, uint16_t length, uint16_t crc = 0xFFFF) {
  while (length--) {
    crc ^= static_cast<uint16_t>(*data++) << 8;
    for (uint8_t bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) ? static_cast<uint16_t>((crc << 1) ^ 0x1021)
                           : static_cast<uint16_t>(crc << 1);
    }
  }
  return crc;
}

// Writes frames to anything that has `write(const uint8_t*, size_t)`: Serial, a TCP client …
template <typename Port>
class Wire {
 public:
  // `description` must stay where it is, for example
  // "nose=Mine;fw=1.0;tick_ns=1000000;rate_hz=10;channels=MQ2:adc,MQ3:adc,temperature:degC"
  Wire(Port& port, const char* description)
      : port_(port),
        description_(reinterpret_cast<const uint8_t*>(description)),
        length_(static_cast<uint16_t>(strlen(description))),
        config_(crc16(description_, length_)) {}

  // Once on starting, when the host sends '?', and every few seconds.
  void describe() { frame('H', description_, length_); }

  // One reading. NAN where a sensor gave none. `ticks` is millis() if tick_ns=1000000.
  void reading(uint32_t ticks, const float* values, uint8_t count, uint8_t flags = 0) {
    uint8_t head[11];
    put(head, config_, 2);
    put(head + 2, sequence_++, 4);
    put(head + 6, ticks, 4);
    head[10] = flags;
    begin('D', static_cast<uint16_t>(sizeof head + 4 * count));
    write(head, sizeof head);
    for (uint8_t i = 0; i < count; i++) {
      uint32_t bits;  // all boards an Arduino sketch runs on store IEEE 754 floats
      uint8_t bytes[4];
      memcpy(&bits, &values[i], sizeof bits);
      put(bytes, bits, 4);
      write(bytes, sizeof bytes);
    }
    end();
  }

  // Words for people; with a leading '!' they are shown as a fault.
  void text(const char* words) {
    frame('T', reinterpret_cast<const uint8_t*>(words), static_cast<uint16_t>(strlen(words)));
  }

 private:
  static void put(uint8_t* at, uint32_t value, uint8_t bytes) {
    for (uint8_t i = 0; i < bytes; i++) at[i] = static_cast<uint8_t>(value >> (8 * i));
  }

  void frame(char type, const uint8_t* payload, uint16_t length) {
    begin(type, length);
    write(payload, length);
    end();
  }

  void begin(char type, uint16_t length) {
    const uint8_t sync[2] = {0xAA, 0x55};
    port_.write(sync, sizeof sync);
    crc_ = 0xFFFF;
    const uint8_t head[4] = {kVersion, static_cast<uint8_t>(type),
                             static_cast<uint8_t>(length), static_cast<uint8_t>(length >> 8)};
    write(head, sizeof head);
  }

  void write(const uint8_t* data, uint16_t length) {
    port_.write(data, length);
    crc_ = crc16(data, length, crc_);
  }

  void end() {
    uint8_t crc[2];
    put(crc, crc_, 2);
    port_.write(crc, sizeof crc);
  }

  Port& port_;
  const uint8_t* description_;
  uint16_t length_;
  uint16_t config_;
  uint16_t crc_ = 0;
  uint32_t sequence_ = 0;
};

}  // namespace thymos
