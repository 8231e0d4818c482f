"""Stamps of decoded frames.

Above each test, what the container says (`c`) and what comes out (`o`); `.` is 10 ms, `?` missing.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from thymos.samples import Flag
from thymos_drivers.media_time import AudioClock, Blocks, FrameClock, stamp_ns, to_s16

MS = 1_000_000


def frames(times_ms: list[int | None], rate_hz: float = 100.0) -> list[tuple[float, Flag]]:
    clock = FrameClock(rate_hz)
    stamps = [clock.stamp(None if t is None else t * MS) for t in times_ms]
    return [(t / MS, flags) for t, flags in stamps]


def sounds(blocks: list[tuple[int | None, int]], rate: int = 1000) -> list[tuple[float, Flag]]:
    clock = AudioClock(rate)
    stamps = [clock.stamp(None if t is None else t * MS, n) for t, n in blocks]
    return [(t / MS, flags) for t, flags in stamps]


def test_common_start_is_exact() -> None:
    assert stamp_ns(107164, Fraction(1, 44100), Fraction(0)) == 2_430_022_675
    assert stamp_ns(90, Fraction(1, 30), Fraction(1, 2)) == 2_500_000_000
    assert stamp_ns(None, Fraction(1, 30), Fraction(0)) is None


def test_missing_stamps_are_estimated() -> None:
    # c  0  10  ?  ?  40
    # o  0  10  20 30 40
    out = frames([0, 10, None, None, 40])
    assert [t for t, _ in out] == [0, 10, 20, 30, 40]
    assert [bool(f & Flag.TIME_ESTIMATED) for _, f in out] == [False, False, True, True, False]
    assert frames([None])[0] == (0, Flag.TIME_ESTIMATED)


def test_doubled_and_falling_stamps_still_rise() -> None:
    # c  0  10  10  5  40
    # o  0  10  15  20 40
    out = frames([0, 10, 10, 5, 40])
    assert [t for t, _ in out] == [0, 10, 15, 20, 40]
    assert [f for _, f in out][2:4] == [Flag.TIME_ESTIMATED] * 2
    assert out[4][1] == Flag.OK


def test_a_clock_that_starts_again_is_continued() -> None:
    # c  5000  5010 | 0     10    20
    # o  5000  5010   5020  5030  5040
    out = frames([5000, 5010, 0, 10, 20])
    assert [t for t, _ in out] == [5000, 5010, 5020, 5030, 5040]
    assert [bool(f & Flag.TIME_JUMP) for _, f in out] == [False, False, True, False, False]


def test_sound_is_counted_where_stamps_are_rounded() -> None:
    # 23.22 ms blocks whose stamps are rounded to 1 ms (FLV)
    times = [round(1024 * n / 44.1) for n in range(50)]
    clock = AudioClock(44100)
    for n, t in enumerate(times):
        t_ns, flags = clock.stamp(t * MS, 1024)
        assert t_ns == pytest.approx(1024 * n / 44100 * 1e9, abs=2)
        assert flags == Flag.OK


def test_a_hole_in_the_sound_is_a_gap() -> None:
    # c  0 +20  20 +20 | 500 +20   520
    out = sounds([(0, 20), (20, 20), (500, 20), (520, 20)])
    assert out == [(0, Flag.OK), (20, Flag.OK), (500, Flag.GAP_BEFORE), (520, Flag.OK)]


def test_sound_that_goes_back_in_time_goes_on() -> None:
    # c  1000 +100 | 0 +100  100
    # o  1000        1100    1200
    out = sounds([(1000, 100), (0, 100), (100, 100)])
    assert [t for t, _ in out] == [1000, 1100, 1200]
    assert out[1][1] == Flag.TIME_JUMP | Flag.TIME_ESTIMATED
    assert out[2][1] == Flag.OK


def test_sound_without_stamps() -> None:
    out = sounds([(None, 50), (None, 50)])
    assert out == [(0, Flag.TIME_ESTIMATED), (50, Flag.OK)]


def test_blocks_are_cut_at_gaps_only() -> None:
    blocks = Blocks(32, 1000)
    data = np.arange(200, dtype=np.int16)[:, None]
    out = blocks.push(0, data[:50], Flag.OK)
    out += blocks.push(50 * MS, data[50:70], Flag.OK)
    out += blocks.push(500 * MS, data[70:140], Flag.GAP_BEFORE)
    out += blocks.flush()
    assert [(t // MS, len(d), int(f)) for t, d, f in out] == [
        (0, 32, 0),
        (32, 32, 0),
        (64, 6, 0),
        (500, 32, 1),
        (532, 32, 0),
        (564, 6, 0),
    ]
    np.testing.assert_array_equal(np.concatenate([d for _, d, _ in out]), data[:140])
    assert blocks.flush() == []


def test_sample_formats() -> None:
    flat = np.array([[-1.0, 0.0, 0.5, 1.5, np.nan, 2**-15]], np.float32)
    expected = [[-32768], [0], [16384], [32767], [0], [1]]
    np.testing.assert_array_equal(to_s16(flat, planar=True, channels=1), expected)
    wide = np.array([[0x7FFFFFFF, -0x80000000, 0x10000, 0x8000]], np.int32)
    out = to_s16(wide, planar=False, channels=2)
    np.testing.assert_array_equal(out, [[32767, -32768], [1, 1]])
    np.testing.assert_array_equal(
        to_s16(np.array([[0, 128, 255]], np.uint8), planar=True, channels=1),
        [[-32768], [0], [32512]],
    )
    with pytest.raises(ValueError, match="int64"):
        to_s16(np.zeros((1, 3), np.int64), planar=True, channels=1)
