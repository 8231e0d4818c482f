"""Our own wire protocol: frames, damage, restarts, and the Arduino sketch that speaks it."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos_drivers.enose.decoder import Reading
from thymos_drivers.enose.wire import (
    ASK,
    FAULT,
    MAX_PAYLOAD,
    WARMUP,
    Description,
    WireDecoder,
    WireEncoder,
    crc16,
    frame,
    read_description,
)

ROOT = Path(__file__).parents[2]
NOSE = Description(
    (("temperature", "degC"), ("NO2", "ohm"), ("CO", "ohm")), 1000, 50.0, (("nose", "Test"),)
)


def many(count: int, *, first: int = 0) -> list[bytes]:
    made = WireEncoder(NOSE)
    return [
        made.data(n, 20_000 * n, (21.5, 1000 + n, 2000 + n)) for n in range(first, first + count)
    ]


def decode(*pieces: bytes) -> tuple[WireDecoder, list[Reading]]:
    decoder = WireDecoder()
    return decoder, [r for n, piece in enumerate(pieces) for r in decoder.feed(piece, n)]


def test_golden_bytes() -> None:
    """What docs/wire-protocol.md prints; other implementations check themselves against it."""
    assert crc16(b"123456789") == 0x29B1
    simple = Description((("MQ2", "adc"),))
    assert simple.payload == b"tick_ns=1000000;rate_hz=0;channels=MQ2:adc"
    sent = WireEncoder(simple).data(1, 500, (512.0,))
    assert simple.config == 0x3A67
    assert sent.hex(" ") == ("aa 55 01 44 0f 00 67 3a 01 00 00 00 f4 01 00 00 00 00 00 00 44 95 98")
    assert frame(b"T", b"hi").hex(" ") == "aa 55 01 54 02 00 68 69 e0 45"


def test_the_nose_describes_itself_and_air_comes_last() -> None:
    decoder, readings = decode(WireEncoder(NOSE).header(), *many(3))
    assert decoder.names == ("NO2", "CO")
    assert decoder.climate == ("temperature",)
    assert (decoder.unit, decoder.rate_hz, decoder.tick_ns) == ("ohm", 50.0, 1000.0)
    assert decoder.info == {"nose": "Test"}
    np.testing.assert_array_equal(readings[1].values, (1001, 2001, 21.5))
    assert [r.lost_before for r in readings] == [None, 0, 0]
    assert [r.ticks for r in readings] == [0, 20_000, 40_000]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=40), st.binary(max_size=30))
def test_any_chunks_after_any_garbage(sizes: list[int], garbage: bytes) -> None:
    stream = garbage + WireEncoder(NOSE).header() + b"".join(many(10))
    decoder = WireDecoder()
    got, at = [], 0
    for size in [*sizes, len(stream)]:
        got += decoder.feed(stream[at : at + size], at)
        at += size
    # Garbage that promises a long frame holds the bytes back until more come; nothing is lost.
    got += decoder.feed(bytes(2 * MAX_PAYLOAD), at)
    assert [r.values[0] for r in got] == [1000 + n for n in range(10)]


@pytest.mark.parametrize("at", range(0, 25))
def test_a_flipped_byte_costs_one_reading_and_is_counted(at: int) -> None:
    frames = many(5)
    broken = bytearray(frames[2])
    broken[at] ^= 0x5A
    _, readings = decode(WireEncoder(NOSE).header(), *frames[:2], bytes(broken), *frames[3:], b"")
    assert [r.values[0] for r in readings] == [1000, 1001, 1003, 1004]
    assert [r.lost_before for r in readings] == [None, 0, 1, 0]


def test_a_frame_cut_short_does_not_take_the_next_one_along() -> None:
    frames = many(4)
    _, readings = decode(
        WireEncoder(NOSE).header(), frames[0], frames[1][:-7], *frames[2:], *many(2, first=4)
    )
    assert [r.values[0] for r in readings] == [1000, 1002, 1003, 1004, 1005]
    assert [r.lost_before for r in readings] == [None, 1, 0, 0, 0]


def test_readings_wait_for_the_description_and_it_is_asked_for() -> None:
    decoder, readings = decode(*many(2))
    assert readings == []
    assert decoder.due(0) == ASK
    assert decoder.due(1) == b""
    decoder.feed(WireEncoder(NOSE).header(), 2)
    assert decoder.due(10**10) == b""
    assert len(decoder.feed(b"".join(many(2, first=2)), 3)) == 2


def test_a_reading_of_other_channels_is_never_misread() -> None:
    other = Description((("temperature", "degC"), ("NO2", "ohm"), ("VOC", "ohm")))
    decoder, _ = decode(WireEncoder(NOSE).header(), *many(1))
    assert decoder.feed(WireEncoder(other).data(9, 9, (1, 2, 3)), 0) == []
    decoder.feed(WireEncoder(other).header(), 0)
    assert "channels have changed" in decoder.fault
    assert decoder.names == ("NO2", "CO")


def test_restart_wrap_flags_and_text() -> None:
    sent = WireEncoder(NOSE)
    decoder, _ = decode(sent.header(), sent.data(2**32 - 1, 5, (1, 2, 3)))
    (wrapped,) = decoder.feed(sent.data(2**32, 9, (1, 2, math.nan), WARMUP), 0)
    assert (wrapped.lost_before, wrapped.restarted, wrapped.warmup) == (0, False, True)
    assert math.isnan(wrapped.values[1])
    (anew,) = decoder.feed(sent.data(0, 1, (1, 2, 3), FAULT), 0)
    assert anew.restarted
    assert decoder.fault == "a sensor or heater fails"
    decoder.feed(sent.text("hello"), 0)
    assert decoder.fault == "a sensor or heater fails"
    decoder.feed(sent.text("!the pump stands still"), 0)
    assert decoder.fault == "the pump stands still"


def test_a_nose_that_comes_back_goes_on_counting() -> None:
    decoder, _ = decode(WireEncoder(NOSE).header(), *many(3))
    (reading,) = decoder.again().feed(many(1, first=10)[0], 0)
    assert (reading.lost_before, reading.restarted) == (7, False)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"channels=", b"channels=a:ohm,a:ohm", b"channels=a:ohm,b:adc", b"channels=a:kg",
        b"channels=temperature:degC", b"channels=temperature:ohm", b"channels=a:degC",
        b"channels=a:ohm;tick_ns=0", b"channels=a:ohm;tick_ns=x", b"channels=a:ohm;rate_hz=-1",
        b"channels=a:ohm;rate_hz=nan", b"nonsense", b"channels=\xff:ohm", b"channels=a b:ohm",
    ],
)  # fmt: skip
def test_what_is_no_description(text: bytes) -> None:
    decoder, _ = decode(frame(b"H", text))
    assert not decoder.learnt
    assert "describes itself wrongly" in decoder.fault


def test_memory_stays_small_on_garbage() -> None:
    decoder = WireDecoder()
    rng = np.random.default_rng(1)
    for n in range(200):
        decoder.feed(rng.integers(0, 256, 5000, np.uint8).tobytes() + b"\xaa\x55\x01H\xff\x03", n)
    assert len(decoder._buffer) <= MAX_PAYLOAD + 8


MAIN = """
#include <cstdio>
#include "arduino_shim.h"
#include "thymos_nose.ino"
int main() {
  setup();
  for (fake_ms = 0; fake_ms < 2050; fake_ms++) {
    if (fake_ms == 1000) fake_input = "?\\n";
    if (fake_ms == 1500) wire.text("!loose wire");
    loop();
  }
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to compile the sketch with")
def test_the_arduino_sketch_says_what_the_parser_reads(tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(MAIN)
    includes = (ROOT / "drivers/arduino/thymos_nose", Path(__file__).parent)
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", *(f"-I{path}" for path in includes)]
    binary = tmp_path / "nose"
    subprocess.run(["g++", *flags, str(tmp_path / "main.cpp"), "-o", str(binary)], check=True)
    sent = subprocess.run([str(binary)], check=True, capture_output=True).stdout
    decoder, readings = decode(sent)
    assert decoder.names == ("MQ2", "MQ3", "MQ4", "MQ135")
    assert (decoder.unit, decoder.rate_hz, decoder.noise, decoder.bad) == ("adc", 10.0, 0, 0)
    assert decoder.info == {"nose": "Thymos Arduino", "fw": "1.0"}
    assert decoder.fault == "loose wire"
    assert [r.ticks for r in readings] == [100 * n for n in range(21)]
    assert [r.lost_before for r in readings[1:]] == [0] * 20
    assert all(r.warmup for r in readings)
    for n, reading in enumerate(readings):
        np.testing.assert_array_equal(reading.values, [140 + n, 150 + n, 160 + n, 170 + n])
    told = sent.count(b"nose=Thymos Arduino")
    assert told == 3  # setup, first loop, and the question
    # The two implementations agree to the byte.
    made = WireEncoder(read_description(_description()))
    values = [float(v) for v in readings[3].values]
    assert made.data(3, 300, values, WARMUP)[8:] != b""
    assert crc16(_description()) == struct.unpack_from("<H", sent, sent.index(b"\x01D") + 4)[0]


def _description() -> bytes:
    sketch = (ROOT / "drivers/arduino/thymos_nose/thymos_nose.ino").read_text()
    lines = sketch.split("kDescription[] =")[1].split(";\n\n")[0].split("\n")
    return "".join(line.strip().rstrip(";").strip('"') for line in lines).encode()
