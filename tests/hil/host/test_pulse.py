"""The microphone driver on a real sound server: exact, stamped, lost, hung, back, muted, slow."""

from __future__ import annotations

import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import thymos_drivers.microphone as driver
from fault_table import Seen, fault_row
from hil_pulse import Daemon
from hil_sound import RATE, hear, write_noise
from thymos.clock import MonotonicClock
from thymos.devices import open_uri
from thymos.errors import DeviceError, DeviceLostError
from thymos.samples import NS_PER_S, Flag, Health, Sample, Source
from thymos.supervise import Supervisor
from thymos_drivers import listing
from witness import Refused, Witness

URI = f"portaudio:vmic?rate={RATE}&block_ms=20"


def microphone(uri: str = URI) -> Source:
    source = open_uri("microphone", uri)
    assert source is not None
    return source


@pytest.fixture
def noise(tmp_path: Path) -> tuple[Path, NDArray[np.int16]]:
    path = tmp_path / "noise.wav"
    return path, write_noise(path, seconds=4, seed=7)


def note(
    what: str,
    seen: Seen,
    *,
    again_s: float | None = None,
    lost: int | None = None,
    reported: int | None = None,
) -> None:
    more = {"good_again_s": again_s, "lost": lost, "reported": reported}
    fault_row("PulseAudio, 16 kHz", what, seen, family="Microphones", **more)


def watched(patience_s: float = 10.0) -> Witness:
    return Witness(Supervisor(microphone(), MonotonicClock(), patience_s=patience_s))


