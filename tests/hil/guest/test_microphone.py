"""The PortAudio driver on the kernel's loopback sound card (snd-aloop): real ALSA."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fault_table import Seen, fault_row
from hil_guest import modprobe, wait_for
from hil_sound import RATE, hear, write_noise
from thymos.clock import MonotonicClock
from thymos.devices import open_uri
from thymos.errors import DeviceError
from thymos.samples import NS_PER_S, Flag, Source
from thymos.supervise import Supervisor
from thymos_drivers.microphone import Microphone
from witness import Refused, Witness


@pytest.fixture(scope="module")
def loopback() -> str:
    """What is played to hw:Loopback,0 is heard at hw:Loopback,1."""
    modprobe("snd-aloop", "pcm_substreams=1")
    wait_for(Path("/dev/snd/pcmC0D1c").exists)
    # PortAudio lists devices once, when it is loaded: nothing may have loaded it before.
    assert "sounddevice" not in sys.modules
    return "Loopback: PCM (hw:0,1)"


@pytest.fixture
def noise(tmp_path: Path) -> tuple[Path, NDArray[np.int16]]:
    """Six seconds of noise: any slip of a single frame shows."""
    path = tmp_path / "noise.wav"
    return path, write_noise(path, seconds=6, seed=5)


def microphone(name: str, options: str = "") -> Source:
    source = open_uri("microphone", f"portaudio:{name}?rate={RATE}{options}")
    assert source is not None
    return source


def test_every_frame_arrives_and_is_stamped_by_the_converter(
    loopback: str, noise: tuple[Path, NDArray[np.int16]]
) -> None:
    path, values = noise
    with microphone(loopback, "&latency=0.2") as source:
        player = subprocess.Popen(["aplay", "-q", "-D", "hw:0,0", str(path)])
        got = hear(source, 5.0)
        player.terminate()
        player.wait()
    if any(s.flags & Flag.GAP_BEFORE for s in got):
        # Emulation may be too slow for real time; then what was lost is said.
        assert source.counters.dropped > 0
        return
    sound = np.concatenate([s.payload[:, 0] for s in got])
    key = values[2 * RATE : 2 * RATE + 16]  # what is played before both sides run is not heard
    windows = np.lib.stride_tricks.sliding_window_view(sound, 16)
    (at,) = (int(i) for i in np.flatnonzero((windows == key).all(axis=1)))
    before = min(at, 2 * RATE)
    first = np.flatnonzero(sound[at - before : at])[0] + at - before
    heard = sound[first:]
    begin = 2 * RATE - (at - first)
    np.testing.assert_array_equal(heard, values[begin : begin + len(heard)])
    assert len(heard) > 2 * RATE
    steps = [b.t_ns - a.t_ns - len(a.payload) * NS_PER_S // RATE for a, b in pairwise(got)]
    assert np.percentile(np.abs(steps), 90) <= 1000  # one grid, rounded to a nanosecond or so


def test_two_programs_on_one_microphone(loopback: str) -> None:
    with microphone(loopback) as first:
        hear(first, 0.2)
        with pytest.raises(DeviceError) as told, microphone(loopback) as second:
            hear(second, 0.2)
        assert told.value.hint
        hear(first, 0.2)
    note("two programs on one microphone", Refused(told.value))


def test_the_clock_of_the_host_may_jump(loopback: str) -> None:
    source = watched(loopback, "&latency=0.2")
    with source:
        before = hear(source, 0.5)
        subprocess.run(["date", "-s", "+1 hour"], check=True, capture_output=True)
        got = before + hear(source, 0.5)
        reported = source.counters.dropped
    assert not any(s.flags & Flag.TIME_JUMP for s in got)
    assert all(0 < b.t_ns - a.t_ns < 10e9 for a, b in pairwise(got))
    span = (got[-1].t_ns - got[0].t_ns) * RATE / NS_PER_S  # frames that there should be
    lost = round((span - sum(len(s.payload) for s in got[:-1])) / len(got[0].payload))
    note("the host's clock jumps by 1 h", source, lost=lost, reported=reported)


def test_an_overflow_is_a_hole_of_known_length(
    loopback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, naps = Microphone._judge, [1.5]

    def sleepy(self: Microphone, peak: int, frames: int) -> None:
        if self._seq > 10 and naps:
            time.sleep(naps.pop())  # in PortAudio's thread: the card goes on without us
        judge(self, peak, frames)

    monkeypatch.setattr(Microphone, "_judge", sleepy)
    source = watched(loopback)
    with source:
        got = hear(source, 3.0)
        reported = source.counters.dropped
    holes = [(a, b) for a, b in pairwise(got) if b.flags & Flag.GAP_BEFORE]
    assert holes
    assert not naps
    block_ns = len(got[0].payload) * NS_PER_S // RATE
    lost_ns = sum(b.t_ns - a.t_ns - block_ns for a, b in holes)
    assert 0.5e9 < lost_ns < 10e9
    lost = sum(max(1, round((b.t_ns - a.t_ns) / block_ns) - 1) for a, b in holes)
    assert abs(lost - reported) <= 2 * len(holes)
    assert any("overflowed" in b.note for _, b in holes)
    note("its callback is held up for 1.5 s", source, lost=lost, reported=reported)


def watched(name: str, options: str = "") -> Witness:
    # Emulation is too slow for an even rate of blocks: that is not what is looked at here.
    return Witness(Supervisor(microphone(name, options), MonotonicClock()), nominal_hz=0.0)


def note(what: str, seen: Seen, **more: int) -> None:
    fault_row("ALSA (snd-aloop, emulated)", what, seen, family="Microphones", **more)


def test_a_name_nobody_has(loopback: str) -> None:
    with pytest.raises(DeviceError, match="there is no microphone 'Nobody'"):
        microphone("Nobody").open()
