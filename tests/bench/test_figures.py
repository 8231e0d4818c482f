from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from thymos.bench.figures import Figure, cells, repeated, spread_of, table
from thymos.bench.path import Watch, _losses, _order, peak_mib
from thymos.clock import MonotonicClock
from thymos.runner import LiveSummary
from thymos.samples import Counters, Kind, Sample, StreamSpec


def test_value_of_many_is_the_p95() -> None:
    figure = spread_of("x", list(range(1, 101)), "ms", "<= 95")
    assert figure.value == pytest.approx(95.05)
    assert figure.spread["max"] == 100
    assert figure.spread["p50"] == 50.5
    assert figure.reached is False
    assert math.isnan(spread_of("x", [], "ms").value)
    assert spread_of("x", [], "ms", "<= 1").reached is None  # nothing was measured


@pytest.mark.parametrize(
    ("value", "target", "reached"),
    [(150, "<= 150", True), (1.0, "< 1", False), (0, "== 0", True), (-1, "== 0", False),
     (30, ">= 30", True), (29, ">= 30", False), (1, "", None), (99, "ratio >= 10", None)],
)  # fmt: skip
def test_targets(value, target, reached) -> None:
    assert Figure("x", value, "", {}, target).reached is reached


def test_peers_are_compared_pair_by_pair() -> None:
    figure = repeated(
        "rate",
        [100.0, 400.0, 90.0],
        "/s",
        "ratio >= 10",
        peer="them",
        peer_values=[10.0, 20.0, 9.0],
    )
    assert figure.value == 100
    assert figure.peer_value == 10
    assert figure.ratio == 10  # of 10, 20, 10
    assert figure.reached is True
    assert figure.spread == {"min": 90, "max": 400, "n": 3, "peer_min": 9, "peer_max": 20}
    assert cells(figure) == ("rate", "100 /s", "90–400 (n 3)", "10 (them)", "10", "ratio >= 10")


def test_a_peer_that_is_not_there_is_named() -> None:
    figure = repeated("rate", [100.0], "/s", "ratio >= 10", peer="them: not measured")
    assert figure.reached is None
    assert figure.as_json()["peer_value"] is None
    assert figure.as_json()["peer"] == "them: not measured"
    assert cells(figure)[3:5] == ("them: not measured", "")


def test_json_has_no_nan() -> None:
    body = spread_of("x", [], "ms", "<= 1").as_json()
    assert body["value"] is None
    json.dumps(body, allow_nan=False)


def test_small_ratios_are_told_as_fractions() -> None:
    figure = repeated("latency", [2.0], "ms", peer="them", peer_values=[10.0])
    assert cells(figure)[4] == "1/5"


def test_table_tells_verdicts() -> None:
    out = Console(file=io.StringIO(), width=120)
    out.print(
        table([spread_of("slow", [200.0], "ms", "<= 150"), Figure("rss", 700, "MiB", {})], "t")
    )
    text = out.file.getvalue()
    assert "missed" in text
    assert "700 MiB" in text


def test_loss_is_sent_less_received_less_reported() -> None:
    watch = Watch(MonotonicClock())
    watch.on_stream(StreamSpec("camera", Kind.VIDEO, 30, (2, 2, 3), "rgb8"))
    watch.on_stream(StreamSpec("microphone", Kind.AUDIO, 16000, (-1, 1), "s16"))
    for n in range(7):
        watch.on_sample(Sample("camera", n, n, n, np.zeros((2, 2, 3), np.uint8)))
    watch.on_sample(Sample("microphone", 0, 0, 0, np.zeros((320, 1), np.int16)))
    assert watch.units == {"camera": 7, "microphone": 320}
    counters = {"camera": Counters(received=7, dropped=2), "microphone": Counters()}
    figures = _losses(watch, LiveSummary(counters=counters), {"camera": 10, "microphone": 320})
    assert [f.value for f in figures] == [1, 0]
    assert [f.reached for f in figures] == [False, True]


def test_input_alternates_and_memory_is_known() -> None:
    order = _order(20)
    assert len(order) == 600
    assert max(order[:120]) <= 16
    assert min(order[120:240]) >= 45
    assert max(order[240:360]) <= 16
    assert peak_mib() > 20
