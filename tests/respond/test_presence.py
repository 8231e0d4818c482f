"""An answer into an empty room is noise; talk about prevention is no alarm."""

from __future__ import annotations

import pytest

from thymos.contract import Cue, StreamState, WindowInfo
from thymos.reason import RulesReasoner, fuse
from thymos.reason.base import Evidence
from thymos.respond.guard import alarm
from thymos.respond.responder import StreetResponder

SECOND = 10**9


def cue(modality: str, name: str, value: float | str, **more: object) -> Cue:
    return Cue.model_validate(
        {"id": "c1", "modality": modality, "name": name, "value": value, "confidence": 0.8,
         "t0_ns": 0, "t1_ns": SECOND, **more}
    )  # fmt: skip


def evidence(*cues: Cue) -> Evidence:
    present = StreamState(state="present", age_ms=0.0, samples=1, gaps=0, dropped=0)
    window = WindowInfo(id="w000000", t0_ns=0, t1_ns=4 * SECOND, streams={"microphone": present})
    return Evidence(window, cues, fuse(cues))


@pytest.mark.parametrize(
    ("cues", "answers"),
    [
        ((), False),
        ((cue("voice", "activity", 0.0), cue("voice", "sound", -24.0)), False),
        ((cue("smell", "change", 0.2),), False),
        ((cue("voice", "activity", 0.4),), True),
        ((cue("face", "in_view", 1.0),), True),
        ((cue("words", "transcript", "hello there", untrusted=True),), True),
    ],
)
def test_it_answers_only_when_somebody_is_there(cues: tuple[Cue, ...], answers: bool) -> None:
    given = evidence(*cues)
    response = StreetResponder().respond(RulesReasoner().explain(given), given)
    assert bool(response.text) is answers
    assert answers or response.guard.reason == "nobody was seen or heard"


@pytest.mark.parametrize(
    ("said", "danger"),
    [
        ("I think about suicide", "harm"),
        ("Suicide prevention centers and speed dating sessions", None),
        ("I feel suicidal and call the suicide hotline", "harm"),
    ],
)
def test_talk_about_prevention_is_no_alarm(said: str, danger: str | None) -> None:
    found = alarm(evidence(cue("words", "transcript", said, untrusted=True)))
    assert (found.danger if found else None) == danger
