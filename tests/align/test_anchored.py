"""Windows around events, drawn: one character is 100 ms, see `Timeline`."""

from __future__ import annotations

import random
from itertools import chain
from typing import Any

import numpy as np
import pytest

from thymos.align import AnchoredWindower, Window, Windower
from thymos.align.spans import Spans
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec

MS = 1_000_000
S = NS_PER_S
CAMERA = StreamSpec("camera", Kind.VIDEO, 10.0, (2, 2, 3), "rgb8")
MICROPHONE = StreamSpec("microphone", Kind.AUDIO, 1000.0, (-1, 1), "s16")
ENOSE = StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm", ("NO2", "CO"))


def anchored(*specs: StreamSpec, **more: Any) -> AnchoredWindower:
    """Windows from 0.7 s before the event to 0.3 s after it; events are known a second later."""
    made = AnchoredWindower(
        WindowConfig(length_s=1.0, after_s=0.3), BufferConfig(), max_lag_s=1.0, **more
    )
    for spec in specs:
        made.add_stream(spec)
    return made


def feed(made: Spans, *streams: list[Sample]) -> list[Window]:
    out: list[Window] = []
    for sample in sorted(chain(*streams), key=lambda s: (s.t_ns, s.stream, s.seq)):
        made.push(sample)  # the base has no `ready`
        out += made.ready()  # type: ignore[attr-defined]
    return out


def spans(windows: list[Window]) -> list[tuple[float, float, str]]:
    return [(w.t0_ns / MS, w.t1_ns / MS, w.label) for w in windows]


def test_a_window_lies_around_its_anchor(timeline: Any) -> None:
    made = anchored(CAMERA, MICROPHONE)
    camera, sound = timeline.draw("camera", "#" * 30), timeline.draw("microphone", "#" * 30)
    made.anchor(1200 * MS, "clap")
    (window,) = feed(made, camera, sound)
    assert spans([window]) == [(500, 1500, "clap")]
    assert (window.id, window.anchor_ns) == ("w000000", 1200 * MS)
    assert [s.t_ns / MS for s in window.streams["camera"].samples] == list(range(500, 1500, 100))
    assert made.flush() == []


def test_it_comes_out_when_its_streams_are_complete_and_no_earlier_anchor_can_come(
    timeline: Any,
) -> None:
    made = anchored(CAMERA)
    made.anchor(500 * MS)
    camera = timeline.draw("camera", "#" * 40)
    assert feed(made, camera[:15]) == []  # complete to 1400 ms: an anchor at 400 may yet be set
    assert made.anchor(450 * MS)
    assert [w.anchor_ns for w in feed(made, camera[15:16])] == [450 * MS, 500 * MS]
    made.anchor(1600 * MS)
    made.anchors_to(1601 * MS)  # whoever finds them knows that there is none in between
    assert feed(made, camera[16:19]) == []
    assert [w.t1_ns for w in feed(made, camera[19:20])] == [1900 * MS]  # as soon as it is whole


def test_overlapping_anchors_have_a_window_each(timeline: Any) -> None:
    made = anchored(CAMERA)
    for t in (1000, 1100, 1100, 1150):
        made.anchor(t * MS)
    windows = feed(made, timeline.draw("camera", "#" * 40))
    assert spans(windows) == [(300, 1300, ""), (400, 1400, ""), (450, 1450, "")]
    assert [len(w.streams["camera"].samples) for w in windows] == [10, 10, 10]


def test_an_anchor_before_the_first_sample_gets_what_there_is(timeline: Any) -> None:
    made = anchored(CAMERA)
    made.anchor(-5000 * MS, "too early for anything")
    made.anchor(100 * MS, "half")
    windows = feed(made, timeline.draw("camera", "#" * 20))
    assert timeline.states(windows, "camera") == "MP"
    assert "later than this window" in windows[0].streams["camera"].state.reason
    assert len(windows[1].streams["camera"].samples) == 4


def test_an_anchor_that_comes_too_late_is_refused_and_said(timeline: Any) -> None:
    made = anchored(CAMERA)
    assert made.anchor(1500 * MS, "b")
    camera = timeline.draw("camera", "#" * 60)
    assert len(feed(made, camera[:30])) == 1
    assert made.anchor(1500 * MS, "b")  # the same again
    assert not made.anchor(1400 * MS, "a")
    assert made.late_anchors == 1
    made.anchor(2500 * MS)
    (window,) = feed(made, camera[30:])
    assert window.notes == ("an anchor (a) at 1.400 s came too late",)
    assert not made.anchor(3000 * MS)  # the camera is at 5900: what it would hold was let go


