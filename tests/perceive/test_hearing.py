from __future__ import annotations

import numpy as np
import pytest

from thymos.perceive.hearing import (
    CHUNK,
    CHUNK_NS,
    RATE,
    Chunk,
    Ear,
    dbfs,
    speech_spans,
)
from thymos.perceive.prosody import analyse
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec


def spec(rate: int, channels: int = 1) -> StreamSpec:
    return StreamSpec("microphone", Kind.AUDIO, rate, (-1, channels), "s16")


def tone(rate: int, hz: float, seconds: float, channels: int = 1) -> np.ndarray:
    t = np.arange(int(rate * seconds)) / rate
    wave = (8000 * np.sin(2 * np.pi * hz * t)).astype(np.int16)
    return np.repeat(wave[:, None], channels, axis=1)


def pour(ear: Ear, pcm: np.ndarray, rate: int, start_ns: int = 0, block: int = 320) -> None:
    for k, lo in enumerate(range(0, len(pcm), block)):
        t_ns = start_ns + lo * NS_PER_S // rate
        ear.feed(Sample("microphone", k, t_ns, t_ns, pcm[lo : lo + block]))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 2), (96000, 6)])
def test_any_rate_becomes_16_khz_mono_in_time(rate, channels):
    ear = Ear()
    ear.start(spec(rate, channels))
    pour(ear, tone(rate, 440, 2.0, channels), rate)
    chunks = ear.between(0, 10 * NS_PER_S)
    assert len(chunks) == pytest.approx(2.0 * RATE / CHUNK, abs=3)
    assert [c.t_ns for c in chunks[:3]] == [0, CHUNK_NS, 2 * CHUNK_NS]
    pcm = np.concatenate([c.pcm for c in chunks])
    peak = np.abs(np.fft.rfft(pcm[: RATE // 2] * np.hanning(RATE // 2))).argmax() * 2
    assert peak == pytest.approx(440, abs=3)
    # In phase with what was played: the resampler's delay is taken out.
    played = 8000 / 32768 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert np.abs(pcm[1000:9000] - played[1000:9000]).max() < 0.02


def test_a_gap_begins_a_new_run_at_the_right_time():
    ear = Ear()
    ear.start(spec(RATE))
    pour(ear, tone(RATE, 200, 0.5), RATE)
    pour(ear, tone(RATE, 200, 0.5), RATE, start_ns=2 * NS_PER_S)
    chunks = ear.between(0, 10 * NS_PER_S)
    assert {c.run for c in chunks} == {1, 2}
    assert min(c.t_ns for c in chunks if c.run == 2) == 2 * NS_PER_S


def test_two_perceivers_may_feed_the_same_samples():
    once, twice = Ear(), Ear()
    pcm = tone(RATE, 300, 1.0)
    for ear, times in ((once, 1), (twice, 2)):
        ear.start(spec(RATE))
        ear.start(spec(RATE))
        for lo in range(0, len(pcm), 320):
            for _ in range(times):
                ear.feed(Sample("m", lo, lo * NS_PER_S // RATE, 0, pcm[lo : lo + 320]))
    a, b = (ear.between(0, NS_PER_S) for ear in (once, twice))
    assert [c.t_ns for c in a] == [c.t_ns for c in b]
    assert all(
        np.array_equal(x.pcm, y.pcm) and x.speech == y.speech for x, y in zip(a, b, strict=True)
    )


def test_digital_silence_is_not_a_quiet_room():
    ear = Ear()
    ear.start(spec(RATE))
    noise = np.random.default_rng(0).integers(-3, 4, (RATE, 1)).astype(np.int16)
    pour(ear, np.vstack([np.zeros((RATE, 1), np.int16), noise]), RATE)
    chunks = ear.between(0, 2 * NS_PER_S)
    assert all(c.zero for c in chunks[:30])
    assert not any(c.zero for c in chunks[32:])
    assert dbfs(chunks[0].pcm) == -120.0
    assert -90 < dbfs(chunks[40].pcm) < -75


def test_a_clock_set_back_begins_anew():
    ear = Ear()
    ear.start(spec(RATE))
    pour(ear, tone(RATE, 200, 0.5), RATE, start_ns=100 * NS_PER_S)
    pour(ear, tone(RATE, 200, 0.5), RATE)
    assert len(ear.between(0, NS_PER_S)) == 15
    assert not ear.between(100 * NS_PER_S, 101 * NS_PER_S)


def test_memory_is_bounded():
    ear = Ear()
    ear.start(spec(RATE))
    pour(ear, np.zeros((RATE * 100, 1), np.int16), RATE, block=RATE)
    assert len(ear.between(0, 200 * NS_PER_S)) <= 2500


def chunks_of(probabilities: list[float], run: int = 1, start: int = 0) -> list[Chunk]:
    loud = np.full(CHUNK, 0.1, np.float32)
    return [Chunk((start + k) * CHUNK_NS, loud, p, run, False) for k, p in enumerate(probabilities)]


def test_spans_bridge_short_pauses_and_drop_blips():
    chunks = chunks_of(
        [0] * 5 + [0.9] * 10 + [0.1] * 5 + [0.9] * 10 + [0.0] * 20 + [0.9] * 2 + [0] * 20
    )
    (span,) = speech_spans(chunks)
    assert (span.first, span.last) == (5, 29)
    assert (span.t0_ns, span.t1_ns) == (5 * CHUNK_NS, 30 * CHUNK_NS)


def test_a_gap_ends_a_span():
    chunks = chunks_of([0.9] * 10) + chunks_of([0.9] * 10, run=2, start=12)
    assert [(s.first, s.last) for s in speech_spans(chunks)] == [(0, 9), (10, 19)]


def test_hysteresis_holds_a_weak_middle_and_needs_a_strong_start():
    assert len(speech_spans(chunks_of([0.4] * 40))) == 0
    (span,) = speech_spans(chunks_of([0.6] + [0.4] * 20))
    assert span.last == 20


def harmonic(hz: float, seconds: float) -> np.ndarray:
    t = np.arange(int(RATE * seconds)) / RATE
    return sum(0.2 / n * np.sin(2 * np.pi * hz * n * t) for n in range(1, 8)).astype(np.float32)


@pytest.mark.parametrize("hz", [80, 120, 220, 330, 440])
def test_pitch_of_harmonic_sound(hz):
    noise = np.random.default_rng(1).normal(0, 0.01, RATE).astype(np.float32)
    f0 = analyse(harmonic(hz, 1.0) + noise).f0_hz
    voiced = f0[np.isfinite(f0)]
    assert len(voiced) > 0.9 * len(f0)
    assert np.median(voiced) == pytest.approx(hz, rel=0.01)
    assert np.percentile(np.abs(voiced / hz - 1), 95) < 0.02


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(2).normal(0, 0.1, RATE).astype(np.float32)
    assert np.isfinite(analyse(noise).f0_hz).mean() < 0.05
    assert not np.isfinite(analyse(np.zeros(RATE, np.float32)).f0_hz).any()
    assert len(analyse(np.zeros(10, np.float32)).f0_hz) == 0


@pytest.mark.parametrize("rate", [2, 4, 6])
def test_syllables_of_pulsed_sound(rate):
    t = np.arange(RATE * 3) / RATE
    swell = 0.05 + 0.95 * (0.5 - 0.5 * np.cos(2 * np.pi * rate * t))
    found = analyse((harmonic(150, 3.0) * swell).astype(np.float32)).syllables
    assert len(found) == pytest.approx(3 * rate, abs=1)


def test_steady_sound_has_no_syllables():
    assert len(analyse(harmonic(150, 2.0)).syllables) <= 1
