"""The serial nose against a pseudo terminal: every fault that a real port shows there."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

from thymos.devices import open_uri
from thymos.errors import ConfigError, DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import EndOfStream, Flag, Health, Sample
from thymos_drivers.enose import SerialNose, Wish
from thymos_drivers.enose.framing import Framer
from thymos_drivers.enose.ports import open_error

SEEED = ("GM102B", "GM302B", "GM502B", "GM702B")


class Board:
    """A microcontroller at the other end of the cable."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, data: bytes) -> None:
        os.write(self.master, data)

    def run(self, line: Callable[[int], bytes], period_s: float = 0.01) -> None:
        def work() -> None:
            n = 0
            while not self._stop.wait(period_s):
                try:
                    self.say(line(n))
                except OSError:
                    return
                n += 1

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def halt(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def unplug(self) -> None:
        self.halt()
        for end in (self.master, self._slave):
            try:
                os.close(end)
            except OSError:
                continue


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    board.unplug()


def read_some(nose: SerialNose, count: int) -> list[Sample]:
    out: list[Sample] = []
    for _ in range(200):
        sample = nose.read(1.0)
        if sample is not None:
            out.append(sample)
        if len(out) == count:
            return out
    raise AssertionError("the board went silent")


def test_opensmell_board(board: Board) -> None:
    def line(n: int) -> bytes:
        if n % 2:  # so that one comes before the third row, whenever the port is opened
            return b"INFO,universal-esp32,1.0.0,3,interval_ms=100\n"
        return f"OSM,{n},{n + 1},{n + 2}\n".encode()

    board.run(line)
    source = open_uri("enose", f"serial:{board.port}")
    assert isinstance(source, SerialNose)
    with source as nose:
        assert nose.spec.channels == ("ch0", "ch1", "ch2")
        assert nose.spec.rate_hz == 10.0
        assert nose.spec.extra["device_fw"] == "universal-esp32"
        samples = read_some(nose, 20)
        assert nose.counters.received == 20
        assert nose.counters.corrupt == 0
    for sample in samples:
        assert sample.payload[2] == sample.payload[0] + 2
        assert sample.flags == Flag.TIME_ESTIMATED
        assert sample.t_ns == sample.t_recv_ns
    assert [s.seq for s in samples] == list(range(20))


def test_device_ticks_give_the_capture_time(board: Board) -> None:
    header = b"TimeStamp(ms),MQ2,MQ3\n"

    def line(n: int) -> bytes:
        text = f"{4294967000 + 50 * n & 0xFFFFFFFF},{100 + n},{200 + n}\n".encode()
        return header + text if n % 2 else text

    board.run(line)
    with SerialNose(board.port) as nose:
        assert nose.spec.channels == ("MQ2", "MQ3")
        samples = read_some(nose, 30)
    assert not any(s.flags & Flag.TIME_ESTIMATED for s in samples)
    assert all(a.t_ns <= b.t_ns <= b.t_recv_ns for a, b in pairwise(samples))


def test_half_lines_garbage_and_boot_text_lose_nothing_else(board: Board) -> None:
    junk = {
        10: b"ets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET)\r\n",
        14: b"\xff\xfe\x00\x80\n",
        18: b"512,51\n",
        22: b"\n\n",
    }

    def line(n: int) -> bytes:
        row = f"{n},{n},{n},{n}\r\n".encode()
        return junk.get(n, b"") + row

    board.say(b"333,221,100,99\n")  # the half of a longer line, already under way
    board.run(line)
    with SerialNose(board.port) as nose:
        samples = read_some(nose, 30)
        counters = nose.counters
    got = [int(s.payload[0]) for s in samples]
    assert got == list(range(got[0], got[0] + 30))
    assert counters.corrupt == 2
    assert counters.dropped <= 2  # none, where the arrivals are even enough to tell
    gaps = [int(s.payload[0]) for s in samples if s.flags & Flag.GAP_BEFORE]
    assert set(gaps) <= {10, 14, 18}
    assert 10 in gaps  # what a board does while it starts anew, nobody knows
    assert samples[-1].seq == samples[0].seq + 29 + counters.dropped


def test_seeed_board_speaks_in_four_lines(board: Board) -> None:
    def line(n: int) -> bytes:
        return "".join(f"{name}: {n + i}  eq  1.65V\r\n" for i, name in enumerate(SEEED)).encode()

    board.run(line, period_s=0.03)
    with SerialNose(board.port, bauds=(9600,)) as nose:
        assert nose.spec.channels == SEEED
        for sample in read_some(nose, 5):
            assert np.ptp(sample.payload - np.arange(4)) == 0


def test_unplugging_is_a_typed_error_and_closing_works(board: Board) -> None:
    board.run(lambda n: f"{n},{n}\n".encode())
    nose = SerialNose(board.port)
    with nose:
        read_some(nose, 3)
        board.unplug()
        with pytest.raises(DeviceLostError) as lost:
            read_some(nose, 1_000)
        assert lost.value.hint
        assert nose.health.health is Health.LOST
    nose.close()


def test_closing_from_another_thread_wakes_the_reader(board: Board) -> None:
    board.run(lambda n: f"{n},{n}\n".encode())
    nose = SerialNose(board.port)
    nose.open()
    read_some(nose, 1)
    board.halt()
    ended: list[bool] = []

    def work() -> None:
        try:
            while True:
                nose.read(30.0)
        except EndOfStream:
            ended.append(True)

    reader = threading.Thread(target=work)
    reader.start()
    time.sleep(0.1)
    nose.close()
    reader.join(5.0)
    assert ended == [True]


def test_pure_garbage_is_refused_with_a_hint(board: Board) -> None:
    rng = np.random.default_rng(1)
    board.run(lambda _: rng.integers(128, 255, 40).astype(np.uint8).tobytes() + b"\n")
    with pytest.raises(DeviceError, match="nothing that looks like an electronic nose") as wrong:
        SerialNose(board.port, wish=Wish(listen_s=0.3)).open()
    assert "115200" in str(wrong.value)


def test_missing_port_and_wrong_option() -> None:
    with pytest.raises(DeviceNotFoundError):
        SerialNose("/dev/does-not-exist").open()
    with pytest.raises(ConfigError):
        open_uri("enose", "serial:/dev/ttyUSB0?baud=fast")
    with pytest.raises(ConfigError):
        open_uri("enose", "serial:/dev/ttyUSB0?speed=9600")


def test_what_stands_behind_an_open_error() -> None:
    assert "dialout" in open_error("/dev/ttyUSB0", OSError(13, "Permission denied")).hint
    assert "another program" in str(open_error("/dev/ttyUSB0", OSError(16, "busy")))


def test_framer_keeps_halves_and_bounds_garbage() -> None:
    framer = Framer()
    assert framer.feed(b"alf\n12,", 1) == []
    assert framer.feed(b"3", 2) == []
    assert framer.feed(b",4\r", 3) == [(b"12,3,4\n", 1)]
    assert framer.feed(b"\n5\n", 4)[-1] == (b"5\n", 4)
    assert framer.feed(b"x" * 100_000, 5) == []
    assert framer.overlong == 1
    assert framer.feed(b"\n6,7\n", 6) == [(b"6,7\n", 6)]


def test_a_nose_that_comes_back_keeps_its_channels_and_its_count(board: Board) -> None:
    header = [b"MQ2,MQ3,MQ4\n"]
    board.run(lambda n: (header[0] if n % 2 else b"") + f"{n},{n},{n}\n".encode())
    nose = SerialNose(board.port)
    with nose:
        first = read_some(nose, 5)
    header[0] = b""
    with nose:  # no header is printed any more, and rows without one would be ch0, ch1, ch2
        assert nose.spec.channels == ("MQ2", "MQ3", "MQ4")
        second = read_some(nose, 5)
    assert second[0].seq == first[-1].seq + 1
    assert nose.counters.received == 10


class SlowLine:
    """A serial port that hears garbage at every speed but the right one."""

    tried: ClassVar[list[int]] = []
    right = 9600

    def __init__(self, port: str, baud: int, *, timeout: float, **_: object) -> None:
        self.tried.append(baud)
        self.timeout = timeout
        self._pending = b""
        self._n = 0
        self._right = baud == self.right

    @property
    def in_waiting(self) -> int:
        return len(self._pending)

    def reset_input_buffer(self) -> None: ...

    def cancel_read(self) -> None: ...

    def close(self) -> None: ...

    def read(self, size: int) -> bytes:
        if not self._pending:
            time.sleep(0.002)
            self._n += 1
            good = f"{self._n},{self._n},{self._n}\r\n".encode()
            self._pending = good if self._right else b"\xf8\x00\x80\xe6\n"
        out, self._pending = self._pending[:size], self._pending[size:]
        return out


def test_the_speed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.Serial", SlowLine)
    with SerialNose("/dev/ttyUSB0") as nose:
        assert SlowLine.tried == [115200, 9600]
        assert nose.spec.extra["baud"] == "9600"
        assert len(read_some(nose, 5)) == 5


def test_long_silence_is_told_then_given_up(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.run(lambda n: f"{n},{n}\n".encode())
    with SerialNose(board.port) as nose:
        read_some(nose, 2)
        board.halt()
        while nose.read(0.1) is not None:
            pass
        real = time.monotonic_ns
        monkeypatch.setattr(
            "thymos_drivers.enose.serial_nose.time.monotonic_ns", lambda: real() + 12 * 10**9
        )
        assert nose.read(0.01) is None
        assert nose.health.health is Health.STALLED
        assert nose.health.remedy
        monkeypatch.setattr(
            "thymos_drivers.enose.serial_nose.time.monotonic_ns", lambda: real() + 40 * 10**9
        )
        with pytest.raises(DeviceLostError, match="silent"):
            nose.read(0.01)


def test_a_nose_that_scans_may_sleep(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BME688 board of duty cycle 5/10 sends nothing for 108 s: it is not lost."""
    board.run(
        lambda n: "".join(f"{name}: {n}  eq  1.65V\r\n" for name in SEEED).encode(), period_s=0.03
    )
    with SerialNose(board.port, bauds=(9600,)) as nose:
        read_some(nose, 2)
        board.halt()
        while nose.read(0.1) is not None:
            pass
        real = time.monotonic_ns
        clock = "thymos_drivers.enose.serial_nose.time.monotonic_ns"
        monkeypatch.setattr(clock, lambda: real() + 110 * 10**9)
        assert nose.read(0.01) is None
        assert nose.health.health is Health.STALLED
        monkeypatch.setattr(clock, lambda: real() + 200 * 10**9)
        with pytest.raises(DeviceLostError, match="silent"):
            nose.read(0.01)
