"""Windows, drawn: one character is 100 ms, see `Timeline`."""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.align import StreamSlice, Window, Windower
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

MS = 1_000_000
S = NS_PER_S

CAMERA = StreamSpec("camera", Kind.VIDEO, 10.0, (2, 2, 3), "rgb8")
MICROPHONE = StreamSpec("microphone", Kind.AUDIO, 1000.0, (-1, 1), "s16")
ENOSE = StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm", ("NO2", "CO"))


def windower(
    *specs: StreamSpec, length: float = 1.0, hop: float = 1.0, stale: float = 3.0, **more: Any
) -> Windower:
    config = WindowConfig(length_s=length, hop_s=hop, stale_after_s=stale)
    made = Windower(config, BufferConfig(**more.pop("buffer", {})), **more)
    for spec in specs:
        made.add_stream(spec)
    return made


def run(made: Windower, *streams: list[Sample]) -> list[Window]:
    """All samples in order of time, then the end."""
    out = []
    for sample in sorted(chain(*streams), key=lambda s: (s.t_ns, s.stream, s.seq)):
        made.push(sample)
        out += made.ready()
    return out + made.flush()


def key(windows: list[Window]) -> list[tuple[object, ...]]:
    """All there is to a window, comparable."""
    return [
        (w.id, w.t0_ns, w.t1_ns, w.notes, tuple((n, slice_key(s)) for n, s in w.streams.items()))
        for w in windows
    ]


def slice_key(part: StreamSlice) -> tuple[object, ...]:
    return (*part.state.model_dump().values(), tuple((x.t_ns, x.seq) for x in part.samples))


def test_two_streams_make_a_window_a_second(timeline: Any) -> None:
    camera = timeline.draw("camera", "##########|##########|##########|")
    sound = timeline.draw("microphone", "##########|##########|##########|")
    windows = run(windower(CAMERA, MICROPHONE), camera, sound)
    assert timeline.spans(windows) == [(0, 1000), (1000, 2000), (2000, 3000)]
    assert [w.id for w in windows] == ["w000000", "w000001", "w000002"]
    assert timeline.states(windows, "camera") == "PPP"
    assert [len(w.streams["camera"].samples) for w in windows] == [10, 10, 10]
    assert all(w.streams["microphone"].state.age_ms == 0 for w in windows)


def test_a_window_is_given_out_when_the_last_gating_stream_has_passed_its_end(
    timeline: Any,
) -> None:
    made = windower(CAMERA, MICROPHONE)
    for sample in timeline.draw("camera", "##########|#"):
        made.push(sample)
    assert made.ready() == []  # the microphone has said nothing yet
    for sample in timeline.draw("microphone", "#########"):
        made.push(sample)
    assert made.ready() == []
    made.push(timeline.sample("microphone", 900, 9))  # ends at 1000: nothing more can come
    assert len(made.ready()) == 1


@pytest.mark.parametrize(
    ("nose", "states", "ages"),
    [
        #  0         1         2         3         4
        ("#         |          |          |          ", "PPPS", [1000, 2000, 3000, 4000]),
        ("          |    #     |          |          ", "MPPP", [None, 600, 1600, 2600]),
        ("          |          |          |          ", "MMMM", [None] * 4),
        ("x         |    #     |          |          ", "IPPP", [1000, 600, 1600, 2600]),
    ],
)
def test_a_slow_stream_annotates_with_its_true_age(
    timeline: Any, nose: str, states: str, ages: list[float | None]
) -> None:
    camera = timeline.draw("camera", "#" * 40)
    windows = run(windower(CAMERA, ENOSE), camera, timeline.draw("enose", nose))
    assert timeline.states(windows, "enose") == states
    assert [w.streams["enose"].state.age_ms for w in windows] == ages
    for window in windows:
        part = window.streams["enose"]
        assert bool(part.state.reason) == (part.state.state != "present")
        assert (part.last is None) == (part.state.age_ms is None)


