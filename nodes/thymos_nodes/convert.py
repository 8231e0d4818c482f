"""Contract ↔ messages: what was perceived (windows, cues, affect), both ways, nothing lost.

Explanations and answers are in `convert_answers`. An unknown number is None in the contract and NaN
in a message; a mapping becomes a list of `LabelScore` in the order of the mapping.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from std_msgs.msg import Header
from thymos_msgs import msg

from thymos import contract
from thymos.reason.base import Affect, Evidence
from thymos_nodes.ros_time import to_msg, to_ns

NAN = float("nan")


def header(t_ns: int, frame_id: str = "") -> Header:
    """A header; `t_ns` is a capture time in ROS time."""
    return Header(stamp=to_msg(t_ns), frame_id=frame_id)


def number_to_msg(value: float | None) -> float:
    """None → NaN."""
    return NAN if value is None else float(value)


def number_from_msg(value: float) -> float | None:
    """NaN → None."""
    return None if math.isnan(value) else float(value)


def scores_to_msg(scores: Mapping[Any, float] | None) -> list[msg.LabelScore]:
    """A mapping from label to number."""
    return [msg.LabelScore(label=k, score=float(v)) for k, v in (scores or {}).items()]


def scores_from_msg(scores: Iterable[msg.LabelScore]) -> dict[Any, float]:
    """The way back."""
    return {s.label: float(s.score) for s in scores}


def latency_to_msg(latency_ms: Mapping[str, float]) -> list[msg.StageLatency]:
    """Wall times by stage."""
    return [msg.StageLatency(stage=k, ms=float(v)) for k, v in latency_ms.items()]


def latency_from_msg(stages: Iterable[msg.StageLatency]) -> dict[str, float]:
    """The way back."""
    return {s.stage: float(s.ms) for s in stages}


def stream_to_msg(name: str, state: contract.StreamState) -> msg.StreamState:
    """One stream of a window."""
    return msg.StreamState(
        name=name,
        state=state.state,
        age_ms=number_to_msg(state.age_ms),
        samples=state.samples,
        gaps=state.gaps,
        dropped=state.dropped,
        origin=state.origin,
        reason=state.reason,
    )


def stream_from_msg(m: msg.StreamState) -> contract.StreamState:
    """The way back; the name is beside it."""
    return contract.StreamState(
        state=m.state,
        age_ms=number_from_msg(m.age_ms),
        samples=m.samples,
        gaps=m.gaps,
        dropped=m.dropped,
        origin=m.origin,
        reason=m.reason,
    )


def cue_to_msg(cue: contract.Cue) -> msg.Cue:
    """One cue."""
    made = msg.Cue(
        id=cue.id,
        modality=cue.modality,
        name=cue.name,
        unit=cue.unit,
        confidence=float(cue.confidence),
        t0=to_msg(cue.t0_ns),
        t1=to_msg(cue.t1_ns),
        text=cue.text,
        emotion=scores_to_msg(cue.emotion),
        valence=number_to_msg(cue.valence),
        arousal=number_to_msg(cue.arousal),
        track=cue.track,
        untrusted=cue.untrusted,
        spoken=[
            msg.SpokenWord(
                text=w.text,
                t0=to_msg(w.t0_ns),
                t1=to_msg(w.t1_ns),
                confidence=float(w.confidence),
            )
            for w in cue.spoken
        ],
        language=cue.language,
        began=[to_msg(t_ns) for t_ns in cue.began_ns or ()],
    )
    if isinstance(cue.value, str):
        made.value_type, made.text_value = msg.Cue.VALUE_TEXT, cue.value
    elif isinstance(cue.value, Mapping):
        made.value_type, made.score_values = msg.Cue.VALUE_SCORES, scores_to_msg(cue.value)
    else:
        made.value_type, made.number_value = msg.Cue.VALUE_NUMBER, float(cue.value)
    return made


def cue_from_msg(m: msg.Cue) -> contract.Cue:
    """The way back."""
    value: str | float | dict[str, float] = m.text_value
    if m.value_type == msg.Cue.VALUE_NUMBER:
        value = float(m.number_value)
    elif m.value_type == msg.Cue.VALUE_SCORES:
        value = scores_from_msg(m.score_values)
    return contract.Cue(
        id=m.id,
        modality=m.modality,
        name=m.name,
        value=value,
        unit=m.unit,
        confidence=m.confidence,
        t0_ns=to_ns(m.t0),
        t1_ns=to_ns(m.t1),
        text=m.text,
        emotion=scores_from_msg(m.emotion) or None,
        valence=number_from_msg(m.valence),
        arousal=number_from_msg(m.arousal),
        track=m.track,
        untrusted=m.untrusted,
        spoken=tuple(
            contract.SpokenWord(
                text=w.text, t0_ns=to_ns(w.t0), t1_ns=to_ns(w.t1), confidence=w.confidence
            )
            for w in m.spoken
        ),
        language=m.language,
        began_ns=(to_ns(m.began[0]), to_ns(m.began[1])) if len(m.began) == 2 else None,
    )


def unimodal_to_msg(readings: Mapping[Any, Mapping[Any, float]]) -> list[msg.ModalityReading]:
    """One row of scores a modality."""
    return [
        msg.ModalityReading(modality=modality, emotions=scores_to_msg(emotions))
        for modality, emotions in readings.items()
    ]


def unimodal_from_msg(readings: Iterable[msg.ModalityReading]) -> dict[Any, dict[Any, float]]:
    """The way back."""
    return {r.modality: scores_from_msg(r.emotions) for r in readings}


def affect_to_msg(affect: Affect) -> msg.Affect:
    """The fused estimate."""
    return msg.Affect(
        fused=scores_to_msg(affect.fused),
        unimodal=unimodal_to_msg(affect.unimodal),
        weights=scores_to_msg(affect.weights),
        valence=number_to_msg(affect.valence),
        arousal=number_to_msg(affect.arousal),
        conflict=float(affect.conflict),
        dissenting=list(affect.dissenting),
    )


def affect_from_msg(m: msg.Affect) -> Affect:
    """The way back."""
    return Affect(
        fused=scores_from_msg(m.fused),
        unimodal=unimodal_from_msg(m.unimodal),
        weights=scores_from_msg(m.weights),
        valence=number_from_msg(m.valence),
        arousal=number_from_msg(m.arousal),
        conflict=float(m.conflict),
        dissenting=tuple(m.dissenting),
    )


def source_to_msg(info: contract.SourceInfo) -> msg.SourceInfo:
    """Where a stream comes from."""
    return msg.SourceInfo(
        stream=info.stream,
        device=info.device,
        origin=info.origin,
        rate_hz=float(info.rate_hz),
        note=info.note,
        serial=info.serial,
    )


def source_from_msg(m: msg.SourceInfo) -> contract.SourceInfo:
    """The way back."""
    return contract.SourceInfo(
        stream=m.stream,
        device=m.device,
        origin=m.origin,
        rate_hz=m.rate_hz,
        note=m.note,
        serial=m.serial,
    )


def window_to_msg(
    evidence: Evidence,
    *,
    complete: bool,
    sources: Iterable[contract.SourceInfo] = (),
    latency_ms: Mapping[str, float] | None = None,
    notes: Iterable[str] = (),
) -> msg.PerceptionWindow:
    """A window with what was perceived in it. Its stamp is the end of the window."""
    window = evidence.window
    return msg.PerceptionWindow(
        header=header(window.t1_ns),
        id=window.id,
        t0=to_msg(window.t0_ns),
        t1=to_msg(window.t1_ns),
        streams=[stream_to_msg(name, state) for name, state in window.streams.items()],
        cues=[cue_to_msg(c) for c in evidence.cues],
        affect=affect_to_msg(evidence.affect),
        complete=complete,
        sources=[source_to_msg(s) for s in sources],
        latency=latency_to_msg(latency_ms or {}),
        notes=list(notes),
    )


def window_from_msg(m: msg.PerceptionWindow) -> Evidence:
    """What a reasoner needs of a window."""
    return Evidence(
        window=contract.WindowInfo(
            id=m.id,
            t0_ns=to_ns(m.t0),
            t1_ns=to_ns(m.t1),
            streams={s.name: stream_from_msg(s) for s in m.streams},
        ),
        cues=tuple(cue_from_msg(c) for c in m.cues),
        affect=affect_from_msg(m.affect),
    )
