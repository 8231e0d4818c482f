"""Small stages with known answers, for the parts of the street that join the real ones."""

from __future__ import annotations

import threading
from typing import ClassVar

import numpy as np

from thymos.align.window import Window
from thymos.contract import Conflict as NoConflict
from thymos.contract import Cue, Explanation, Guard, Modality, Response
from thymos.errors import ModelError
from thymos.reason.base import Evidence, TextSink
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec, frozen
from thymos_drivers.testing import ListSource


def spec(kind: Kind, rate: float, name: str = "") -> StreamSpec:
    shape = {Kind.VIDEO: (2, 2, 3), Kind.AUDIO: (-1, 1), Kind.GAS: (2,)}[kind]
    names = {Kind.VIDEO: "camera", Kind.AUDIO: "microphone", Kind.GAS: "enose"}
    return StreamSpec(name or names[kind], kind, rate, shape, "x", origin=Origin.RECORDED)


def samples(made: StreamSpec, seconds: float, t0_ns: int = 0) -> list[Sample]:
    """A regular stream; audio comes in blocks of 20 ms."""
    if made.kind is Kind.AUDIO:
        block = int(made.rate_hz) // 50
        step, payload = NS_PER_S // 50, np.zeros((block, 1), np.int16)
    else:
        step = int(NS_PER_S / made.rate_hz)
        payload = np.zeros(made.shape, np.uint8 if made.kind is Kind.VIDEO else np.float64)
    count = int(seconds * NS_PER_S / step)
    return [
        Sample(made.name, n, t0_ns + n * step, t0_ns + n * step, frozen(payload))
        for n in range(count)
    ]


def source(kind: Kind, rate: float, seconds: float, t0_ns: int = 0) -> ListSource:
    made = spec(kind, rate)
    return ListSource(made, samples(made, seconds, t0_ns))


class CountingPerceiver:
    """One cue a window: how many samples it saw inside it."""

    modality: ClassVar[Modality] = "face"
    kind: ClassVar[Kind] = Kind.VIDEO
    slow: ClassVar[bool] = False
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.closed = False

    def start(self, spec: StreamSpec) -> None:
        self.spec = spec

    def observe(self, sample: Sample) -> None:
        self.seen.append(sample.t_ns)

    def cues(self, window: Window) -> list[Cue]:
        inside = sum(window.t0_ns <= t < window.t1_ns for t in self.seen)
        return [
            Cue(
                id="",
                modality=self.modality,
                name="count",
                value=float(inside),
                confidence=1.0,
                t0_ns=window.t0_ns,
                t1_ns=window.t1_ns,
            )
        ]

    def close(self) -> None:
        self.closed = True


class SlowVoice(CountingPerceiver):
    modality: ClassVar[Modality] = "words"
    kind: ClassVar[Kind] = Kind.AUDIO
    slow: ClassVar[bool] = True


class Broken(CountingPerceiver):
    """Fails on every sample and every window."""

    modality: ClassVar[Modality] = "voice"
    kind: ClassVar[Kind] = Kind.AUDIO

    def observe(self, sample: Sample) -> None:
        raise RuntimeError("boom")

    def cues(self, window: Window) -> list[Cue]:
        raise RuntimeError("bang")


class Absent(CountingPerceiver):
    def start(self, spec: StreamSpec) -> None:
        raise ModelError("no weights", hint="thymos models pull")


class EchoReasoner:
    """Explains by listing its cues."""

    backend, model = "echo", "none"

    def __init__(self) -> None:
        self.evidence: list[Evidence] = []
        self.closed = False
        self.gate: threading.Event | None = None

    def explain(
        self,
        evidence: Evidence,
        *,
        cancel: threading.Event | None = None,
        on_text: TextSink | None = None,
    ) -> Explanation:
        if self.gate is not None:
            self.gate.wait(10)
        self.evidence.append(evidence)
        if on_text is not None:
            on_text("because")
        return Explanation(
            emotions=(),
            valence=None,
            arousal=None,
            steps=(),
            conflict=NoConflict(degree=0.0, modalities=()),
            modality_weights={},
            rationale=",".join(cue.id for cue in evidence.cues),
            abstained=True,
            backend=self.backend,
            model=self.model,
            parse_ok=True,
        )

    def close(self) -> None:
        self.closed = True


class PlainResponder:
    def respond(self, explanation: Explanation, evidence: Evidence) -> Response:
        return Response(
            intent="neutral",
            candidates=(),
            text="I am here.",
            text_source="template",
            gesture="none",
            guard=Guard(action="none"),
            answers=evidence.window.id,
        )

    def close(self) -> None:
        pass
