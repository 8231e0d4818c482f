"""Noses that are no lines: the binary TU/e nose and the polled Cyranose 320; asking for clocks."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from helpers_noses import Cyranose, RpiOdor

from thymos.errors import ConfigError
from thymos.samples import Counters
from thymos.smell.validity import Validity
from thymos_drivers.enose.cyranose import ANSWER_NS, QUESTION, CyranoseDecoder
from thymos_drivers.enose.detect import Wish
from thymos_drivers.enose.intake import Intake
from thymos_drivers.enose.text import SYNC_EVERY_NS, TextDecoder
from thymos_drivers.enose.tue import TueDecoder
from thymos_drivers.enose.wire import WireDecoder

MS = 1_000_000


def record(seconds: float, *counts: int) -> bytes:
    return struct.pack("<f8h", seconds, *(counts or (1, 2, 3, 4, 5, 6, 7, 8)))


# TU/e


def test_records_of_20_bytes() -> None:
    decoder = TueDecoder()
    data = b"".join(record(0.1 * n, n, 0, 1023, 4, 5, 6, 7, 8) for n in range(1, 9))
    readings = decoder.feed(data, 5)
    assert decoder.names == tuple(f"MQ{i}" for i in range(8))
    assert [r.values[0] for r in readings] == [4, 5, 6, 7, 8]  # three taught what it is
    assert readings[0].values[2] == 1023
    assert readings[0].ticks == pytest.approx(400_000, abs=1)


@pytest.mark.parametrize("cut", range(1, 20))
def test_it_finds_the_next_record_wherever_bytes_are_missing(cut: int) -> None:
    decoder = TueDecoder()
    counts = (200, 300, 400, 500, 600, 700, 800)
    stream = [record(0.004 * n, n, *counts) for n in range(1, 41)]
    stream[20] = stream[20][cut:]
    readings = decoder.feed(b"".join(stream), 0)
    got = [int(r.values[0]) for r in readings]
    assert got == [n for n in range(4, 41) if n != 21]
    assert decoder.bad == 1


def test_text_between_records_is_no_record() -> None:
    decoder = TueDecoder()
    rows = [record(0.01 * n, n, 2, 3, 4, 5, 6, 7, 8) for n in range(1, 30)]
    rows.insert(15, b"error: serial buffer overfow\r\n")
    readings = decoder.feed(b"".join(rows), 0)
    assert [int(r.values[0]) for r in readings] == list(range(4, 30))
    assert decoder.fault == "serial buffer overfow"


def test_it_is_started_when_it_is_ready_and_again_after_a_reset() -> None:
    decoder = TueDecoder(50.0)
    assert decoder.due(0) == b""
    decoder.feed(b"rea", 1)
    decoder.feed(b"dy\r\n", 2)
    assert decoder.due(3) == b"s50\nm"
    assert decoder.due(4) == b""
    readings = decoder.feed(b"ok\r\n" + b"".join(record(10 + 0.1 * n) for n in range(9)), 5)
    assert len(readings) == 6
    assert decoder.due(2_000 * MS) == b""
    decoder.feed(b"ready\r\n", 3_000 * MS)
    assert decoder.due(3_000 * MS) == b"s50\nm"
    readings = decoder.feed(b"".join(record(0.1 * n) for n in range(1, 6)), 4_000 * MS)
    assert [r.restarted for r in readings] == [True, False, False, False, False]
    assert decoder.farewell() == b"r"
    assert TueDecoder(starts=False).feed(b"ready\r\n", 0) == []


def test_lines_are_no_records() -> None:
    decoder = TueDecoder()
    decoder.feed(b"512,511,498,700,333,221\r\n" * 100, 0)
    assert not decoder.learnt
    rng = np.random.default_rng(1)
    decoder.feed(rng.integers(0, 256, 100_000, np.uint8).tobytes(), 0)
    decoder.feed(bytes(50_000), 0)
    assert not decoder.learnt
    assert len(decoder._buffer) < 64


# Cyranose


def test_counts_become_ohms_as_in_the_recorder_of_the_maker() -> None:
    """921BDC is 2.93837 kΩ (a recorder's file says 2.93836613)."""
    decoder = CyranoseDecoder()
    assert decoder.due(0) == QUESTION
    cells = " ".join(["921BDC"] + ["7FEAB1"] * 29 + ["000000", "FFFFFF"])
    answer = f"SD 02 00 FFFFFFFE {cells} 3E7103 7CA7A6 000FFF 02 0DD378\r".encode()
    assert decoder.feed(answer[:50], 300 * MS) == []
    (reading,) = decoder.feed(answer[50:], 356 * MS)
    assert np.isnan(reading.values[0])  # the mask leaves it out
    assert reading.values[30] == 0
    assert np.isnan(reading.values[31])
    assert reading.arrived_ns == 178 * MS  # the middle between question and answer
    assert reading.note == "the nose is drawing in a sample"
    cells = " ".join(["921BDC"] * 32)
    decoder.due(1_000 * MS)
    answer = f"SD 02 00 FFFFFFFF {cells} 3E7103 7CA7A6 000FFF 00 0DD379\r".encode()
    (reading,) = decoder.feed(answer, 1_356 * MS)
    assert reading.values[0] == pytest.approx(2938.36613, abs=0.01)
    assert decoder.info == {"battery": "7CA7A6", "thermistor": "3E7103"}


def test_an_answer_too_late_is_not_taken_for_the_next_one() -> None:
    decoder, firmware = CyranoseDecoder(100 * MS), Cyranose()
    decoder.due(0)
    assert len(decoder.feed(firmware.answer(0), 300 * MS)) == 1
    assert decoder.due(400 * MS) == QUESTION
    late = firmware.answer(1)
    assert decoder.due(400 * MS + ANSWER_NS) == QUESTION
    decoder.feed(late, 500 * MS + ANSWER_NS)
    assert decoder.feed(firmware.answer(2), 700 * MS + ANSWER_NS) == []
    assert decoder.bad == 1


def test_an_echo_and_noise_are_no_answer() -> None:
    decoder = CyranoseDecoder()
    decoder.due(0)
    assert decoder.feed(b"RSD\r", 1) == []
    assert decoder.feed(b"SD 02 00 FF\r", 2) == []
    assert not decoder.learnt
    assert decoder.noise == 1
    decoder.feed(b"A" * 100_000, 3)
    assert len(decoder._buffer) <= 1024


# Asking a nose for its clock


def test_the_clock_is_asked_for_and_the_delay_disappears() -> None:
    """Lines arrive 80 ms after their tick; question and answer take 2 ms. So the delay is seen."""
    firmware, decoder = RpiOdor(), TextDecoder()
    decoder.feed(b"\n" + firmware.boot, 0)
    for n in range(4):
        decoder.feed(firmware.row(n, 100 * n), 100 * n * MS)
    assert decoder.learnt
    intake = Intake("n", decoder, Counters(), climate=decoder.climate)
    errors = []
    for n in range(4, 300):
        tick_ms = 100 * n
        question = decoder.due(tick_ms * MS)
        if question:
            answer = firmware.told(question, tick_ms + 1)
            intake.feed(answer, (tick_ms + 2) * MS)
        samples = intake.feed(firmware.row(n, tick_ms), (tick_ms + 80) * MS)
        errors += [(s.t_ns - tick_ms * MS) / MS for s in samples]
    assert firmware.asked == 3  # 30 s, every 10 s
    assert SYNC_EVERY_NS == 10_000 * MS
    assert max(abs(e) for e in errors[-20:]) < 5.0
    stamps = np.array(errors) + 100 * np.arange(len(errors))
    assert all(a <= b for a, b in pairwise(stamps))


def test_stamps_never_go_back_when_an_answer_tells_of_a_delay() -> None:
    """The reading after the answer has an older tick than it, and the delay is known by then."""
    firmware, decoder = RpiOdor(), TextDecoder()
    decoder.feed(b"\n" + firmware.boot, 0)
    for n in range(4):
        decoder.feed(firmware.row(n, 100 * n), 100 * n * MS)
    intake = Intake("n", decoder, Counters(), climate=decoder.climate)
    stamps, received = [], []
    for n in range(4, 40):
        tick_ms = 100 * n
        samples = intake.feed(firmware.row(n, tick_ms), (tick_ms + 95) * MS)
        stamps += [s.t_ns for s in samples]
        received += [s.t_recv_ns for s in samples]
        question = decoder.due((tick_ms + 96) * MS)
        if question:
            later = tick_ms + 100 + 50  # newer than the tick of the next reading
            intake.feed(firmware.told(question, later), (later + 1) * MS)
    assert firmware.asked == 1
    assert stamps == sorted(stamps)
    assert all(t <= r for t, r in zip(stamps, received, strict=True))


# Options and limits


def test_names_for_a_nose_that_prints_none() -> None:
    decoder = Wish(header=("NO2 [ohm]", "CO [ohm]", "temperature", "ms")).passive()[1]
    assert isinstance(decoder, TextDecoder)
    (reading,) = decoder.feed(b"x\n1000,2000,21.5,77\n1,2\n", 0)
    assert (decoder.names, decoder.unit) == (("NO2", "CO"), "ohm")
    assert decoder.climate == ("temperature",)
    np.testing.assert_array_equal(reading.values, [1000, 2000, 21.5])
    assert reading.ticks == 77
    assert decoder.bad == 1


def test_only_the_protocol_that_was_named() -> None:
    assert [type(d) for d in Wish("thymos").passive()] == [WireDecoder]
    assert Wish("cyranose").passive() == []
    assert [type(d) for d in Wish("cyranose").asking(9600)] == [CyranoseDecoder]
    assert Wish(probe=False).asking(115200) == []
    with pytest.raises(ConfigError, match="protocol='osm'"):
        Wish("osm")


def test_a_tick_with_a_digit_too_many_is_not_believed_until_another_follows_it() -> None:
    decoder = TextDecoder()
    decoder.feed(b"\nms,a,b,c\n", 0)
    times = [100, 200, 43300, 400, 500, 90500, 90600]
    got = []
    for n, tick in enumerate(times):
        (reading,) = decoder.feed(b"%d,1,2,3\n" % tick, 100 * MS * (n + 1))
        got.append(reading.ticks)
    assert got == [100, 200, None, 400, 500, None, 90600]


def test_rails_of_the_bme688_and_what_the_note_says_of_many() -> None:
    check = Validity(tuple(f"s{i}" for i in range(10)), "ohm", ("pressure",))
    values, note = check.check(np.array([102_400_000.0, 5684.846191] + [0.0] * 8 + [2.0]))
    assert np.isnan(values).all()
    assert check.clipped
    assert "s0, s1: at the end of its range" in note
    assert "and 2 more: a resistance of 0 is none" in note
    assert "pressure: 2 is outside what it can measure" in note
