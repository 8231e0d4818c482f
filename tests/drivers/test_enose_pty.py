"""Every nose on a real pty: found at its speed, read, restarted, unplugged and back."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from helpers_noses import (
    ALL,
    BOOT,
    Board,
    Cyranose,
    DevKit,
    Firmware,
    OpenSmell,
    OpenSmellOld,
    Own,
    Parallel,
    RpiOdor,
    Seeed,
    SniffSniff,
    Tue,
    note_down,
)

from thymos.clock import MonotonicClock
from thymos.errors import DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import CLIMATE, Flag, Health, Sample, Source, gas_channels
from thymos.supervise import Supervisor
from thymos_drivers.enose import SerialNose, Wish
from witness import Refused, Witness

QUICK = Wish(listen_s=0.5)


def watched(nose: SerialNose) -> Witness:
    # The boards run faster than their firmware says: the rate is not what is looked at here.
    return Witness(Supervisor(nose, MonotonicClock()), nominal_hz=0.0)


def read_some(nose: Source, count: int) -> list[Sample]:
    out: list[Sample] = []
    for _ in range(400):
        sample = nose.read(0.5)
        if sample is not None:
            out.append(sample)
        if len(out) == count:
            return out
    raise AssertionError(f"the board went silent after {len(out)} readings")


def numbers(samples: list[Sample]) -> list[int]:
    """Which readings of the board these are, by what is in the first channel."""
    return [round(s.payload[0]) - 100 for s in samples]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_every_nose_is_found_by_listening(kind: type[Firmware]) -> None:
    """Speed, protocol, channels; then each reading once, in order, with its air."""
    firmware = kind()
    if isinstance(firmware, Cyranose):
        wish, wanted = Wish(listen_s=0.5, rate_hz=20.0), 8
    else:
        wish, wanted = QUICK, 25
    with Board(firmware, hz=50.0) as board, SerialNose(board.port, wish=wish) as nose:
        spec = nose.spec
        assert spec.extra["baud"] == str(firmware.baud)
        assert len(spec.channels) == firmware.gas + firmware.climate
        assert gas_channels(spec) == tuple(range(firmware.gas))
        for name in spec.channels[firmware.gas :]:
            assert spec.extra[f"unit.{name}"] == CLIMATE[name]
        samples = read_some(nose, wanted)
        got = numbers(samples)
        assert got == list(range(got[0], got[0] + wanted))
        assert nose.counters.dropped == nose.counters.corrupt == 0
        assert nose.health.health is Health.OK
    assert np.isfinite(np.stack([s.payload for s in samples])).all()
    estimated = [bool(s.flags & Flag.TIME_ESTIMATED) for s in samples]
    assert not any(estimated) if firmware.ticks else all(estimated)
    assert all(a.t_ns <= b.t_ns <= b.t_recv_ns for a, b in pairwise(samples))
    assert [s.seq for s in samples] == list(range(wanted))


@pytest.mark.parametrize("hz", [10.0, 250.0])
@pytest.mark.parametrize("kind", [SniffSniff, Tue, Own], ids=lambda kind: kind.name)
def test_rates(kind: type[Firmware], hz: float) -> None:
    wanted = int(min(100, 1.2 * hz))
    with Board(kind(), hz=hz) as board, SerialNose(board.port, wish=QUICK) as nose:
        samples = read_some(nose, wanted)
        assert nose.counters.dropped == 0
    got = numbers(samples)
    assert got == list(range(got[0], got[0] + wanted))


@pytest.mark.parametrize("kind", [k for k in ALL if k is not Cyranose], ids=lambda kind: kind.name)
def test_damage_on_the_line(kind: type[Firmware]) -> None:
    """All of it in one run; what comes through was really measured, and the loss is told."""
    noise = np.random.default_rng(5).integers(128, 256, 40, np.uint8).tobytes()
    faults = {
        20: lambda row: row[: len(row) // 2 + 1] + b"\r\n",
        24: lambda row: row[: len(row) // 2 + 1],
        28: lambda row: noise + row,
        32: lambda row: BOOT + row,
        36: lambda row: noise + b"\n" + row,
    }
    with Board(kind(), hz=12.0, faults=faults) as board:
        nose = watched(SerialNose(board.port, wish=Wish(listen_s=1.5)))
        with nose:
            samples = read_some(nose, 10)
            while not samples[-1].payload[0] >= 40 + 100:  # NaN is not
                samples += read_some(nose, 1)
            counters = nose.counters
        firsts = [s.payload[0] for s in samples if np.isfinite(s.payload[0])]
        got = [round(value) - 100 for value in firsts]
        assert got == sorted(set(got))
        lost = got[-1] - got[0] + 1 - len(samples)
        reported = counters.dropped
        note_down(kind.name, "all damage, on a pty", nose, lost=lost, reported=reported)
        assert lost <= 8
        exact = kind is Own or (kind().ticks and kind not in (DevKit, Parallel, RpiOdor))
        assert abs(lost - reported) <= (0 if exact else 3)
        assert samples[-1].seq == len(samples) - 1 + reported


def test_a_board_that_restarts_in_the_middle() -> None:
    for kind in (SniffSniff, Own, Tue, RpiOdor):
        with Board(kind(), hz=100.0) as board, SerialNose(board.port, wish=QUICK) as nose:
            before = read_some(nose, 15)
            board.restart.set()
            told: set[str] = set()
            after: list[Sample] = []
            while len(after) < 40:
                after += read_some(nose, 1)
                told.add(nose.health.reason)
            got = numbers(before + after)
            lost = got[-1] - got[0] + 1 - len(got)
            assert lost <= 1, kind.name  # the one that was cut off in the middle
            assert "the nose restarted by itself" in told, kind.name
            jumps = [s for s in after if s.flags & Flag.TIME_JUMP]
            # One; on a machine that stalls, the first reading may come too late to fit the next.
            assert 1 <= len(jumps) <= 3, kind.name
            assert jumps[0].flags & Flag.GAP_BEFORE
            assert all(a.t_ns <= b.t_ns <= b.t_recv_ns for a, b in pairwise(before + after))


def test_unplugged_and_back_at_another_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same chip at ttyUSB1 instead of ttyUSB0 is found by its serial number."""
    with Board(Own(), hz=50.0) as board:
        there = [board.port]

        def comports() -> list[SimpleNamespace]:
            return [
                SimpleNamespace(device=port, serial_number="A50285BI", vid=0x0403) for port in there
            ]

        monkeypatch.setattr("serial.tools.list_ports.comports", comports)
        first = there[0]
        nose = watched(SerialNose(first, wish=QUICK))
        with nose:
            before = read_some(nose, 10)
            assert nose.spec.extra["serial_number"] == "A50285BI"
            board.mute.set()  # between two readings, so that none is on the line
            before += list(iter(lambda: nose.read(0.2), None))
            there.clear()
            board.unplug()
            while nose.health.health is not Health.RECOVERING:
                nose.read(0.1)
            board.mute.clear()
            board.plug()
            there.append(board.port)
            began = time.monotonic()
            after = read_some(nose, 1)
            again_s = round(time.monotonic() - began, 1)
            after += read_some(nose, 9)
            assert nose.counters.reconnects == 1
            assert nose.spec.channels == ("NO2", "CO", "temperature")
            assert nose.spec.extra["port"] == board.port
            lost, reported = numbers(after)[0] - numbers(before)[-1] - 1, nose.counters.dropped
            what = "unplugged, back at another port (USB renumbering)"
            note_down("Thymos wire", what, nose, lost=lost, reported=reported, again_s=again_s)
    assert "went away" in nose.events()[0]
    assert lost == reported == 0
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].t_ns > before[-1].t_ns
    assert numbers(after) == list(range(numbers(after)[0], numbers(after)[0] + 10))