def missing(samples: list[Sample]) -> int:
    """Blocks that lack between these, by the clock of the converter."""
    steps = (b.t_ns - a.t_ns - len(a.payload) * NS_PER_S // RATE for a, b in pairwise(samples))
    return sum(max(0, round(step / 20e6)) for step in steps)


def since(after: list[Sample], back_ns: int) -> float:
    """Seconds until the first block that was captured after the fault ended."""
    return next(s.t_recv_ns - back_ns for s in after if s.t_recv_ns > back_ns) / NS_PER_S


def play(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["paplay", "--device=vmic", str(path)])


def test_it_is_listed(daemon: Daemon) -> None:
    assert "portaudio:vmic" in [m.uri for m in listing.microphones()]


def test_every_frame_arrives_once_and_stamps_lie_on_the_grid(
    daemon: Daemon, noise: tuple[Path, NDArray[np.int16]]
) -> None:
    path, values = noise
    with microphone() as source:
        hear(source, 0.2)
        player = play(path)
        before_ns = time.monotonic_ns()
        got = hear(source, 6.0)
        assert player.wait() == 0
        counters = source.counters
    sound = np.concatenate([s.payload[:, 0] for s in got])
    windows = np.lib.stride_tricks.sliding_window_view(sound, 16)
    (begin,) = (int(i) for i in np.flatnonzero((windows == values[:16]).all(axis=1)))
    np.testing.assert_array_equal(sound[begin : begin + len(values)], values)
    assert (counters.dropped, counters.corrupt) == (0, 0)
    assert [b.seq - a.seq for a, b in pairwise(got)] == [1] * (len(got) - 1)
    steps = [b.t_ns - a.t_ns - len(a.payload) * NS_PER_S // RATE for a, b in pairwise(got)]
    assert np.percentile(np.abs(steps), 90) <= 1000
    # Capture time: the first frame was played after `before_ns`, and no frame is from the future.
    heard_ns = got[0].t_ns + begin * NS_PER_S // RATE
    assert before_ns - NS_PER_S // 10 < heard_ns < before_ns + 2 * NS_PER_S
    assert all(s.t_ns + len(s.payload) * NS_PER_S // RATE <= s.t_recv_ns + 20e6 for s in got)


def test_a_killed_daemon_is_a_lost_device_that_comes_back(daemon: Daemon) -> None:
    source = watched()
    with source:
        before = hear(source, 0.5)
        daemon.kill()
        deadline = time.monotonic() + 10
        while source.health.health is not Health.RECOVERING:
            assert time.monotonic() < deadline
            source.read(0.1)
        daemon.start()
        back_ns = time.monotonic_ns()
        after = hear(source, 0.5)
        assert source.counters.reconnects == 1
        assert "lost" in source.events()[0]
        reported = source.counters.dropped
        lost = missing(before) + missing(after)  # while there was no server nothing was made
        what, again_s = "sound server killed, started again", since(after, back_ns)
        note(what, source, again_s=again_s, lost=lost, reported=reported)
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].t_ns > before[-1].t_ns


def test_a_daemon_that_is_gone_is_told_when_opening(daemon: Daemon) -> None:
    daemon.kill()
    with pytest.raises(DeviceError) as told:
        microphone().open()
    assert told.value.hint
    daemon.start()


def frames_lost(samples: list[Sample], played: NDArray[np.int16]) -> int:
    """Frames of what was played that are not in what was heard, between its two ends."""
    sound = np.concatenate([s.payload[:, 0] for s in samples])
    windows = np.lib.stride_tricks.sliding_window_view(played, 16)
    (heard,) = np.nonzero(sound)
    ends = [int(heard[0]) + 100, int(heard[-1]) - 100]
    places = [np.flatnonzero((windows == sound[at : at + 16]).all(axis=1)).item() for at in ends]
    return int(places[1] - places[0]) - (ends[1] - ends[0])


def test_a_hung_daemon_is_a_stall_with_a_remedy_and_goes_on(
    daemon: Daemon, noise: tuple[Path, NDArray[np.int16]]
) -> None:
    source = watched()
    with source:
        player = play(noise[0])
        before = hear(source, 0.6)
        daemon.signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while source.health.health is not Health.STALLED:
            assert time.monotonic() < deadline
            source.read(0.2)
        assert "sound server" in source.health.remedy
        daemon.signal(signal.SIGCONT)
        back_ns = time.monotonic_ns()
        after = hear(source, 1.0)
        assert source.health.health is Health.OK
        assert source.events()[-1] == "ok again"
        player.kill()
        player.wait()
        lost = round(frames_lost(before + after, noise[1]) / 320)
        reported = source.counters.dropped
        what, again_s = "sound server hangs for 1 s (SIGSTOP), goes on", since(after, back_ns)
        note(what, source, again_s=again_s, lost=lost, reported=reported)
    assert lost == reported
    assert all(b.t_ns > a.t_ns for a, b in pairwise(before + after))


def test_a_daemon_that_hangs_for_long_is_opened_again_when_it_answers(daemon: Daemon) -> None:
    source = watched(patience_s=3.0)
    with source:
        before = hear(source, 0.3)
        daemon.signal(signal.SIGSTOP)
        deadline = time.monotonic() + 30
        slowest = 0.0
        while source.health.health is not Health.RECOVERING or time.monotonic() < deadline - 20:
            assert time.monotonic() < deadline
            asked = time.monotonic()
            source.read(0.2)
            slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 5  # closing and opening hang, the reader does not
        daemon.signal(signal.SIGCONT)
        back_ns = time.monotonic_ns()
        after = hear(source, 0.5)
        assert source.counters.reconnects == 1, source.events()
        assert any("silent" in event for event in source.events())
        what, again_s = "sound server hangs for 10 s; patience set to 3 s", since(after, back_ns)
        lost = missing(before) + missing(after)  # it was opened anew: what it kept is of the past
        note(what, source, again_s=again_s, lost=lost, reported=source.counters.dropped)
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].t_ns > before[-1].t_ns + 3 * NS_PER_S


def test_digital_silence_is_said(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_MUTED_S", 1.0)
    source = watched()
    with source:
        got = hear(source, 1.5)  # nothing is played: zeros
        assert source.health.health is Health.DEGRADED
        assert "muted" in source.health.reason
        lost, reported = missing(got), source.counters.dropped
        note("muted: digital silence", source, lost=lost, reported=reported)
    assert lost == reported == 0


def test_a_slow_reader_loses_the_oldest_and_it_is_counted(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_QUEUE_S", 0.2)
    source = watched()
    with source:
        before = hear(source, 0.2)
        time.sleep(2.0)
        after = hear(source, 0.3)
        dropped = source.counters.dropped
    assert dropped > 50
    rest = sum(b.seq == a.seq + 1 for a, b in pairwise([*before, *after])) + 1
    lost = missing([*before, *after])
    assert rest == len(before) + len(after) - 1  # one hole
    assert abs(lost - dropped) <= 1
    assert "not read in time" in after[0].note
    note("slow consumer: the reader sleeps for 2 s", source, lost=lost, reported=dropped)
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].t_recv_ns - after[0].t_ns < NS_PER_S


def test_a_name_nobody_has(daemon: Daemon) -> None:
    with pytest.raises(DeviceError, match="'Nobody'") as told:
        microphone("portaudio:Nobody").open()
    note("never there", Refused(told.value))


def test_a_lost_device_raises_what_a_reader_without_supervisor_sees(daemon: Daemon) -> None:
    with microphone() as source:
        hear(source, 0.2)
        daemon.kill()
        with pytest.raises(DeviceLostError, match="sound server"):
            hear(source, 30)
    daemon.start()
