"""Choosing frames and sound: exactly the budget, the latest never lost, events caught."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.align.window import StreamSlice, Window
from thymos.attend import Budget, Media, nothing
from thymos.attend.choose import look, moments, stretches
from thymos.contract import StreamState
from thymos.errors import ConfigError
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
try:  # the table of docs/reasoning.md is tested as it is
    bench = importlib.import_module("benchmarks.attend")
finally:
    sys.path.pop(0)
CHOICES, RATES, caught = bench.CHOICES, bench.RATES, bench.caught

ANCHORS = st.lists(
    st.tuples(st.integers(-(10**9), 12 * 10**9), st.sampled_from(["motion", "sound", "smell"])),
    max_size=12,
)
TIMES = st.lists(st.integers(0, 10 * 10**9), max_size=80, unique=True).map(sorted)
PRICES = Budget(tokens=2000, picture=100, second=25.0)


@settings(deadline=None)
@given(TIMES, ANCHORS, st.integers(0, 20))
def test_exactly_the_budget_with_first_and_last(times, anchors, n) -> None:
    chosen = moments(times, anchors, n)
    assert len(chosen) == min(n, len(times))
    assert list(chosen) == sorted(chosen)
    if chosen:
        assert chosen[len(times) - 1] == "last"
    if len(chosen) > 1:
        assert chosen[0] == "first"


@settings(deadline=None)
@given(st.integers(2, 200), st.integers(2, 12))
def test_without_events_the_choice_is_uniform(frames: int, n: int) -> None:
    chosen = list(moments([i * 10**7 for i in range(frames)], [], n))
    if n < frames:
        gaps = np.diff(chosen)
        assert gaps.max() - gaps.min() <= 1
    assert len(chosen) == min(n, frames)


@settings(deadline=None)
@given(
    st.integers(0, 10 * NS_PER_S), st.integers(1, 60 * NS_PER_S), ANCHORS,
    st.integers(0, 70 * NS_PER_S),
)  # fmt: skip
def test_stretches_of_sound_keep_within_bounds(t0, length, anchors, most) -> None:
    t1 = t0 + length
    spans = stretches(t0, t1, anchors, most)
    assert sum(b - a for a, b, _ in spans) <= max(0, min(most, length))
    assert all(t0 <= a < b <= t1 for a, b, _ in spans)
    assert all(b <= c for (_, b, _), (c, _, _) in itertools.pairwise(spans))
    if most >= min(length, NS_PER_S // 10):
        assert spans[-1][1] == t1  # the latest is never cut off


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("bursts", [1, 2, 3])
def test_planted_bursts_are_caught(fps: int, bursts: int) -> None:
    assert caught(CHOICES["thymos"], fps, bursts, trials=300) >= 0.95
    assert caught(CHOICES["thymos"], fps, bursts, trials=30, noise=0.1) >= 0.95


def test_the_measure_tells_choices_apart() -> None:
    assert caught(CHOICES["uniform"], 10, 2, trials=100) < 0.7
    assert caught(CHOICES["frames"], 10, 2, trials=100) < 0.7
    assert caught(CHOICES["frames"], 60, 1, trials=100) > 0.9


# -- whole windows


def film(fps: float, seconds: float, jumps: tuple[float, ...], size=(48, 64)) -> list[Sample]:
    """Grey noise with a square that moves only around `jumps`."""
    rng = np.random.default_rng(5)
    made, x = [], 0.0
    for i in range(round(fps * seconds)):
        t = i / fps
        if any(abs(t - jump) < 0.15 for jump in jumps):
            x += 90 / fps
        pixels = rng.integers(60, 64, (*size, 3)).astype(np.uint8)
        left = int(x) % (size[1] - 20)
        pixels[10:40, left : left + 20] = 220
        made.append(Sample("camera", i, round(t * NS_PER_S), 0, pixels))
    return made


def sound(seconds: float, bangs: tuple[float, ...] = (), rate: int = 16000) -> list[Sample]:
    rng = np.random.default_rng(6)
    pcm = rng.normal(0, 30, round(rate * seconds))
    for bang in bangs:
        pcm[round(bang * rate) : round((bang + 0.2) * rate)] += rng.normal(0, 9000, rate // 5)
    blocks = pcm.clip(-32768, 32767).astype(np.int16).reshape(-1, rate // 10, 1)
    return [Sample("microphone", i, i * NS_PER_S // 10, 0, b) for i, b in enumerate(blocks)]


def nose(seconds: float, puff: float) -> list[Sample]:
    values = [1000.0 if t < puff else 1600.0 for t in range(int(seconds))]
    return [
        Sample("enose", i, i * NS_PER_S, 0, np.array([v]), Flag.OK) for i, v in enumerate(values)
    ]


SPECS = {
    "camera": StreamSpec("camera", Kind.VIDEO, 30, (48, 64, 3), "rgb8"),
    "microphone": StreamSpec("microphone", Kind.AUDIO, 16000, (-1, 1), "s16"),
    "enose": StreamSpec("enose", Kind.GAS, 1, (1,), "ohm", ("A",)),
}


def window(seconds: float, *streams: list[Sample]) -> Window:
    state = StreamState(state="present", age_ms=0.0, samples=1, gaps=0, dropped=0)
    slices = {
        s[0].stream: StreamSlice(SPECS[s[0].stream], state, tuple(s), s[-1])
        for s in sorted(streams, key=lambda s: s[0].stream)
    }
    return Window("w000000", 0, round(seconds * NS_PER_S), slices)


@pytest.mark.parametrize("fps", RATES)
def test_movement_in_real_pictures_is_caught(fps: int) -> None:
    shown = look(window(10, film(fps, 10, (2.3, 7.1))), PRICES)
    assert len(shown.pictures) == 6
    for jump in (2.3, 7.1):
        why = [p.why for p in shown.pictures if abs(p.t_ns - jump * 1e9) <= 0.5e9]
        assert "motion" in why, (jump, shown.looked_at)


def test_a_bang_and_a_smell_choose_pictures_too() -> None:
    shown = look(window(10, film(15, 10, ()), sound(10, (6.4,)), nose(10, 3)), PRICES)
    whys = {p.why: p.t_ns for p in shown.pictures}
    assert abs(whys["sound"] - 6.45e9) < 0.3e9
    assert abs(whys["smell"] - 3e9) < 0.2e9
    assert [s.why for s in shown.sounds] == ["whole"]
    assert shown.tokens == 6 * 100 + 250


def test_a_static_clip_is_shown_evenly_without_warnings() -> None:
    still = [Sample("camera", i, i * 10**8, 0, np.zeros((48, 64, 3), np.uint8)) for i in range(101)]
    shown = look(window(10.1, still), PRICES)
    assert [p.t_ns // 10**8 for p in shown.pictures] == [0, 20, 40, 60, 80, 100]
    assert [p.why for p in shown.pictures] == ["first", "even", "even", "even", "even", "last"]


@settings(deadline=None)
@given(
    st.integers(0, 900), st.sampled_from([0, 85, 256]), st.sampled_from([0.0, 7.0, 25.0, 50.5]),
    st.integers(0, 9), st.floats(0, 12),
)  # fmt: skip
def test_a_budget_is_kept_and_used(tokens, picture, second, pictures, seconds) -> None:
    budget = Budget(tokens, picture, second, pictures, seconds)
    shown = look(WHOLE, budget)
    assert shown.tokens <= tokens
    assert sum(s.t1_ns - s.t0_ns for s in shown.sounds) <= seconds * 1e9 + 1
    assert len(shown.pictures) <= pictures
    if second == 0:
        assert shown.sounds == ()
        assert len(shown.pictures) == (min(pictures, tokens // picture, 40) if picture else 0)


WHOLE = window(4, film(10, 4, (1.0,)), sound(4, (3.0,)))


def test_little_budget_goes_to_both_and_to_the_end() -> None:
    shown = look(WHOLE, Budget(tokens=200, picture=50, second=50))
    assert len(shown.pictures) == 2
    assert [p.why for p in shown.pictures] == ["first", "last"]
    assert shown.sounds[-1].t1_ns == WHOLE.t1_ns
    assert 150 <= shown.tokens <= 200


def test_pictures_are_scaled_and_sound_is_brought_to_the_rate_of_the_model() -> None:
    budget = Budget(1000, 100, 25, side=32, rate_hz=8000)
    shown = look(WHOLE, budget)
    assert {p.pixels.shape for p in shown.pictures} == {(24, 32, 3)}
    assert all(not p.pixels.flags.writeable for p in shown.pictures)
    assert shown.sounds[0].samples.shape == (32000,)
    assert shown.sounds[0].samples.dtype == np.int16


def test_invalid_pictures_and_missing_sound_are_not_shown() -> None:
    frames = film(10, 4, ())
    bad = [Sample(s.stream, s.seq, s.t_ns, 0, s.payload, Flag.INVALID) for s in frames]
    late = [s for s in sound(4) if s.t_ns >= NS_PER_S]
    shown = look(window(4, bad, late), PRICES)
    assert shown.pictures == ()
    assert [(s.t0_ns, s.t1_ns) for s in shown.sounds] == [(NS_PER_S, 4 * NS_PER_S)]
    assert look(window(4, bad), PRICES) == Media() == nothing(PRICES)


def test_the_same_window_gives_the_same_choice() -> None:
    one, two = look(WHOLE, PRICES), look(WHOLE, PRICES)
    assert one.looked_at == two.looked_at
    assert all(
        (a.pixels == b.pixels).all() for a, b in zip(one.pictures, two.pictures, strict=True)
    )


def test_a_named_stream_is_taken() -> None:
    other = [Sample("cellar", s.seq, s.t_ns, 0, s.payload) for s in film(10, 4, ())]
    both = window(4, film(10, 4, ()))
    spec = StreamSpec("cellar", Kind.VIDEO, 10, (48, 64, 3), "rgb8")
    both.streams["cellar"] = StreamSlice(
        spec, both.streams["camera"].state, tuple(other), other[-1]
    )
    assert look(both, PRICES, {Kind.VIDEO: "camera"}).pictures[0].stream == "camera"
    assert look(both, PRICES, {Kind.VIDEO: "cellar"}).pictures[0].stream == "cellar"


@pytest.mark.parametrize("wrong", [{"tokens": -1}, {"picture": -1}, {"side": 0}, {"rate_hz": 0}])
def test_a_budget_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="no sense"):
        Budget(**{"tokens": 1, **wrong})