def test_readings_missed_while_away_are_counted_where_the_nose_numbers_them() -> None:
    """The cable of the computer was pulled, the nose went on: its numbers tell."""
    with Board(Own(), hz=50.0) as board:
        board.resets = False
        nose = watched(SerialNose(board.port, wish=QUICK))
        with nose:
            before = read_some(nose, 10)
        time.sleep(0.3)
        with nose:
            after = read_some(nose, 10)
        got = numbers(before + after)
        lost = got[-1] - got[0] + 1 - len(got)
        assert lost >= 5
        assert nose.counters.dropped == lost
        assert after[0].seq - before[-1].seq == lost + 1
        assert after[0].flags & Flag.GAP_BEFORE
        reported = nose.counters.dropped
        note_down("Thymos wire", "port closed for 0.3 s", nose, lost=lost, reported=reported)


def test_found_by_serial_number_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with Board(Own(), hz=50.0) as board:
        ports = [SimpleNamespace(device=board.port, serial_number="A50285BI", vid=0x0403)]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
        with SerialNose("a50285bi", wish=QUICK) as nose:
            assert len(read_some(nose, 3)) == 3
        with pytest.raises(DeviceNotFoundError, match="serial number 'B1'"):
            SerialNose("B1").open()
        with SerialNose("", wish=QUICK) as nose:
            assert nose.spec.device == board.port


def test_two_programs_on_one_nose() -> None:
    with Board(Own(), hz=50.0) as board, SerialNose(board.port, wish=QUICK):
        with pytest.raises(DeviceError, match="in use by another program") as taken:
            SerialNose(board.port, wish=QUICK).open()
        assert "fuser" in taken.value.hint
        note_down("any", "two programs on one device", Refused(taken.value))