def test_the_case_that_kills_the_incumbent() -> None:
    """30 Hz camera, 50 Hz sound, 1 Hz nose 0.6-0.9 s late: a window for every hop."""
    rng = random.Random(5)
    config = WindowConfig(length_s=1.0, hop_s=0.5, max_wait_s=0.5)
    made = Windower(config, BufferConfig())
    import numpy as np

    arrivals: list[tuple[int, Sample]] = []

    def feed(name: str, rate: float, payload: Any, late: tuple[float, float]) -> None:
        for i in range(int(60 * rate)):
            t = 1000 * S + round(i * S / rate)
            arrive = t + round(rng.uniform(*late) * S)
            arrivals.append((arrive, Sample(name, i, t, arrive, payload)))

    camera = replace(CAMERA, rate_hz=30.0)
    sound = replace(MICROPHONE, rate_hz=16000.0)
    for spec in (camera, sound, ENOSE):
        made.add_stream(spec)
    feed("camera", 30.0, np.zeros((2, 2, 3), np.uint8), (0.01, 0.03))
    feed("microphone", 50.0, np.zeros((320, 1), np.int16), (0.02, 0.03))
    feed("enose", 1.0, np.array([1.0, 2.0]), (0.6, 0.9))
    windows: list[tuple[int, Window]] = []
    for arrive, sample in sorted(arrivals, key=lambda a: a[0]):
        made.push(sample)
        windows += [(arrive, w) for w in made.ready(arrive)]
    assert len(windows) >= 117  # 60 s, hop 0.5 s, length 1 s
    starts = [w.t0_ns for _, w in windows]
    assert starts == [1000 * S + i * S // 2 for i in range(len(starts))]
    for now, window in windows:
        assert now - window.t1_ns < 0.1 * S  # and none waits for the nose
        state = window.streams["enose"].state
        if window.t1_ns > 1002 * S:
            assert state.state == "present"
            last = window.streams["enose"].last
            assert last is not None
            assert state.age_ms == (window.t1_ns - last.t_ns) / MS
            assert 0 < state.age_ms < 2000
            assert last.t_recv_ns <= now
        assert window.streams["camera"].state.gaps == 0
        assert window.streams["camera"].state.samples == 30


def test_gaps_are_seen_by_number_by_flag_and_by_time(timeline: Any) -> None:
    #                                  lost       flagged    silent
    camera = timeline.draw("camera", "####__####|#####!####|####   ###|##########|")
    windows = run(windower(CAMERA), camera)
    parts = [w.streams["camera"].state for w in windows]
    assert [(p.gaps, p.dropped) for p in parts] == [(1, 2), (1, 0), (1, 0), (0, 0)]


def test_a_lost_sample_at_a_border_counts_where_the_stream_goes_on(timeline: Any) -> None:
    camera = timeline.draw("camera", "########__|__########|")
    parts = [w.streams["camera"].state for w in run(windower(CAMERA), camera)]
    assert [(p.gaps, p.dropped) for p in parts] == [(0, 0), (1, 4)]


def test_a_closed_stream_releases_the_wait_and_says_why(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    for sample in timeline.draw("camera", "#" * 31) + timeline.draw("microphone", "#####"):
        made.push(sample)
    assert made.ready() == []
    made.close_stream("microphone", "unplugged")
    windows = made.ready()
    assert timeline.states(windows, "microphone") == "PMM"
    assert "unplugged" in windows[1].streams["microphone"].state.reason


def test_a_stream_that_comes_back_gates_again(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    made.close_stream("microphone", "unplugged")
    for sample in timeline.draw("camera", "#" * 21):
        made.push(sample)
    assert len(made.ready()) == 2
    made.add_stream(MICROPHONE)
    for sample in timeline.draw("camera", "#" * 11, 2100):
        made.push(sample)
    assert made.ready() == []
    made.push(timeline.sample("microphone", 2900, 0))
    assert len(made.ready()) == 1


def test_live_runs_wait_no_longer_than_they_may(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)  # max_wait 0.6 s
    for sample in timeline.draw("camera", "#" * 20):
        made.push(sample)
    assert made.ready(1600 * MS) == []
    window = made.ready(1601 * MS)[0]
    assert window.streams["microphone"].state.reason == "no sample yet"


def test_late_samples_are_counted_and_told(timeline: Any) -> None:
    told: list[tuple[str, str]] = []
    made = windower(CAMERA, on_unmatched=lambda s, why: told.append((s.stream, why)))
    for sample in timeline.draw("camera", "#" * 25):
        made.push(sample)
    assert len(made.ready()) == 2
    made.push(timeline.sample("camera", 950, 99))
    assert made.unmatched == {"camera": 1}
    assert told == [("camera", "1050 ms before the end of a window already given out")]


def test_overlapping_windows_share_samples_and_end_once(timeline: Any) -> None:
    windows = run(windower(CAMERA, length=1.0, hop=0.5), timeline.draw("camera", "#" * 18))
    assert timeline.spans(windows) == [(0, 1000), (500, 1500), (1000, 1800)][:2]
    longer = run(windower(CAMERA, length=1.0, hop=0.5), timeline.draw("camera", "#" * 24))
    assert timeline.spans(longer)[-1] == (1000, 2000)


def test_a_rest_of_half_a_second_makes_a_last_shorter_window(timeline: Any) -> None:
    windows = run(windower(CAMERA), timeline.draw("camera", "#" * 16))
    assert timeline.spans(windows) == [(0, 1000), (1000, 1600)]
    windows = run(windower(CAMERA), timeline.draw("camera", "#" * 14))
    assert timeline.spans(windows) == [(0, 1000)]


def test_a_clip_shorter_than_anything_still_makes_one_window(timeline: Any) -> None:
    assert timeline.spans(run(windower(CAMERA), timeline.draw("camera", "##"))) == [(0, 200)]
    assert run(windower(CAMERA)) == []


def test_the_first_window_begins_at_a_whole_tenth_of_a_second(timeline: Any) -> None:
    windows = run(windower(CAMERA), timeline.draw("camera", "#" * 20, start_ms=12_345.678))
    assert windows[0].t0_ns == 12_300 * MS


def test_a_nose_alone_gates_itself(timeline: Any) -> None:
    windows = run(windower(ENOSE), timeline.draw("enose", "#         " * 4))
    assert timeline.spans(windows) == [(0, 1000), (1000, 2000), (2000, 3000), (3000, 4000)]


def test_a_hole_of_hours_is_skipped_and_told(timeline: Any) -> None:
    hours = 5 * 3600 * 1000
    camera = timeline.draw("camera", "#" * 15) + [
        replace(s, seq=s.seq + 15) for s in timeline.draw("camera", "#" * 15, start_ms=hours)
    ]
    windows = run(windower(CAMERA), camera)
    assert [len(w.streams["camera"].samples) for w in windows] == [10, 5, 0, 10, 5]
    assert timeline.states(windows, "camera") == "PPSPP"
    assert "left out" in windows[3].notes[0]
    assert windows[3].t0_ns == hours * MS
    assert windows[3].streams["camera"].state.gaps == 1


def test_one_stream_that_jumps_ahead_does_not_hold_up_the_other(timeline: Any) -> None:
    camera = timeline.draw("camera", "#" * 15)
    ahead = [replace(s, seq=s.seq + 15) for s in timeline.draw("camera", "#" * 40, 10**9)]
    sound = timeline.draw("microphone", "#" * 55)
    made, windows = windower(CAMERA, MICROPHONE), []
    for i in range(55):
        made.push((camera + ahead)[i])
        made.push(sound[i])
        windows += made.ready()
    assert timeline.states(windows, "microphone") == "PPPPP"
    assert timeline.states(windows, "camera") == "PPSSS"


def test_one_wild_stamp_in_the_future_does_not_blind_a_stream(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    wild = replace(timeline.sample("camera", 10**9), seq=12)
    camera, sound = timeline.draw("camera", "#" * 50), timeline.draw("microphone", "#" * 50)
    camera[12] = wild
    windows = []
    for a, b in zip(camera, sound, strict=True):
        made.push(a)
        made.push(b)
        windows += made.ready()
    windows += made.flush()
    assert timeline.states(windows, "camera")[:5] == "PPPPP"
    assert len(windows) == 5


def test_a_stream_whose_clock_goes_back_does_not_stall_the_others(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    windows = []
    back = [replace(s, seq=s.seq + 20) for s in timeline.draw("camera", "#" * 40, -(10**8))]
    camera = timeline.draw("camera", "#" * 20) + back
    for a, b in zip(camera, timeline.draw("microphone", "#" * 60), strict=True):
        made.push(a)
        made.push(b)
        windows += made.ready()
    assert len(windows) == 6
    assert timeline.states(windows, "camera")[:2] == "PP"
    assert "clock went back" in windows[-1].streams["camera"].state.reason
    assert made.unmatched["camera"] == 40


def test_when_time_itself_goes_back_windows_begin_again(timeline: Any) -> None:
    made = windower(CAMERA)
    windows = []
    for sample in timeline.draw("camera", "#" * 25, 10**6) + timeline.draw("camera", "#" * 40):
        made.push(sample)
        windows += made.ready()
    ids = [w.id for w in windows]
    assert ids == sorted(set(ids))
    assert windows[-1].t1_ns < 5 * S
    assert any("time went back" in note for w in windows for note in w.notes)


def test_memory_stays_bounded_over_two_hours(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    picture, sound = timeline.sample("camera", 0), timeline.sample("microphone", 0)
    count = 0
    for i in range(72_000):
        made.push(replace(picture, seq=i, t_ns=i * 100 * MS))
        made.push(replace(sound, seq=i, t_ns=i * 100 * MS))
        count += len(made.ready())
        if i % 10_000 == 0:
            for track in made._tracks.values():
                assert len(track.ring) < 30
                assert len(track.items) < 30
    assert count == 7199


def test_a_window_larger_than_the_ring_says_so_and_still_counts(timeline: Any) -> None:
    made = windower(CAMERA, length=2.0, hop=2.0, buffer={"max_bytes": 12 * 5})
    state = run(made, timeline.draw("camera", "#" * 20))[0].streams["camera"].state
    assert state.state == "present"
    assert state.samples == 20
    assert "only 5 of 20" in state.reason


def test_an_unknown_stream_is_refused(timeline: Any) -> None:
    with pytest.raises(ValueError, match="not added"):
        windower(CAMERA).push(timeline.sample("enose", 0))


def test_a_promise_about_time_stands_in_for_a_stream_that_ended_early(timeline: Any) -> None:
    made = windower(CAMERA, MICROPHONE)
    for sample in timeline.draw("camera", "#" * 25) + timeline.draw("microphone", "###"):
        made.push(sample)
    assert made.ready() == []
    made.advance(2400 * MS)
    assert len(made.ready()) == 2


def interleave(rng: random.Random, streams: list[list[Sample]], swap: bool) -> list[Sample]:
    """A random arrival order; within a stream disorder of at most one place if `swap`."""
    queues = [list(s) for s in streams]
    out = []
    for q in queues:
        i = 1
        while swap and i + 1 < len(q):
            apart = q[i + 1].t_ns - q[i].t_ns
            if rng.random() < 0.2 and 0 < apart < 100 * MS:
                q[i], q[i + 1] = q[i + 1], q[i]
                i += 1
            i += 1
    while any(queues):
        queue = rng.choice([q for q in queues if q])
        for _ in range(rng.choice([1, 1, 1, 5, 40])):
            if queue:
                out.append(queue.pop(0))
    return out


def random_streams(rng: random.Random) -> list[list[Sample]]:
    """Jitter, drops, duplicates, ties, gaps and steps; honest sequence numbers."""
    import numpy as np

    streams = []
    for name, period, payload in (
        ("camera", 40 * MS, np.zeros((2, 2, 3), np.uint8)),
        ("microphone", 50 * MS, np.zeros((50, 1), np.int16)),
    ):
        t, out = rng.randrange(2 * S), []
        for seq in range(rng.randrange(40, 160)):
            t += period + rng.choice([0, 0, 0, rng.randrange(period), rng.randrange(period)])
            if rng.random() < 0.01:
                t += rng.randrange(6 * S)
            if rng.random() < 0.05:
                continue
            out.append(Sample(name, seq, t, t, payload))
            if rng.random() < 0.05:
                out.append(out[-1])
        streams.append(out)
    return streams


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_windows_are_the_same_for_any_order_of_arrival(seed: int) -> None:
    rng = random.Random(seed)
    streams = random_streams(rng)
    length = rng.choice([1.0, 2.0])
    hop = rng.choice([0.5, 1.0, 2.5])

    def outcome(order: list[Sample]) -> list[tuple[object, ...]]:
        made = windower(CAMERA, MICROPHONE, length=length, hop=hop, buffer={"seconds": 600.0})
        windows = []
        for sample in order:
            made.push(sample)
            windows += made.ready()
        windows += made.flush()
        again = len(order) - len({(s.stream, s.t_ns, s.seq) for s in order})
        assert sum(made.unmatched.values()) <= again  # a late twin of one let go already
        return key(windows)

    wanted = outcome(sorted(chain(*streams), key=lambda s: (s.t_ns, s.stream, s.seq)))
    for _ in range(3):
        assert outcome(interleave(rng, streams, swap=True)) == wanted


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_windows_hold_what_a_plain_search_finds(seed: int) -> None:
    rng = random.Random(seed)
    streams = random_streams(rng)
    made = windower(CAMERA, MICROPHONE, buffer={"seconds": 600.0})
    windows = run(made, *streams)
    for window in windows:
        for name, samples in zip(("camera", "microphone"), streams, strict=True):
            length = {"camera": 1, "microphone": 50 * MS}[name]
            unique = {(s.t_ns, s.seq) for s in samples}
            wanted = sorted(
                k for k in unique if k[0] < window.t1_ns and k[0] + length > window.t0_ns
            )
            part = window.streams[name]
            assert [(s.t_ns, s.seq) for s in part.samples] == wanted
            assert part.state.samples == len(wanted)
    inside = {(s.stream, s.t_ns) for w in windows for p in w.streams.values() for s in p.samples}
    end = windows[-1].t1_ns
    assert inside >= {(s.stream, s.t_ns) for s in chain(*streams) if s.t_ns < end}


def test_flags_of_a_gap_survive_in_order(timeline: Any) -> None:
    sample = timeline.sample("camera", 0, 0, Flag.GAP_BEFORE)
    windows = run(windower(CAMERA), [sample, *timeline.draw("camera", " #########")])
    assert windows[0].streams["camera"].state.gaps == 1
    assert astuple(windows[0].streams["camera"].samples[0])[5] is Flag.GAP_BEFORE
