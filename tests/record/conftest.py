"""Samples of all kinds for recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thymos.contract import (
    Asked,
    Conflict,
    Cue,
    EmotionGuess,
    Explanation,
    Guard,
    IntentScore,
    Response,
    Step,
    TreeNode,
    WindowInfo,
    WindowReport,
)
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec

MS = 1_000_000
S = 1_000_000_000
START = 12_345 * S

CAMERA = StreamSpec(
    "camera", Kind.VIDEO, 30.0, (48, 64, 3), "rgb8", frame_id="camera_optical", device="cam 1"
)
MICROPHONE = StreamSpec(
    "microphone", Kind.AUDIO, 16_000.0, (-1, 2), "s16", ("left", "right"), "mic_link"
)
ENOSE = StreamSpec(
    "enose",
    Kind.GAS,
    10.0,
    (3,),
    "ohm",
    ("NO2", "CO", "VOC"),
    "enose_link",
    Origin.SIMULATED,
    "sim nose",
    {"firmware": "1.2", "serial": "ä7"},
)
SPECS = (CAMERA, MICROPHONE, ENOSE)


def scene(seconds: float = 2.0) -> list[Sample]:
    """Pictures, sound and gas with flags, gaps and NaN, in order of arrival."""
    rng = np.random.default_rng(3)
    made: list[Sample] = []

    def add(spec: StreamSpec, i: int, t: int, payload: np.ndarray, late: int, **more: object):
        flags = Flag(int(more.get("flags", 0)))  # type: ignore[call-overload]
        note = str(more.get("note", ""))
        made.append(Sample(spec.name, i, START + t, START + t + late, payload, flags, note))

    for i in range(int(seconds * 30)):
        y, x = np.mgrid[0:48, 0:64]
        picture = np.stack([x * 3, y * 4, (x + i) * 2], axis=-1).astype(np.uint8)
        odd = {"flags": Flag.GAP_BEFORE | Flag.CLIPPED, "note": "dark"} if i == 7 else {}
        add(CAMERA, i + (i > 20), round(i * S / 30), picture, 12 * MS, **odd)
    for i in range(int(seconds * 50)):
        pcm = rng.integers(-32768, 32768, (320, 2)).astype(np.int16)
        add(MICROPHONE, i, i * 20 * MS, pcm, 25 * MS, flags=Flag.CLIPPED if i == 3 else 0)
    for i in range(int(seconds * 10)):
        values = rng.normal(10_000, 300, 3)
        values[1] = np.nan if i == 4 else values[1]
        odd = {"flags": Flag.WARMUP, "note": "warming up"} if i < 3 else {}
        add(ENOSE, i + 2**40, i * 100 * MS, values, 70 * MS, **odd)
    return sorted(made, key=lambda s: (s.t_recv_ns, s.stream))


@pytest.fixture
def specs() -> dict[str, StreamSpec]:
    return {s.name: s for s in SPECS}


@pytest.fixture
def samples() -> list[Sample]:
    return scene()


@pytest.fixture
def record(tmp_path, samples) -> Callable[..., object]:
    """Record the scene and return the path of the file."""
    from thymos.config import RecordConfig
    from thymos.record import Recorder

    def make(name: str = "session.mcap", **config: object):
        with Recorder(tmp_path / name, RecordConfig(**config)) as recorder:  # type: ignore[arg-type]
            for spec in SPECS:
                recorder.on_stream(spec)
            for sample in samples:
                recorder.on_sample(sample)
        assert not any(recorder.dropped.values())
        return recorder.path

    return make


@pytest.fixture
def report() -> WindowReport:
    """A report with words in every place that can hold some."""
    words = "the alarm code is 4711"
    asked = Asked(prompt="explain-2", text=f"They said: {words}", answer=words.upper())
    span: dict[str, Any] = {"t0_ns": 0, "t1_ns": 4 * S}
    smile = Cue(
        id="c1",
        modality="face",
        name="expression",
        value="smile",
        confidence=0.9,
        text="a smile",
        valence=0.4,
        **span,
    )
    heard = Cue(
        id="c2",
        modality="words",
        name="transcript",
        value=words,
        confidence=1,
        text=f'said "{words}"',
        untrusted=True,
        **span,
    )
    leaf = TreeNode(level="attribute", label=words, cue_ids=("c2",))
    return WindowReport(
        window=WindowInfo(id="w000000", streams={}, **span),
        cues=(smile, heard),
        explanation=Explanation(
            emotions=(EmotionGuess(label="joy", confidence=0.7, level1="joy"),),
            valence=0.2,
            arousal=0.1,
            steps=(
                Step(n=1, text=f"said {words}", modality="words", cue_ids=("c2",), **span),
                Step(n=2, text=f"{words}: joy", modality="fusion", cue_ids=("c1", "c2"), **span),
            ),
            tree=(TreeNode(level="emotion", label="joy", children=(leaf,)),),
            conflict=Conflict(degree=0.1, modalities=(), text=f"the face denies {words}"),
            modality_weights={"face": 0.5, "words": 0.5},
            rationale=f"They smile and say {words}.",
            abstained=False,
            abstain_reason=words,
            backend="llama",
            model="small",
            parse_ok=True,
            fallback=f"no JSON: {words}",
            asked=asked,
        ),
        response=Response(
            intent="neutral",
            candidates=(IntentScore(intent="wishing", score=0.1, why=words),),
            text=f"You said {words}?",
            text_source="model",
            gesture="nod",
            guard=Guard(action="replaced", reason=f"repeats {words}", danger="harm"),
            asked=asked,
        ),
        latency_ms={"total": 12.5},
    )