def test_a_late_sample_of_a_window_given_out_is_told(timeline: Any) -> None:
    told: list[tuple[int, str]] = []
    made = anchored(CAMERA, ENOSE, on_unmatched=lambda s, why: told.append((s.seq, why)))
    made.anchor(1000 * MS)
    assert len(feed(made, timeline.draw("camera", "#" * 21))) == 1
    made.push(timeline.sample("enose", 900, 7))
    made.push(timeline.sample("enose", 1600, 8))  # in no window so far
    assert told == [(7, "400 ms before the end of a window already given out")]
    assert made.unmatched == {"camera": 0, "enose": 1}


def test_live_an_anchored_window_waits_no_longer_than_it_may(timeline: Any) -> None:
    made = anchored(CAMERA, MICROPHONE)  # max_wait 0.6 s
    made.anchor(1000 * MS)
    made.anchors_to(1001 * MS)
    for sample in timeline.draw("camera", "#" * 20):
        made.push(sample)
    assert made.ready(1900 * MS) == []
    (window,) = made.ready(1901 * MS)
    assert window.streams["microphone"].state.reason == "no sample yet"


def test_what_is_left_comes_out_at_the_end(timeline: Any) -> None:
    made = anchored(CAMERA)
    assert feed(made, timeline.draw("camera", "#" * 20)) == []
    made.anchor(1900 * MS, "last word")
    assert spans(made.flush()) == [(1200, 2200, "last word")]


def test_when_time_goes_back_anchors_begin_again(timeline: Any) -> None:
    made = anchored(CAMERA)
    feed(made, timeline.draw("camera", "#" * 30, 10**6))
    made.anchor(1_000_000 * MS + 2500 * MS)
    windows = []
    for sample in timeline.draw("camera", "#" * 15):
        made.push(sample)
        windows += made.ready()
    assert made.anchor(1000 * MS)
    windows += feed(made, timeline.draw("camera", "#" * 30)[15:])
    assert [w.anchor_ns for w in windows] == [1000 * MS]
    assert any("time went back" in note for note in windows[0].notes)
    assert "1 anchors were left out" in windows[0].notes


def test_memory_stays_bounded_when_nothing_happens_for_hours(timeline: Any) -> None:
    made = anchored(CAMERA)
    picture = timeline.sample("camera", 0)
    most = 0
    for i in range(100_000):
        made.push(Sample("camera", i, i * 100 * MS, 0, picture.payload))
        made.ready()
        track = made._tracks["camera"]
        most = max(most, len(track.items), len(track.ring))
    # length + lag − after at 10 Hz, a step of 0.1 s, the newest before, and the newest.
    assert most <= (1.0 + 1.0 - 0.3) * 10 + 1 + 2
    assert made.anchor(9_999_000 * MS)  # and it is all there for an anchor that comes late
    made.push(Sample("camera", 100_000, 10_000_000 * MS, 0, picture.payload))
    (window,) = made.flush()
    assert len(window.streams["camera"].samples) == 10


# -- any order of arrival, against a plain search


