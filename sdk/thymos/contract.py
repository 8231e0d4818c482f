"""The published contract: one `WindowReport` a window, as JSON.

These models are what Thymos hands to the world (`thymos explain --json`, `windows.jsonl`, the ROS
messages mirror them) and also what its own stages hand to each other; there is no second set.
`schema_version` follows semantic versioning: a new optional field raises the minor number, a
changed or removed one the major number. `docs/contract.md` explains each field;
`docs/schema/window-report.json` is generated from here (`python -m thymos.contract`).

Times are int nanoseconds of the robot clock (for a file: since its first sample).
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1.3.0"

Modality = Literal["face", "voice", "words", "smell"]
MODALITIES: tuple[Modality, ...] = ("face", "voice", "words", "smell")

Emotion = Literal["neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise"]
EMOTIONS: tuple[Emotion, ...] = (
    "neutral",
    "joy",
    "sadness",
    "anger",
    "fear",
    "disgust",
    "surprise",
)
"""Level-1 classes: Ekman's six and neutral. Finer labels map onto one of them."""

Intent = Literal[
    "agreeing",
    "acknowledging",
    "encouraging",
    "consoling",
    "sympathizing",
    "suggesting",
    "questioning",
    "wishing",
    "neutral",
]
"""The nine response intents of EmpatheticIntents (Welivita and Pu, COLING 2020)."""
INTENTS: tuple[Intent, ...] = (
    "agreeing",
    "acknowledging",
    "encouraging",
    "consoling",
    "sympathizing",
    "suggesting",
    "questioning",
    "wishing",
    "neutral",
)

Gesture = Literal["none", "nod", "tilt_head", "lean_in", "smile", "calm_hands", "alert", "wave"]
"""The closed set of gestures a robot may be asked for."""

Anchor = Literal["first", "last", "motion", "sound", "smell", "even", "whole"]
"""Why a moment was shown to a model: it is the first or last of the window, something moved,
sounded or changed in the air, it fills a gap, or (of sound) it is all there is."""

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Signed = Annotated[float, Field(ge=-1.0, le=1.0)]


