"""A run of 28 s, made by hand: a smile, words, then smoke."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from browser import Browser
from thymos.contract import WindowReport
from thymos.report import TraceCollector
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec, frozen

S = 1_000_000_000
TEXTS = ["", "", "I finally got the job, I am so happy!", "", "Wait, do you smell that?", "", ""]
JOY = [0.05, 0.3, 0.86, 0.7, 0.2, 0.1, 0.08]
FEAR = [0.02, 0.02, 0.02, 0.05, 0.45, 0.6, 0.7]


def cue(n: int, modality: str, name: str, value, t0: float, t1: float, **more) -> dict:
    base = {"id": f"w{n:06}-{modality}{name}", "modality": modality, "name": name, "value": value}
    span = {"t0_ns": int(t0 * S), "t1_ns": int(t1 * S), "confidence": more.pop("confidence", 0.8)}
    return {**base, **span, **more}


def window(n: int, words: str = "") -> WindowReport:
    """Window n of the run, [4n, 4n + 4) s."""
    t0, joy, fear = 4.0 * n, JOY[n], FEAR[n]
    danger = n >= 5
    said = TEXTS[n] or words
    cues = [
        cue(
            n,
            "face",
            "expression",
            {"joy": joy, "neutral": 1 - joy},
            t0,
            t0 + 4,
            text="mouth corners up, eyes narrowed" if joy > 0.5 else "a still face",
        ),
        cue(n, "face", "smile", joy, t0 + 1, t0 + 3, text="smile intensity", confidence=0.6),
        cue(
            n,
            "voice",
            "pitch",
            182.0 + 20 * n,
            t0 + 0.5,
            t0 + 2.5,
            unit="Hz",
            text="pitch higher than before",
        ),
        cue(n, "smell", "change", 1.0 + n / 4, t0, t0 + 4, text="resistance falls in all channels"),
    ]
    if said:
        cues.append(cue(n, "words", "transcript", said, t0 + 0.4, t0 + 3.1, untrusted=True))
    label, level1 = (
        ("alarm", "fear") if danger else (("joy", "joy") if joy > 0.5 else ("neutral", "neutral"))
    )
    steps = [
        {
            "n": 1,
            "text": "The mouth corners rise and stay up for two seconds.",
            "modality": "face",
            "t0_ns": int((t0 + 1) * S),
            "t1_ns": int((t0 + 3) * S),
            "cue_ids": [cues[1]["id"]],
        },
        {
            "n": 2,
            "text": "The voice is higher than in the windows before.",
            "modality": "voice",
            "t0_ns": int((t0 + 0.5) * S),
            "t1_ns": int((t0 + 2.5) * S),
            "cue_ids": [cues[2]["id"]],
        },
        {
            "n": 3,
            "text": "The air changed: every channel of the nose fell at once.",
            "modality": "smell",
            "t0_ns": int(t0 * S),
            "t1_ns": int((t0 + 4) * S),
            "cue_ids": [cues[3]["id"]],
        },
        {
            "n": 4,
            "text": f"Taken together this reads as {label}.",
            "modality": "fusion",
            "t0_ns": int(t0 * S),
            "t1_ns": int((t0 + 4) * S),
            "cue_ids": [c["id"] for c in cues],
        },
    ]
    stream = {"state": "present", "age_ms": 12.0, "samples": 120, "gaps": 0, "dropped": 0}
    streams = {
        "camera": {
            **stream,
            "origin": "recorded",
            "samples": 120,
            "gaps": int(n == 3),
            "dropped": 4 * (n == 3),
        },
        "microphone": {**stream, "origin": "synthesised"},
        "enose": {**stream, "origin": "simulated", "samples": 40},
    }
    if n == 3:
        streams["microphone"] = {
            **stream,
            "state": "missing",
            "samples": 0,
            "age_ms": None,
            "origin": "synthesised",
            "reason": "no sound arrived",
        }
    rest = 1 - joy - fear
    emotions = sorted(
        [
            (label if level1 == "joy" else "joy", joy, "joy"),
            ("fear", fear, "fear"),
            ("neutral", rest, "neutral"),
        ],
        key=lambda e: -e[1],
    )
    intent = "suggesting" if danger else "encouraging"
    return WindowReport.model_validate(
        {
            "window": {
                "id": f"w{n:06}",
                "t0_ns": int(t0 * S),
                "t1_ns": int((t0 + 4) * S),
                "streams": streams,
            },
            "cues": cues,
            "explanation": {
                "emotions": [{"label": a, "confidence": b, "level1": c} for a, b, c in emotions],
                "valence": joy - fear,
                "arousal": 0.2 + fear / 2,
                "steps": steps,
                "conflict": {
                    "degree": 0.1 + 0.12 * n,
                    "modalities": ["smell"] if danger else [],
                    "text": "the face smiles while the air alarms" if danger else "",
                },
                "modality_weights": {"face": 0.5, "voice": 0.3, "smell": 0.2},
                "rationale": f"The person seems to show {label}: face, voice and air say so.",
                "abstained": n == 0,
                "abstain_reason": "no face and no voice yet" if n == 0 else "",
                "backend": "rules",
                "model": "rules-1",
                "parse_ok": True,
            },
            "response": {
                "intent": intent,
                "candidates": [
                    {"intent": intent, "score": 0.7, "why": "the person is glad"},
                    {"intent": "acknowledging", "score": 0.2},
                    {"intent": "neutral", "score": 0.1},
                    {"intent": "wishing", "score": 0.05},
                    {"intent": "agreeing", "score": 0.02},
                ],
                "text": "I smell smoke. Please leave the room now and call for help."
                if danger
                else "That is wonderful, tell me more!",
                "text_source": "guard" if danger else "template",
                "gesture": "alert" if danger else "lean_in",
                "guard": {
                    "action": "warned",
                    "reason": "smoke pattern on three channels",
                    "danger": "smoke",
                }
                if danger
                else {"action": "none"},
                "spoken": f"answer-w{n:06}.wav",
            },
            "latency_ms": {
                "perceive": 31.0 + n,
                "words": 400.0 + n * 30,
                "reason": 910.0,
                "respond": 3.0,
                "total": 1344.0,
            },
            "notes": ["no language model: rules explain (thymos models pull)"],
        }
    )


SPECS = (
    StreamSpec("camera", Kind.VIDEO, 30.0, (480, 640, 3), "rgb8", origin=Origin.RECORDED,
               device="single_face.mp4"),
    StreamSpec("microphone", Kind.AUDIO, 16000.0, (-1, 1), "s16", origin=Origin.SYNTHESISED,
               device="scene.wav (hibari voice)"),
    StreamSpec("enose", Kind.GAS, 10.0, (4,), "ohm", ("CO", "NO2", "NH3", "VOC"),
               origin=Origin.SIMULATED, device="MOX model"),
)  # fmt: skip


def feed(collector: TraceCollector, seconds: int = 28) -> None:
    """Give a collector the streams of the run; four frames are lost at 13 s."""
    for spec in SPECS:
        collector.on_stream(spec)
    frame = frozen(np.zeros((4, 4, 3), np.uint8))
    for i in range(seconds * 30):
        if not 390 <= i < 394:
            collector.on_sample(Sample("camera", i, i * S // 30, i * S // 30, frame))
    noise = np.random.default_rng(7).normal(size=1600)
    for i in range(seconds * 10):
        if 12 <= i / 10 < 16:
            continue
        loud = 3000 if (i // 10) % 8 in (1, 2) else 20
        block = frozen((noise * loud).astype(np.int16).reshape(-1, 1))
        flags = Flag.GAP_BEFORE if i == 160 else Flag.OK
        collector.on_sample(Sample("microphone", i, i * S // 10, i * S // 10, block, flags))
    for i in range(seconds * 10):
        fall = np.exp(-max(0, i - 180) / 40) if i > 180 else 1.0
        values = np.array([21e3, 40e3, 300e3, 90e3]) * (
            1 - (1 - fall) * np.array([0.7, 0.3, 0.5, 0.85])
        )
        collector.on_sample(Sample("enose", i, i * S // 10, i * S // 10, frozen(values)))


@pytest.fixture
def reports() -> list[WindowReport]:
    return [window(n) for n in range(7)]


@pytest.fixture
def collector() -> TraceCollector:
    made = TraceCollector()
    feed(made)
    return made


@pytest.fixture
def chromium() -> str:
    """Path of a headless-capable Chromium, or skip."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine (apt-get install chromium)")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    import wave

    path = tmp_path / "answer-w000002.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        tone = np.sin(np.arange(16000) * 0.2) * 3000
        file.writeframes(tone.astype("<i2").tobytes())
    return path


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[Browser]:
    made = Browser(chromium, tmp_path / "profile")
    yield made
    made.close()
