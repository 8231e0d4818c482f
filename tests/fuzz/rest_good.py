"""Good inputs for `fuzz_rest`: samples of three streams, a window with something in every place."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import thymos.contract as c
from thymos.contract import WindowReport
from thymos.samples import NS_PER_S, Flag, Kind, Origin, Sample, StreamSpec

GAS = StreamSpec(
    name="enose", kind=Kind.GAS, rate_hz=10.0, shape=(3,), unit="ohm",
    channels=("NO2", "CO", "temperature"), frame_id="enose_link", origin=Origin.LIVE, device="n",
)  # fmt: skip
VIDEO = StreamSpec(
    name="camera", kind=Kind.VIDEO, rate_hz=10.0, shape=(16, 24, 3), unit="rgb8",
    channels=("r", "g", "b"), frame_id="camera_color_optical_frame", origin=Origin.LIVE, device="c",
)  # fmt: skip
SOUND = StreamSpec(
    name="microphone", kind=Kind.AUDIO, rate_hz=16000.0, shape=(-1, 2), unit="s16",
    channels=("l", "r"), frame_id="mic_link", origin=Origin.LIVE, device="m",
)  # fmt: skip
SPECS = (VIDEO, SOUND, GAS)
CODINGS = {Kind.VIDEO: ("raw", "mjpeg", "h264"), Kind.AUDIO: ("pcm", "flac"), Kind.GAS: ("plain",)}


def payload_of(spec: StreamSpec, n: int) -> Any:
    """A small payload."""
    rng = np.random.default_rng(n)
    if spec.kind is Kind.VIDEO:
        return rng.integers(0, 255, (16, 24, 3), np.uint8)
    if spec.kind is Kind.AUDIO:
        return rng.integers(-999, 999, (40, 2)).astype(np.int16)
    return rng.normal(1e4, 10, 3)


def samples_of(spec: StreamSpec, count: int) -> list[Sample]:
    """Samples, ten a second."""
    return [
        Sample(spec.name, n, 10**9 + n * 10**8, 10**9 + n * 10**8, payload_of(spec, n), Flag.OK)
        for n in range(count)
    ]


def check(kind: Kind, payload: Any) -> None:
    """A payload is what `Kind` says."""
    if kind is Kind.AUDIO:
        assert (payload.dtype, payload.ndim) == (np.int16, 2)
    elif kind is Kind.GAS:
        assert (payload.dtype, payload.ndim) == (np.float64, 1)
    elif payload.ndim == 2:
        assert payload.dtype == np.uint16  # depth
    else:
        assert (payload.dtype, payload.ndim, payload.shape[-1]) == (np.uint8, 3, 3)


@cache
def report() -> WindowReport:
    """A window with something in every place."""
    span: dict[str, Any] = {"t0_ns": 0, "t1_ns": 4 * NS_PER_S}
    cues = (
        c.Cue(id="c1", modality="face", name="expression", value={"joy": 0.9, "anger": 0.1},
              confidence=0.9, text="a smile", valence=0.4, emotion={"joy": 1.0}, **span),
        c.Cue(id="c2", modality="words", name="transcript", value="hello", confidence=1,
              text='said "hello"', untrusted=True, **span),
        c.Cue(id="c3", modality="smell", name="change", value=0.3, unit="log ratio",
              confidence=0.4, text="a change of the air", **span),
    )  # fmt: skip
    leaf = c.TreeNode(level="attribute", label="hello", cue_ids=("c2",))
    state = c.StreamState(state="present", age_ms=3.0, samples=5, gaps=0, dropped=0, origin="live")
    return WindowReport(
        window=c.WindowInfo(id="w000000", streams={"camera": state}, **span),
        sources=(c.SourceInfo(stream="camera", device="cam", origin="live", rate_hz=30.0),),
        cues=cues,
        explanation=c.Explanation(
            emotions=(c.EmotionGuess(label="joy", confidence=0.7, level1="joy"),),
            valence=0.2,
            arousal=0.1,
            steps=(c.Step(n=1, text="smiles", modality="face", cue_ids=("c1",), **span),),
            tree=(c.TreeNode(level="emotion", label="joy", children=(leaf,)),),
            conflict=c.Conflict(degree=0.1, modalities=("face",), text="they disagree"),
            modality_weights={"face": 0.5, "words": 0.5},
            unimodal={"face": {"joy": 1.0}},
            rationale="They smile.",
            abstained=False,
            backend="rules",
            model="",
            parse_ok=True,
        ),
        response=c.Response(
            intent="neutral",
            candidates=(c.IntentScore(intent="wishing", score=0.1, why="so"),),
            text="Hello?",
            text_source="model",
            gesture="nod",
            guard=c.Guard(action="replaced", reason="repeats", danger="harm"),
        ),
        latency_ms={"total": 12.5},
    )


def reports() -> list[bytes]:
    """Two lines of a golden file."""
    return [report().line().encode() * 2]
