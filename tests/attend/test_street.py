"""What a model is shown is the same live, replayed and replayed again, to the pixel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from stages import PlainResponder
from thymos.attend import Budget
from thymos.config import Config, RecordConfig, WindowConfig
from thymos.contract import Explanation, WindowReport
from thymos.events import Observer
from thymos.perceive.sudden import SuddenMovement, SuddenSound
from thymos.pipeline import Pipeline
from thymos.reason.base import Evidence
from thymos.reason.rules import RulesReasoner
from thymos.record import Recorder, open_recording
from thymos.runner import run_live, run_offline
from thymos_drivers.sim import open_camera, open_enose, open_microphone

CONFIG = Config(window=WindowConfig(length_s=1.0, hop_s=1.0))


class Looks(RulesReasoner):
    """Shows pictures and sound to nobody, and tells a hash of them."""

    def explain(self, evidence: Evidence, **more: Any) -> Explanation:
        shown = evidence.media(Budget(tokens=900, picture=100, second=50, side=40, rate_hz=8000))
        parts = [p.pixels.tobytes() for p in shown.pictures]
        parts += [s.samples.tobytes() for s in shown.sounds]
        made = super().explain(evidence, **more)
        told = hashlib.sha256(b"".join(parts)).hexdigest()
        return made.model_copy(update={"looked_at": shown.looked_at, "rationale": told})


class Keeper(Observer):
    def __init__(self) -> None:
        self.reports: list[WindowReport] = []

    def on_report(self, report: WindowReport) -> None:
        self.reports.append(report)


def street(*observers: Observer) -> Pipeline:
    return Pipeline(
        CONFIG,
        perceivers=[SuddenMovement(), SuddenSound()],
        reasoner=Looks(),
        responder=PlainResponder(),
        observers=observers,
    )


def told(reports: list[WindowReport]) -> dict[str, Any]:
    return {
        r.window.id: (r.explanation.rationale, r.explanation.looked_at, r.explanation.viewer)
        for r in reports
    }


def test_live_and_replay_look_at_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    keeper = Keeper()
    sources = [
        open_camera("", stream="camera", size="64x48", rate="15", seconds="3"),
        open_microphone("", stream="microphone", rate="16000", seconds="3"),
        open_enose("", stream="enose", events="smoke@1-2", seconds="3"),
    ]
    with Recorder(path, RecordConfig(video="raw")) as recorder:
        live = street(keeper, recorder)
        run_live(sources, live)
        live.close()
    again = []
    for _ in range(2):
        pipeline = street()
        again.append(list(run_offline(list(open_recording(path).sources.values()), pipeline)))
        pipeline.close()
    assert [r.line() for r in again[0]] == [r.line() for r in again[1]]
    one, two = told(keeper.reports), told(again[0])
    whole = [w for w in one if w in two and w != max(two)]  # a live run may skip, and ends midway
    assert whole
    assert {w: one[w] for w in whole} == {w: two[w] for w in whole}
    kinds = {k.kind for r in again[0] for k in r.explanation.looked_at}
    assert kinds == {"picture", "sound"}
    for report in again[0]:
        looks = report.explanation.looked_at
        assert 0 < sum(k.tokens for k in looks) <= 900
        assert all(report.window.t0_ns <= k.t0_ns <= report.window.t1_ns for k in looks)
