"""Joins at work: waiting, memory, callbacks, clocks, and the case that kills the incumbent."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from thymos.align import (
    Attach,
    Join,
    Joined,
    Outcome,
    all_in_span,
    exact,
    last_before,
    linear,
    merge,
    nearest,
)
from thymos.errors import ConfigError
from thymos.samples import NS_PER_S, EndOfStream, Flag, HealthReport, Kind, Sample, StreamSpec

MS = 1_000_000
S = NS_PER_S
PICTURE = np.zeros((2, 2, 3), np.uint8)
SOUND = np.zeros((320, 1), np.int16)
VALUES = np.array([1.0, 2.0])


def every(
    name: str, period_ms: float, count: int, payload: Any, start_ms: float = 0
) -> list[Sample]:
    stamps = [round((start_ms + i * period_ms) * MS) for i in range(count)]
    return [Sample(name, i, t, t, payload) for i, t in enumerate(stamps)]


def feed(join: Join, samples: list[Sample], now_ns: int | None = None) -> list[Joined]:
    out: list[Joined] = []
    for sample in samples:
        join.push(sample)
        out += join.ready(now_ns)
    return out


def in_order(*streams: list[Sample]) -> list[Sample]:
    return sorted((s for one in streams for s in one), key=lambda s: (s.t_ns, s.stream, s.seq))


def test_the_case_that_kills_the_incumbent() -> None:
    """30 Hz camera, 50 Hz sound, 1 Hz nose 0.6-0.9 s late: one result for every frame."""
    rng = random.Random(5)
    arrivals: list[tuple[int, Sample]] = []
    for name, hz, payload, late in (
        ("camera", 30, PICTURE, (0.01, 0.03)),
        ("microphone", 50, SOUND, (0.02, 0.03)),
        ("enose", 1, VALUES, (0.6, 0.9)),
    ):
        for sample in every(name, 1000 / hz, 60 * hz, payload):
            arrive = sample.t_ns + round(rng.uniform(*late) * S)
            arrivals.append((arrive, replace(sample, t_recv_ns=arrive)))
    told: list[Any] = []
    join = Join(
        "camera",
        {
            "microphone": Attach(nearest(20 * MS), max_wait_ns=200 * MS),
            "enose": Attach(last_before(3 * S), gate=False),
        },
        on_unmatched=lambda s, why: told.append((s, why)),
    )
    rows: list[tuple[int, Joined]] = []
    for now, sample in sorted(arrivals, key=lambda a: a[0]):
        join.push(sample)
        rows += [(now, row) for row in join.ready(now)]
    rows += [(now, row) for row in join.flush()]
    assert [row.primary.seq for _, row in rows] == list(range(1800))
    assert told == []
    for now, row in rows[:-2]:
        assert now - row.t_ns < 100 * MS  # none waits for the nose
        sound, nose = row.streams["microphone"], row.streams["enose"]
        assert sound.proven
        assert abs(sound.skew_ns or 0) <= 10 * MS
        if row.t_ns >= 2 * S:
            assert nose.outcome is Outcome.CREATED
            assert nose.sample is not None
            assert nose.age_ns == row.t_ns - nose.sample.t_ns
            assert 0.5 * S < nose.age_ns < 2 * S  # its true age, not that of its arrival
            assert nose.sample.t_recv_ns <= now
        elif row.t_ns < 0.5 * S:
            assert nose.outcome is Outcome.NOT_YET


class Recorded:
    """A source that plays a list."""

    def __init__(self, samples: list[Sample]) -> None:
        self.spec = StreamSpec(samples[0].stream, Kind.GAS, 0.0, (2,), "ohm")
        self.health: HealthReport = HealthReport(None)  # type: ignore[arg-type]
        self._samples = list(samples)

    def read(self, timeout_s: float = 1.0) -> Sample:
        if not self._samples:
            raise EndOfStream
        return self._samples.pop(0)


def test_in_step_mode_an_annotating_stream_is_a_function_of_capture_times() -> None:
    camera, nose = every("camera", 33, 90, PICTURE), every("enose", 250, 12, VALUES, 5)
    rows = []
    for order in ([camera, nose], [nose, camera]):
        join = Join("camera", {"enose": Attach(last_before(), gate=False)})
        made: list[Joined] = []
        for sample in merge([Recorded(s) for s in order]):  # type: ignore[misc]
            join.push(sample)
            join.advance(sample.t_ns)
            made += join.ready()
        rows.append([(r.t_ns, r.streams["enose"].age_ns) for r in made + list(join.flush())])
    assert rows[0] == rows[1]
    for t, age in rows[0]:
        older = [n.t_ns for n in nose if n.t_ns <= t]
        assert age == (t - max(older) if older else None)


def test_memory_is_bounded_by_what_can_still_be_asked_for() -> None:
    """Of each attached stream: the tolerance and the wait for the primary, at its rate, and one."""
    join = Join(
        "camera",
        {
            "imu": Attach(nearest(20 * MS)),
            "enose": Attach(last_before(), gate=False),
            "gas": Attach(linear(2 * S), gate=False),
        },
    )
    streams = (
        every("camera", 1000 / 30, 30_000, PICTURE),
        every("imu", 10, 100_000, VALUES),
        every("enose", 100, 10_000, VALUES),
        every("gas", 50, 20_000, VALUES),
    )
    count, rows, most = 0, 0, dict.fromkeys(("camera", "imu", "enose", "gas"), 0)
    for sample in in_order(*streams):
        join.push(sample)
        count += 1
        rows += len(join.ready())
        for name, kept in join.kept.items():
            most[name] = max(most[name], kept)
    assert count == 160_000
    assert rows >= 29_998
    # o (the oldest that waits or may come) lies at most one frame plus the tolerance back.
    assert most["camera"] <= 2
    assert most["imu"] <= (34 + 20 + 20) // 10 + 2
    assert most["enose"] <= (34 + 20) // 100 + 1 + 2
    assert most["gas"] <= (34 + 20) // 50 + 1 + 2


def test_a_silent_primary_costs_no_more_than_the_queue() -> None:
    told: list[tuple[int, str]] = []
    join = Join(
        "camera",
        {"imu": Attach(nearest(20 * MS))},
        on_unmatched=lambda s, why: told.append((s.seq, why)),
        max_samples=100,
    )
    feed(join, every("imu", 10, 5000, VALUES))
    assert join.kept == {"camera": 0, "imu": 100}
    assert len(told) == 4900 == join.unmatched["imu"]
    assert told[0] == (0, "the queue is full (max_samples)")


def test_a_silent_stream_costs_no_more_than_the_queue_and_loses_no_picture() -> None:
    join = Join("camera", {"imu": Attach(nearest(20 * MS))}, max_samples=100)
    rows = feed(join, every("camera", 33, 500, PICTURE))
    assert [r.primary.seq for r in rows] == list(range(400))
    assert {(r.streams["imu"].outcome, r.streams["imu"].proven) for r in rows} == {
        (Outcome.NOT_YET, False)
    }
    assert len(join.flush()) == 100


def test_what_a_full_queue_cost_is_not_taken_for_absence() -> None:
    """A silent stream holds everything up until the other's queue is full: that is said."""
    join = Join("camera", {"a": Attach(exact), "b": Attach(nearest(4 * MS))}, max_samples=50)
    feed(join, in_order(every("camera", 100, 20, PICTURE), every("b", 10, 200, VALUES)))
    join.close_stream("a")
    rows = join.ready()
    early, late = rows[3].streams["b"], rows[18].streams["b"]
    assert (early.sample, early.proven) == (None, False)
    assert early.reason == "the queue was full (max_samples)"
    assert (late.outcome, late.proven) == (Outcome.CREATED, True)