def test_a_silent_port_is_asked_only_if_that_is_allowed() -> None:
    heard: list[bytes] = []

    class Shy(Firmware):
        def row(self, n: int, ms: int) -> bytes:
            return b""

        def told(self, data: bytes, ms: int) -> bytes:
            heard.append(data)
            return b""

    with Board(Shy()) as board:
        for probe in (False, True):
            # Not "silence" in any case: a pty may give back a byte of a question on a busy machine.
            with pytest.raises(DeviceError, match="sends nothing"):
                SerialNose(board.port, wish=Wish(listen_s=0.3, probe=probe)).open()
            assert bool(heard) == probe
    assert b"".join(heard).replace(b"RSD\r", b"").strip(b"m") == b""


def test_the_rate_is_asked_for() -> None:
    heard: list[bytes] = []

    class Listening(Tue):
        def told(self, data: bytes, ms: int) -> bytes:
            heard.append(data)
            return super().told(data, ms)

    wish = Wish(listen_s=0.5, rate_hz=20.0)
    with Board(Listening(), hz=20.0) as board, SerialNose(board.port, wish=wish) as nose:
        read_some(nose, 3)
    assert heard[0].startswith(b"s20\nm")


def test_a_nose_is_asked_for_its_clock() -> None:
    firmware = RpiOdor()
    with Board(firmware, hz=50.0) as board, SerialNose(board.port, wish=QUICK) as nose:
        samples = read_some(nose, 30)
        assert firmware.asked == 1
        assert "tick_ms" not in "".join(nose.spec.extra)
    assert not any(s.flags & Flag.TIME_JUMP for s in samples)


def test_air_from_a_second_port() -> None:
    class AirSensor(Firmware):
        name, baud = "air", 9600

        def row(self, n: int, ms: int) -> bytes:
            return b"21.5\t40.2\t415\t0.1\t0.02\r\n"

    with (
        Board(OpenSmellOld(), hz=50.0) as gas,
        Board(AirSensor(), hz=20.0) as air,
        SerialNose(gas.port, wish=QUICK, air=air.port) as nose,
    ):
        assert nose.spec.channels[-2:] == ("temperature", "humidity")
        samples = read_some(nose, 40)
        np.testing.assert_array_equal(samples[-1].payload[-2:], [21.5, 40.2])
        assert gas_channels(nose.spec) == tuple(range(6))
        air.unplug()
        samples = read_some(nose, 40)
        assert np.isfinite(samples[-1].payload[:6]).all()


def test_a_board_with_a_changed_speed_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thymos_drivers.enose.serial_nose._SILENT_S", 0.5)
    monkeypatch.setattr("thymos_drivers.enose.serial_nose._GIVE_UP_S", 1.0)
    with Board(Own(), hz=50.0) as board:
        board.resets = False  # it goes on numbering while nobody understands it
        nose = watched(SerialNose(board.port, wish=QUICK))
        with nose:
            before = read_some(nose, 10)
            assert nose.spec.extra["baud"] == "115200"
            board.firmware.baud = 57600
            began = time.monotonic()
            got = before + read_some(nose, 1)
            while nose.spec.extra["baud"] != "57600":  # what came at the old speed may wait here
                got += read_some(nose, 1)
            again_s = round(time.monotonic() - began, 1)
            got += read_some(nose, 10)
            lost = numbers(got)[-1] - numbers(got)[0] + 1 - len(got)
            reported = nose.counters.dropped
            what = "wrong speed from now on; patience set to 1 s: found at the right one"
            note_down("Thymos wire", what, nose, lost=lost, reported=reported, again_s=again_s)
            assert nose.counters.reconnects == 1
    assert lost == reported
    assert lost > 10
    assert any(s.flags & Flag.GAP_BEFORE for s in got[len(before) :])


def test_unplugging_while_it_is_listened_to() -> None:
    board = Board(Seeed(), hz=5.0)
    nose = SerialNose(board.port, wish=Wish(listen_s=5.0))
    threading.Timer(0.3, board.unplug).start()
    with pytest.raises(DeviceLostError):
        nose.open()
    with contextlib.suppress(DeviceError):
        nose.close()


def test_a_nose_on_the_network() -> None:
    """OpenSmell boards with WiFi print the same lines on TCP 8080."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            peer, _ = server.accept()
            firmware, n = OpenSmell(), 0
            with peer, contextlib.suppress(OSError):
                peer.sendall(firmware.boot)
                while not stop.wait(0.01):
                    peer.sendall(firmware.row(n, 10 * n))
                    n += 1

        thread = threading.Thread(target=serve)
        thread.start()
        nose = SerialNose(f"socket://127.0.0.1:{server.getsockname()[1]}", wish=QUICK)
        with nose:
            got = numbers(read_some(nose, 10))
            assert got == list(range(got[0], got[0] + 10))
            stop.set()
            thread.join()
            with pytest.raises(DeviceLostError):
                read_some(nose, 1000)
        assert nose.health.health is Health.LOST


def test_never_there() -> None:
    with pytest.raises(DeviceNotFoundError) as missing:
        SerialNose("/dev/ttyUSB77").open()
    note_down("any", "never there", Refused(missing.value))
    with pytest.raises(DeviceError):
        SerialNose("socket://127.0.0.1:1", wish=QUICK).open()
