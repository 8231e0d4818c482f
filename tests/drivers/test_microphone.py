"""The microphone's own logic. PortAudio is played by a fake; `make hil` tests the real one."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from thymos.clock import portaudio_ns
from thymos.devices import open_uri
from thymos.errors import DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import EndOfStream, Flag, Health, Sample
from thymos_drivers.microphone import Microphone, open_error

RATE, BLOCK = 16000, 512


class FakePortAudio:
    """Plays sounddevice: keeps the callbacks so that a test can be the sound card."""

    class PortAudioError(Exception):
        """As in sounddevice."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.stream: Any = None

    def query_devices(self, device: object = None, kind: str = "") -> dict[str, Any]:
        if device == "nobody":
            raise ValueError("No input device matching 'nobody'")
        return {"name": f"Fake {device or 'default'}", "default_samplerate": 16000.0}

    def InputStream(self, **wanted: Any) -> Any:  # noqa: N802  (its name there)
        if self.fail is not None:
            raise self.fail
        self.stream = FakeStream(wanted)
        return self.stream


class FakeStream:
    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.samplerate = wanted["samplerate"]
        self.latency = 0.1
        self.closed = False
        self.n = 0

    def start(self) -> None:
        pass

    def abort(self, *, ignore_errors: bool) -> None:
        self.wanted["finished_callback"]()

    def close(self, *, ignore_errors: bool) -> None:
        self.closed = True

    def hear(self, value: int | None = None, *, overflow: bool = False) -> None:
        shape = (BLOCK, self.wanted["channels"])
        data = np.full(shape, self.n if value is None else value, np.int16)
        self.n += 1
        times = SimpleNamespace(currentTime=1e9 + 7.0, inputBufferAdcTime=1e9 + 6.95)
        self.wanted["callback"](data, BLOCK, times, SimpleNamespace(input_overflow=overflow))
        data[:] = -1  # PortAudio uses its buffer again


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def read(mic: Microphone) -> Sample:
    sample = mic.read(1.0)
    assert sample is not None
    return sample


def test_blocks_are_copied_counted_and_on_one_grid(portaudio: FakePortAudio) -> None:
    source = open_uri("microphone", "portaudio:USB?channels=2")
    assert isinstance(source, Microphone)
    with source as mic:
        assert mic.spec.rate_hz == RATE
        assert mic.spec.shape == (-1, 2)
        assert portaudio.stream.wanted["device"] == "USB"
        assert portaudio.stream.wanted["blocksize"] == BLOCK
        samples = []
        for _ in range(20):
            portaudio.stream.hear()
            samples.append(read(mic))
        assert mic.health.health is Health.OK
    assert [int(s.payload[0, 1]) for s in samples] == list(range(20))
    assert [s.seq for s in samples] == list(range(20))
    assert all(s.t_ns < s.t_recv_ns for s in samples)
    assert portaudio.stream.closed


def test_overflow_is_a_gap_with_a_count(portaudio: FakePortAudio) -> None:
    with Microphone() as mic:
        portaudio.stream.hear()
        read(mic)
        time.sleep(0.2)
        portaudio.stream.hear(overflow=True)
        sample = read(mic)
        assert sample.flags & Flag.GAP_BEFORE
        assert "overflow" in sample.note
        assert mic.counters.dropped >= 3
        assert sample.seq == 1 + mic.counters.dropped


def test_a_full_queue_drops_the_oldest_and_says_so(portaudio: FakePortAudio) -> None:
    with Microphone() as mic:
        for _ in range(200):
            portaudio.stream.hear()
        first = read(mic)
        assert first.flags & Flag.GAP_BEFORE
        assert first.seq == mic.counters.dropped > 0


def test_a_vanished_sound_server_is_a_typed_error(portaudio: FakePortAudio) -> None:
    with Microphone() as mic:
        portaudio.stream.hear()
        portaudio.stream.wanted["finished_callback"]()
        read(mic)  # what came before is still given
        with pytest.raises(DeviceLostError) as lost:
            mic.read(1.0)
        assert lost.value.hint
        assert mic.health.health is Health.LOST


def test_a_silent_stall_is_noticed(
    portaudio: FakePortAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Microphone() as mic:
        portaudio.stream.hear()
        read(mic)
        later = time.monotonic_ns() + 3_000_000_000
        monkeypatch.setattr("thymos_drivers.microphone.time.monotonic_ns", lambda: later)
        assert mic.read(0.0) is None
        assert mic.health.health is Health.STALLED
        assert mic.health.remedy
        portaudio.stream.hear()
        assert mic.health.health is Health.OK


def test_digital_silence_is_told(portaudio: FakePortAudio) -> None:
    with Microphone() as mic:
        for _ in range(400):
            portaudio.stream.hear(value=0)
        assert mic.health.health is Health.DEGRADED
        assert "muted" in mic.health.reason
        portaudio.stream.hear(value=3)
        assert mic.health.health is Health.OK


def test_closing_wakes_the_reader(portaudio: FakePortAudio) -> None:
    mic = Microphone()
    mic.open()
    closer = threading.Timer(0.05, mic.close)
    closer.start()
    with pytest.raises(EndOfStream):
        mic.read(30.0)
    closer.join()


@pytest.mark.parametrize(
    ("age_s", "expected_ms"),
    [(0.05, 50), (0.4, 400), (-0.02, 32), (0.0, 32), (1e9, 32), (float("nan"), 32)],
)
def test_converter_time_is_used_when_it_makes_sense(age_s: float, expected_ms: int) -> None:
    now = 10**12
    assert now - portaudio_ns(now, age_s, BLOCK, RATE) == pytest.approx(expected_ms * 1e6, abs=2)


def test_open_errors(portaudio: FakePortAudio) -> None:
    with pytest.raises(DeviceNotFoundError, match="nobody"):
        Microphone("nobody").open()
    portaudio.fail = portaudio.PortAudioError("Error opening InputStream", -9997)
    with pytest.raises(DeviceError) as rate:
        Microphone().open()
    assert "rate" in rate.value.hint
    assert isinstance(open_error("x", Exception("Error querying device -1")), DeviceNotFoundError)


def test_a_missing_system_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(DeviceError) as missing:
        Microphone().open()
    assert missing.value.hint == "sudo apt install libportaudio2"