def random_streams(rng: random.Random) -> list[list[Sample]]:
    streams = []
    for name, period, payload in (
        ("camera", 40 * MS, np.zeros((2, 2, 3), np.uint8)),
        ("microphone", 50 * MS, np.zeros((50, 1), np.int16)),
    ):
        t, out = rng.randrange(S), []
        for seq in range(rng.randrange(60, 140)):
            t += period + rng.choice([0, 0, 0, rng.randrange(period), rng.randrange(period)])
            t += rng.randrange(3 * S) if rng.random() < 0.01 else 0
            early = rng.randrange(period // 2) if rng.random() < 0.3 else 0  # overlapping sound
            stamp = max(t - early, out[-1].t_ns if out else 0)
            if rng.random() > 0.05:
                out.append(Sample(name, seq, stamp, stamp, payload))
        streams.append(out)
    return streams


def arrival(rng: random.Random, streams: list[list[Sample]]) -> list[Sample]:
    """Streams at their own pace; within a stream up to 90 ms out of order; some come twice."""
    queues = [
        [x for s in moved for x in [s] * (1 + (rng.random() < 0.05))]
        for moved in (sorted(q, key=lambda s: s.t_ns + rng.randrange(90 * MS)) for q in streams)
    ]
    out: list[Sample] = []
    while any(queues):
        queue = rng.choice([q for q in queues if q])
        for _ in range(rng.choice([1, 1, 1, 5, 40])):
            if queue:
                out.append(queue.pop(0))
    return out


def fingerprint(windows: list[Window]) -> bytes:
    return repr(
        [
            (
                (w.t0_ns, w.t1_ns, w.anchor_ns, w.label, w.notes, w.info.model_dump_json()),
                [(n, [(s.t_ns, s.seq) for s in p.samples]) for n, p in w.streams.items()],
            )
            for w in windows
        ]
    ).encode()


def limits(order: list[Sample], anchors: list[int], lag: int) -> list[int]:
    """For each anchor, after how many samples it must be set: all streams are `lag` past it."""
    newest = {"camera": -1, "microphone": -1}
    out = [len(order)] * len(anchors)
    for i, sample in enumerate(order):
        end = sample.t_ns + (50 * MS if sample.stream == "microphone" else 0)
        newest[sample.stream] = max(newest[sample.stream], end)
        for k, t in enumerate(anchors):
            if out[k] == len(order) and min(newest.values()) >= t + lag:
                out[k] = i
    return out


def run_anchored(
    rng: random.Random, order: list[Sample], anchors: list[int], promise: bool
) -> list[Window]:
    made = AnchoredWindower(
        WindowConfig(length_s=1.0, after_s=0.3), BufferConfig(seconds=600.0), max_lag_s=1.0
    )
    for spec in (CAMERA, MICROPHONE):
        made.add_stream(spec)
    due = [
        (rng.randrange(n + 1), t) for n, t in zip(limits(order, anchors, S), anchors, strict=True)
    ]
    out: list[Window] = []
    for i in range(len(order) + 1):
        for at, t in due:
            if at == i:
                assert made.anchor(t, f"at {t}")
        if promise:
            made.anchors_to(min((t for at, t in due if at > i), default=1 << 62))
        if i < len(order):
            made.push(order[i])
            out += made.ready()
    assert made.late_anchors == 0
    return out + made.flush()


def test_a_thousand_orders_give_the_same_anchored_windows() -> None:
    orders = 0
    for seed in range(25):
        rng = random.Random(seed)
        streams = random_streams(rng)
        end = max(s.t_ns for s in chain(*streams))
        anchors = sorted(
            {rng.randrange(-S, end + S) // MS * MS for _ in range(rng.randrange(1, 9))}
        )
        plain = sorted(chain(*streams), key=lambda s: (s.t_ns, s.stream))
        wanted = run_anchored(rng, plain, anchors, promise=False)
        assert [w.anchor_ns for w in wanted] == anchors
        for window in wanted:
            for name, samples, length in zip(
                ("camera", "microphone"), streams, (1, 50 * MS), strict=True
            ):
                # Sound stamped before the end of the block before it begins at that end.
                ends = [s.t_ns + length if length > 1 else s.t_ns for s in samples]
                begins = [
                    max(s.t_ns, e) for s, e in zip(samples, [-(1 << 62), *ends], strict=False)
                ]
                inside = [
                    (s.t_ns, s.seq)
                    for s, begin in zip(samples, begins, strict=True)
                    if begin < window.t1_ns and s.t_ns + length > window.t0_ns
                ]
                assert [(s.t_ns, s.seq) for s in window.streams[name].samples] == inside
        for k in range(42):
            got = run_anchored(rng, arrival(rng, streams), anchors, promise=k % 2 == 0)
            assert fingerprint(got) == fingerprint(wanted)
            orders += 1
    assert orders >= 1000


def test_a_thousand_orders_give_the_same_windows_on_the_grid() -> None:
    orders = 0
    for seed in range(25):
        rng = random.Random(seed)
        streams = random_streams(rng)
        config = WindowConfig(length_s=rng.choice([1.0, 2.0]), hop_s=rng.choice([0.5, 1.0, 2.5]))
        wanted = b""
        for k in range(42):
            plain = sorted(chain(*streams), key=lambda s: (s.t_ns, s.stream))
            order = arrival(rng, streams) if k else plain
            made = Windower(config, BufferConfig(seconds=600.0))
            for spec in (CAMERA, MICROPHONE):
                made.add_stream(spec)
            out = []
            for sample in order:
                made.push(sample)
                out += made.ready()
            got = fingerprint(out + made.flush())
            wanted = wanted or got
            assert got == wanted
            orders += 1
    assert orders >= 1000


@pytest.mark.parametrize("kind", [Windower, AnchoredWindower])
def test_a_callback_that_fails_is_reported_and_changes_nothing(
    kind: type[Windower] | type[AnchoredWindower],
    timeline: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(sample: Sample, why: str) -> None:
        raise RuntimeError("not my day")

    results = []
    for callback in (broken, None):
        made = kind(WindowConfig(length_s=1.0, hop_s=1.0), BufferConfig(), callback)
        made.add_stream(CAMERA)
        if isinstance(made, AnchoredWindower):
            made.anchor(1000 * MS)
        windows = feed(made, timeline.draw("camera", "#" * 40))
        made.push(timeline.sample("camera", 950, 99))
        assert made.unmatched == {"camera": 1}
        results.append(fingerprint(windows + made.flush()))
    assert results[0] == results[1]
    assert capsys.readouterr().err == "on_unmatched failed: RuntimeError: not my day\n"
