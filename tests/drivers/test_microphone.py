"""The microphone's own logic. PortAudio is played by a fake; `make hil` tests the real one."""

from __future__ import annotations

import sys
import threading
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from thymos.clock import portaudio_ns
from thymos.devices import open_uri
from thymos.errors import DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import EndOfStream, Flag, Health, Sample
from thymos_drivers.microphone import Microphone
from thymos_drivers.resample import Resampler
from thymos_drivers.sound import find_input, look_again, sound_error

RATE, BLOCK = 16000, 512


class FakePortAudio:
    """Plays sounddevice: keeps the callbacks so that a test can be the sound card."""

    class PortAudioError(Exception):
        """As in sounddevice."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.stream: Any = None
        self.names = ["HDA Intel: ALC (hw:0,0)", "USB Mic: Audio (hw:1,0)"]
        self.unseen: list[str] = []
        self.own_hz = 16000
        self.rates: set[int] | None = None
        self._StreamBase = FakeStream

    def query_devices(self, device: int | None = None, kind: str = "") -> Any:
        listed = [
            {"name": n, "default_samplerate": float(self.own_hz), "max_input_channels": 2}
            for n in self.names
        ]
        if not kind:
            return listed
        return listed[device or 0]

    def InputStream(self, **wanted: Any) -> Any:  # noqa: N802  (its name there)
        if self.fail is not None:
            raise self.fail
        if self.rates is not None and wanted["samplerate"] not in self.rates:
            raise self.PortAudioError("Invalid sample rate", -9997)
        self.stream = FakeStream(wanted)
        return self.stream

    def _terminate(self) -> None:
        self.names = []

    def _initialize(self) -> None:
        self.names = self.unseen


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

    def hear(self, value: int | None = None, *, overflow: bool = False, data: Any = None) -> None:
        shape = (BLOCK, self.wanted["channels"])
        if data is None:
            data = np.full(shape, self.n if value is None else value, np.int16)
        self.n += 1
        times = SimpleNamespace(currentTime=1e9 + 7.0, inputBufferAdcTime=1e9 + 6.95)
        self.wanted["callback"](data, len(data), times, SimpleNamespace(input_overflow=overflow))
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
        assert portaudio.stream.wanted["device"] == 1
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
    portaudio.unseen = portaudio.names
    with pytest.raises(DeviceNotFoundError, match="nobody"):
        Microphone("nobody").open()
    portaudio.fail = portaudio.PortAudioError("Error opening InputStream", -9997)
    with pytest.raises(DeviceError) as rate:
        Microphone().open()
    assert "rate" in rate.value.hint
    assert isinstance(sound_error("x", Exception("Error querying device -1")), DeviceNotFoundError)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("", None),
        ("default", None),
        ("7", 7),
        ("USB Mic: Audio (hw:2,0)", 0),
        ("USB Mic: Audio (hw:9,0)", 0),  # it was plugged in elsewhere when this was written
        ("usb mic", 0),
        ("HDA Intel: ALC", 1),
        ("hda", 1),
    ],
)
def test_a_name_finds_its_card_wherever_it_is(
    portaudio: FakePortAudio, wanted: str, number: int | None
) -> None:
    portaudio.names = ["USB Mic: Audio (hw:2,0)", "HDA Intel: ALC (hw:0,0)"]
    assert find_input(portaudio, wanted) == number


def test_a_name_of_several_is_refused(portaudio: FakePortAudio) -> None:
    portaudio.names = ["USB Mic: A (hw:0,0)", "USB Mic: B (hw:1,0)"]
    with pytest.raises(DeviceError, match="2 microphones are called 'usb'"):
        find_input(portaudio, "usb")
    with pytest.raises(DeviceNotFoundError, match="there is no microphone 'rode'"):
        find_input(portaudio, "rode")


def test_what_was_plugged_in_since_portaudio_looked_is_found(portaudio: FakePortAudio) -> None:
    portaudio.unseen = [*portaudio.names, "Rode NT: USB (hw:2,0)"]
    with Microphone("rode") as mic:
        assert mic.spec.device == "Rode NT: USB (hw:2,0)"
        assert not look_again(portaudio)  # that would end the stream that runs
    assert look_again(portaudio)


def test_an_old_stream_says_nothing_of_the_next_one(portaudio: FakePortAudio) -> None:
    mic = Microphone()
    mic.open()
    old = portaudio.stream
    mic.close()
    with mic:
        old.wanted["finished_callback"]()
        old.hear()
        portaudio.stream.hear(value=77)
        assert read(mic).payload[0, 0] == 77
        assert mic.health.health is Health.OK


@pytest.mark.parametrize(("own_hz", "wanted_hz"), [(48000, 16000), (44100, 16000), (8000, 16000)])
def test_a_rate_it_cannot_do_is_resampled_and_keeps_its_time(
    portaudio: FakePortAudio, own_hz: int, wanted_hz: int
) -> None:
    portaudio.own_hz, portaudio.rates = own_hz, {own_hz}
    n = np.arange(2 * own_hz)
    tone = np.sin(2 * np.pi * 440 * n / own_hz) * 10000
    both = np.stack([tone, -tone / 2], axis=1).round().astype(np.int16)
    with Microphone(rate_hz=wanted_hz, channels=2) as mic:
        assert mic.spec.rate_hz == wanted_hz
        assert mic.spec.extra["resampled_from_hz"] == str(own_hz)
        block = portaudio.stream.wanted["blocksize"]
        assert block == round(own_hz * 0.032)
        got, first_ns = [], None
        for at in range(0, len(both) - block, block):
            portaudio.stream.hear(data=both[at : at + block].copy())
            sample = mic.read(0.0)
            if sample is not None:
                got.append(sample)
                # the fake blocks come at once: only the first one's stamp means its own time
                first_ns = first_ns if first_ns is not None else sample.t_ns
    assert [s.seq for s in got] == list(range(len(got)))
    heard = np.concatenate([s.payload for s in got])
    k = np.arange(len(heard))
    expected = np.sin(2 * np.pi * 440 * k / wanted_hz) * 10000
    inside = slice(wanted_hz // 50, len(heard) - wanted_hz // 50)
    assert len(heard) > 1.9 * wanted_hz
    assert np.abs(heard[inside, 0] - expected[inside]).max() < 30
    assert np.abs(heard[inside, 1] + expected[inside] / 2).max() < 30


def test_what_the_resampler_holds_back_is_in_the_stamps() -> None:
    made = Resampler(48000, 16000, 1)
    begins, in_ns = [], 0
    for _ in range(50):
        ready, behind_ns = made.push(np.zeros((1536, 1), np.int16))
        if len(ready):
            begins.append((in_ns - behind_ns, len(ready)))
        in_ns += 32_000_000
    assert begins[0][0] == 0
    for (t_ns, frames), (next_ns, _) in pairwise(begins):
        assert next_ns - t_ns == pytest.approx(frames * 62_500, abs=2)
    made.restart()
    ready, behind_ns = made.push(np.zeros((48000, 1), np.int16))
    assert behind_ns == 0
    assert len(ready) > 15000


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