def test_a_callback_that_fails_is_reported_and_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(sample: Sample, why: str) -> None:
        raise RuntimeError("not my day")

    def run(callback: Any) -> tuple[list[Joined], dict[str, int]]:
        join = Join(
            "camera", {"imu": Attach(nearest(5 * MS), required=True)}, on_unmatched=callback
        )
        camera, imu = every("camera", 30, 60, PICTURE), every("imu", 20, 90, VALUES)
        rows = feed(join, [*in_order(camera, imu), camera[3]])
        return rows + list(join.flush()), join.unmatched

    assert run(broken) == run(lambda s, why: None)
    assert run(None)[1]["camera"] > 25
    err = capsys.readouterr().err
    assert "on_unmatched failed: RuntimeError: not my day" in err
    assert len(err.splitlines()) == 20  # and it does not fill the terminal


def test_a_callback_may_use_the_join_itself() -> None:
    seen: list[dict[str, int]] = []
    join = Join("camera", {"imu": Attach(exact, required=True)}, on_unmatched=lambda s, w: again())

    def again() -> None:
        seen.append(join.kept)
        assert join.ready() == ()

    feed(join, in_order(every("camera", 20, 10, PICTURE, 1), every("imu", 10, 30, VALUES)))
    assert len(seen) == 10


