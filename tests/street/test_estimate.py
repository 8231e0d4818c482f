"""What perceivers and drivers give is made fit for the contract at one place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stages import CountingPerceiver, EchoReasoner, PlainResponder, samples, spec
from thymos.align.window import Window
from thymos.config import Config, RespondConfig, WindowConfig
from thymos.contract import Cue, WindowReport
from thymos.estimate import finite, source_info
from thymos.pipeline import Pipeline
from thymos.runner import run_offline
from thymos.samples import Kind
from thymos_drivers.testing import ListSource

NAN, INF = math.nan, math.inf


def cue(value: Any, emotion: dict[str, float] | None = None) -> Cue:
    return Cue(
        id="x",
        modality="face",
        name="expression",
        value=value,
        confidence=0.5,
        t0_ns=0,
        t1_ns=1,
        emotion=emotion,
    )


@pytest.mark.parametrize("value", [NAN, INF, -INF, {"joy": NAN}, np.float64("nan")])
def test_a_cue_without_a_number_is_left_out(value: Any) -> None:
    assert finite(cue(value)) is None


def test_what_is_left_is_kept() -> None:
    whole = cue({"joy": 0.5}, {"joy": 1.0})
    assert finite(whole) is whole
    assert finite(cue("nan")) == cue("nan")  # a word
    assert finite(cue({})) == cue({})
    assert finite(cue({"joy": 0.5, "fear": NAN})) == cue({"joy": 0.5})
    assert finite(cue(1.0, {"joy": NAN, "fear": 0.2})) == cue(1.0)


class Odd(CountingPerceiver):
    """A perceiver of somebody else, which divides by zero."""

    def cues(self, window: Window) -> list[Cue]:
        values: list[Any] = [NAN, {"joy": INF, "fear": 0.3}, 0.7]
        return [cue(v, {"joy": NAN}).model_copy(update={"t1_ns": window.t1_ns}) for v in values]


def test_a_report_can_be_read_again_whatever_a_perceiver_gives() -> None:
    video = spec(Kind.VIDEO, 10)
    pipeline = Pipeline(
        Config(window=WindowConfig(length_s=0.5, hop_s=0.5), respond=RespondConfig(speak=False)),
        perceivers=[Odd()],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
    )
    reports = list(run_offline([ListSource(video, samples(video, 1.0))], pipeline))
    pipeline.close()
    assert [c.value for c in reports[0].cues] == [{"fear": 0.3}, 0.7]
    again = WindowReport.model_validate_json(reports[0].line())
    assert again.cues == reports[0].cues


@pytest.mark.parametrize("rate", [NAN, INF])
def test_a_rate_that_is_none_is_unknown(rate: float) -> None:
    assert source_info(replace(spec(Kind.VIDEO, 10), rate_hz=rate)).rate_hz == 0.0