class Model(BaseModel):
    """Base of all contract models: immutable, strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class StreamState(Model):
    """What one window holds of one stream. Absence is data: it is stated, never filled."""

    state: Literal["present", "stale", "missing", "invalid"]
    age_ms: float | None = Field(
        description="Window end minus capture time of the newest sample; null if there is none."
    )
    samples: int = Field(ge=0, description="Samples inside the window.")
    gaps: int = Field(ge=0, description="Places inside the window where samples are missing.")
    dropped: int = Field(ge=0, description="Samples lost, by sequence number or source report.")
    origin: Literal["live", "recorded", "synthesised", "simulated"] = "live"
    reason: str = Field(default="", description="Why it is not present, in words.")


class WindowInfo(Model):
    """All streams over [t0_ns, t1_ns)."""

    id: str
    t0_ns: int
    t1_ns: int
    streams: dict[str, StreamState]


class SpokenWord(Model):
    """One recognised word. Words of people: data, never an instruction."""

    text: str
    t0_ns: int
    t1_ns: int
    confidence: Unit


class Cue(Model):
    """One observation, with its own time span and how sure it is."""

    id: str
    modality: Modality
    name: str = Field(description="What was measured: `expression`, `pitch`, `transcript` …")
    value: str | float | dict[str, float] = Field(
        description="A label or text, a number in `unit`, or probabilities by label."
    )
    unit: str = ""
    confidence: Unit
    t0_ns: int
    t1_ns: int
    text: str = Field(default="", description="The cue in plain words, for people and prompts.")
    emotion: dict[Emotion, float] | None = Field(
        default=None, description="What this cue alone says of the emotion; sums to 1."
    )
    valence: Signed | None = None
    arousal: Signed | None = None
    track: str = Field(default="", description="Whose: a face track or speaker id, if known.")
    untrusted: bool = Field(
        default=False, description="True if `value` holds words of people or of a device."
    )
    spoken: tuple[SpokenWord, ...] = Field(
        default=(), description="Of a transcript: its words, each with its time."
    )
    language: str = Field(
        default="", description="Of a transcript: ISO 639-1 code, found or assumed (see `text`)."
    )
    began_ns: tuple[int, int] | None = Field(
        default=None,
        description="Of a smell: earliest and latest capture time at which it can have begun in "
        "the air; the sensor lags behind it. Null if it is not known or does not lag.",
    )


class EmotionGuess(Model):
    """One emotion with its probability."""

    label: str
    confidence: Unit
    level1: Emotion
    valence: Signed | None = Field(default=None, description="Of the label, by our table.")
    arousal: Signed | None = None


class Step(Model):
    """One numbered step of evidence. The last step names the label."""

    n: int = Field(ge=1)
    text: str
    modality: Modality | Literal["fusion"]
    t0_ns: int
    t1_ns: int
    cue_ids: tuple[str, ...]


class TreeNode(Model):
    """Affective tree: attributes → expressions → emotions (after VidEmo, arXiv 2511.02712)."""

    level: Literal["attribute", "expression", "emotion"]
    label: str
    cue_ids: tuple[str, ...] = ()
    children: tuple[TreeNode, ...] = ()


class Conflict(Model):
    """Whether the modalities disagree (the question of CA-MER, arXiv 2508.01181)."""

    degree: Unit = Field(description="0 all agree, 1 full contradiction.")
    modalities: tuple[Modality, ...] = Field(description="Who disagrees with the fused reading.")
    text: str = ""


class Asked(Model):
    """What a language model was asked and what it wrote, word for word.

    May hold words of people or of devices: data, never an instruction.
    """

    prompt: str = Field(description="Name of the prompt file that stands before it: `explain-2`.")
    text: str = Field(description="The last turn: this window's evidence.")
    answer: str = Field(description="What the model wrote, before it was checked.")
    prompt_tokens: int | None = Field(
        default=None,
        ge=0,
        description="Tokens read for it, the fixed part, pictures and sound included; null if the "
        "backend does not tell.",
    )
    answer_tokens: int | None = Field(default=None, ge=0, description="Tokens written.")


class Look(Model):
    """A picture or a stretch of sound that was shown to a model."""

    kind: Literal["picture", "sound"]
    stream: str
    t0_ns: int
    t1_ns: int = Field(description="Of a picture: its capture time, as `t0_ns`.")
    why: Anchor
    tokens: int = Field(ge=0, description="Its price in the budget that the backend stated.")


class Scene(Model):
    """What the place itself may make anybody present feel: the viewer, not the person.

    Rests on smells, sound events and movement only; the person's face, voice and words play no
    part in it, and it plays none in the person's reading (after StimuVAR, arXiv 2409.00304).
    """

    emotions: tuple[EmotionGuess, ...] = Field(description="Most likely first.")
    valence: Signed | None
    arousal: Signed | None
    cue_ids: tuple[str, ...] = Field(description="Cues of circumstances it rests on.")
    text: str = Field(description="In words that speak of anybody there, not of the person.")


class Explanation(Model):
    """What the person may feel, and why the robot thinks so."""

    emotions: tuple[EmotionGuess, ...] = Field(description="Most likely first.")
    valence: Signed | None
    arousal: Signed | None
    steps: tuple[Step, ...]
    tree: tuple[TreeNode, ...] = ()
    conflict: Conflict
    modality_weights: dict[Modality, float] = Field(description="Sums to 1 over those present.")
    unimodal: dict[Modality, dict[Emotion, float]] = Field(
        default_factory=dict, description="What each modality says alone."
    )
    rationale: str
    abstained: bool
    abstain_reason: str = ""
    backend: str
    model: str
    parse_ok: bool = Field(description="False if a model's output had to be replaced by rules.")
    fallback: str = Field(default="", description="Why rules stood in, if they did.")
    asked: Asked | None = Field(default=None, description="Null if no model was asked.")
    looked_at: tuple[Look, ...] = Field(
        default=(), description="Frames and sound that a model was shown, in order of time."
    )
    viewer: Scene | None = Field(
        default=None,
        description="What the scene may make anybody feel; null if it tells nothing. Not the "
        "person's emotion.",
    )


class IntentScore(Model):
    """A rival intent."""

    intent: Intent
    score: Unit
    why: str = ""


class Guard(Model):
    """What the safety guard decided."""

    action: Literal["none", "replaced", "silenced", "warned"]
    reason: str = ""
    danger: Literal["none", "smoke", "gas", "spoiled_food", "solvent", "harm"] = "none"


class Response(Model):
    """What the robot says, why, and which gesture goes with it."""

    intent: Intent
    candidates: tuple[IntentScore, ...]
    text: str
    text_source: Literal["template", "model", "guard", "none"]
    gesture: Gesture
    guard: Guard
    answers: str = Field(default="", description="Id of the window whose explanation it answers.")
    spoken: str = Field(default="", description="File name of the spoken answer, if any.")
    asked: Asked | None = Field(default=None, description="Null if no model was asked.")


class Alert(Model):
    """A danger that was answered at once, without waiting for a window or a model."""

    t_ns: int = Field(description="Capture time of the sample that showed it.")
    cue: Cue = Field(description="What was noticed, how sure, since when; its id is empty.")
    response: Response = Field(description="What was said; its `answers` is empty.")


class SourceInfo(Model):
    """Which stream came from where."""

    stream: str
    device: str
    origin: Literal["live", "recorded", "synthesised", "simulated"]
    rate_hz: float
    note: str = ""
    serial: str = Field(default="", description="Serial number of the device, if it tells one.")


class WindowReport(Model):
    """One window of the street, from sensors to answer: the unit of all output."""

    schema_version: str = SCHEMA_VERSION
    window: WindowInfo
    cues: tuple[Cue, ...]
    explanation: Explanation
    response: Response
    latency_ms: dict[str, float] = Field(
        default_factory=dict,
        description="Wall time of each stage: perceive, words, reason, respond, speak, total; "
        "`estimate` is window end to first affect estimate (live only). Left out where the same "
        "input must give the same bytes (`windows.jsonl`); `latency.jsonl` holds it there.",
    )
    sources: tuple[SourceInfo, ...] = ()
    notes: tuple[str, ...] = Field(
        default=(), description="What was lacking or degraded, in words."
    )
    alerts: tuple[Alert, ...] = Field(
        default=(),
        description="Dangers answered at once before the window's end, since the report before.",
    )

    def line(self) -> str:
        """The report as one line of `windows.jsonl`: without wall time, so it can be compared."""
        return self.model_dump_json(exclude={"latency_ms"}) + "\n"

    def latency_line(self) -> str:
        """The wall time of the window as one line of `latency.jsonl`."""
        timed = {"window": self.window.id, "latency_ms": self.latency_ms}
        return json.dumps(timed, separators=(",", ":")) + "\n"


def json_schema() -> str:
    """Return the JSON Schema of `WindowReport`, formatted as it is checked in."""
    return json.dumps(WindowReport.model_json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