def test_a_closed_stream_that_speaks_again_is_waited_for_again() -> None:
    join = Join("camera", {"imu": Attach(nearest(10 * MS))})
    join.close_stream("imu", "unplugged")
    rows = feed(join, every("camera", 30, 3, PICTURE))
    assert [r.streams["imu"].reason for r in rows] == ["unplugged"] * 3
    assert rows[0].streams["imu"].outcome is Outcome.DOES_NOT_EXIST
    feed(join, every("imu", 10, 10, VALUES))
    late = replace(every("camera", 30, 10, PICTURE)[9], seq=3)
    assert feed(join, [late]) == []  # 270 ms; the imu is at 90 ms
    join.close_stream("nobody")


def test_gaps_are_stated_where_they_are() -> None:
    camera = [s for s in every("camera", 30, 20, PICTURE) if s.seq not in (7, 8)]
    imu = [s for s in every("imu", 10, 60, VALUES) if s.seq != 30]
    imu[40] = replace(imu[40], flags=Flag.GAP_BEFORE)
    join = Join("camera", {"imu": Attach(nearest(4 * MS))})
    rows = feed(join, in_order(camera, imu)) + list(join.flush())
    assert [r.primary.seq for r in rows if r.gaps] == [9]
    # Picture 10 lies at 300 ms, where reading 30 was lost.
    missing = [r for r in rows if r.streams["imu"].sample is None]
    assert [r.primary.seq for r in missing] == [10]
    join = Join("imu", {"camera": Attach(nearest(4 * MS))})
    join.add_stream(StreamSpec("camera", Kind.VIDEO, 33.3, (2, 2, 3), "rgb8"))
    rows = feed(join, in_order(camera, imu)) + list(join.flush())
    assert [r.primary.seq for r in rows if r.gaps] == [31, imu[40].seq]
    holes = [m.sample.seq for r in rows if (m := r.streams["camera"]).gaps and m.sample]
    assert set(holes) == {9}


def test_a_hole_in_time_is_a_gap_where_the_rate_is_known() -> None:
    numbered_on_arrival = [s for s in every("camera", 30, 20, PICTURE) if s.seq not in (7, 8)]
    camera = [replace(s, seq=i) for i, s in enumerate(numbered_on_arrival)]
    join = Join("camera", {})
    assert [r.gaps for r in feed(join, camera)] == [0] * 18
    join = Join("camera", {})
    join.add_stream(StreamSpec("camera", Kind.VIDEO, 33.3, (2, 2, 3), "rgb8"))
    assert [r.primary.t_ns for r in feed(join, camera) if r.gaps] == [270 * MS]


def test_a_clock_set_ahead_is_a_hole() -> None:
    imu = every("imu", 10, 50, VALUES)
    imu = imu[:20] + [replace(s, t_ns=s.t_ns + 60 * S) for s in imu[20:]]
    join = Join("camera", {"imu": Attach(nearest(10 * MS))})
    rows = feed(join, in_order(every("camera", 30, 30, PICTURE), imu)) + list(join.flush())
    matched = [r.streams["imu"].outcome is Outcome.CREATED for r in rows]
    assert matched == [True] * 7 + [False] * 23


def test_an_attached_clock_that_goes_back_does_not_stall_the_others() -> None:
    told: list[str] = []
    imu = every("imu", 10, 300, VALUES)
    imu = imu[:100] + [replace(s, t_ns=s.t_ns - 100 * S) for s in imu[100:]]
    camera = every("camera", 30, 100, PICTURE)
    join = Join(
        "camera", {"imu": Attach(nearest(10 * MS))}, on_unmatched=lambda s, why: told.append(why)
    )
    rows: list[Joined] = []
    for i, sample in enumerate(imu):
        rows += feed(join, [sample] + ([camera[i // 3]] if i % 3 == 0 else []))
    assert len(rows) >= 99
    assert {r.streams["imu"].reason for r in rows[40:]} == {"its clock went back"}
    assert len(told) == 200  # none of the others vanished in silence


def test_when_the_primary_goes_back_time_begins_again() -> None:
    told: list[str] = []
    join = Join(
        "camera", {"imu": Attach(nearest(10 * MS))}, on_unmatched=lambda s, why: told.append(why)
    )
    camera, imu = every("camera", 30, 100, PICTURE, 50_000), every("imu", 10, 300, VALUES, 50_000)
    again = [replace(s, seq=s.seq + 100, t_ns=s.t_ns - 50 * S) for s in camera]
    more = [replace(s, seq=s.seq + 300, t_ns=s.t_ns - 50 * S) for s in imu]
    rows = feed(join, in_order(camera, imu) + in_order(again, more)) + list(join.flush())
    assert len([r for r in rows if r.t_ns >= 50 * S]) >= 98
    back = [r for r in rows if r.t_ns < 50 * S]
    assert len(back) == 100 - 8
    assert [r.streams["imu"].outcome for r in back[5:]] == [Outcome.CREATED] * (len(back) - 5)
    assert sum("late" in why for why in told) >= 8


@pytest.mark.parametrize("payload", [PICTURE, SOUND])
def test_pictures_and_sound_are_not_interpolated(payload: Any) -> None:
    join = Join("enose", {"camera": Attach(linear(S))})
    with pytest.raises(ConfigError, match="'camera' cannot be interpolated"):
        join.push(Sample("camera", 0, 0, 0, payload))
    with pytest.raises(ConfigError, match="it is video"):
        join.add_stream(StreamSpec("camera", Kind.VIDEO, 30.0, (2, 2, 3), "rgb8"))


def test_a_channel_that_is_not_valid_stays_so() -> None:
    a = Sample("gas", 0, 0, 1, np.array([1.0, np.nan, 3.0]))
    b = Sample("gas", 1, 10 * MS, 12 * MS, np.array([2.0, 2.0, 5.0]), Flag.WARMUP, "cold")
    join = Join("camera", {"gas": Attach(linear(S))})
    (row,) = feed(join, [a, b, Sample("camera", 0, 5 * MS, 5 * MS, PICTURE)])
    mixed = row.streams["gas"].sample
    assert mixed is not None
    np.testing.assert_array_equal(mixed.payload, [1.5, np.nan, 4.0])
    assert (mixed.t_ns, mixed.t_recv_ns) == (5 * MS, 12 * MS)
    assert (mixed.flags, mixed.note) == (Flag.WARMUP, "cold")
    assert row.streams["gas"].samples == (a, b)
    assert (row.streams["gas"].skew_ns, row.streams["gas"].age_ns) == (0, 5 * MS)
    with pytest.raises(ValueError, match="read-only"):
        mixed.payload[0] = 0


def test_the_newest_of_a_span_may_be_of_the_very_instant() -> None:
    join = Join("camera", {"imu": Attach(all_in_span(30 * MS, 5 * MS))})
    (row,) = feed(join, in_order(every("imu", 10, 9, VALUES), every("camera", 1, 1, PICTURE, 40)))
    match = row.streams["imu"]
    assert [s.t_ns // MS for s in match.samples] == [10, 20, 30, 40]
    assert (match.skew_ns, match.age_ns) == (0, 0)


def test_a_rule_of_ones_own() -> None:
    class FirstAfter:
        """The first sample after the instant, however late."""

        after_ns = 10 * S

        def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Any:
            at = bisect_right(times, t_ns)
            if at == len(times):
                return (Outcome.DOES_NOT_EXIST if complete_to > 10**18 else Outcome.NOT_YET), at, at
            return (Outcome.CREATED if complete_to >= times[at] else Outcome.NOT_YET), at, at + 1

        def needed_from(self, times: Sequence[int], t_ns: int) -> int:
            return bisect_right(times, t_ns)

        def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
            return samples[0]

    join = Join("camera", {"enose": Attach(FirstAfter())})
    nose, camera = every("enose", 100, 4, VALUES, 50), every("camera", 40, 10, PICTURE)
    rows = feed(join, in_order(nose, camera)) + list(join.flush())
    after = [m.sample.seq if m.sample else None for r in rows for m in r.streams.values()]
    assert after == [0, 0, 1, 1, 2, 2, 2, 3, 3, None]


def test_wrong_use_is_said() -> None:
    for wrong in (lambda: nearest(-1), lambda: linear(-1), lambda: last_before(-1)):
        with pytest.raises(ConfigError, match="negative"):
            wrong()
    with pytest.raises(ConfigError, match="empty"):
        all_in_span(0)
    with pytest.raises(ConfigError, match="negative"):
        Attach(exact, max_wait_ns=-1)
    with pytest.raises(ConfigError, match="to itself"):
        Join("camera", {"camera": Attach(exact)})
    with pytest.raises(ValueError, match="not part of the join"):
        Join("camera", {}).push(Sample("enose", 0, 0, 0, VALUES))
    with pytest.raises(ConfigError, match="no stream 'enose'"):
        Join("camera", {}).add_stream(StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm"))
