"""Smelling: what has changed in the air, since when, and what it may be."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue, Modality
from thymos.devices import stored_calibration
from thymos.perceive.clean_air import (
    F64,
    Baseline,
    Prototypes,
    load_clean_air,
    prototypes,
    response,
)
from thymos.perceive.face_cues import into
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec, gas_channels

CLEAN_AIR = "enose-clean-air"
"""The kind of calibration that is looked for."""
MIN_CHANGE = 0.08
"""Smallest response that counts; below it MOX sensors drift and answer humidity."""
NOISE_TIMES = 6.0
READINGS_ON = 3  # in a row, so that one bad reading is no smell
FADING = 0.92  # of the peak: the source is gone, the sensor recovers
AGAIN = 1.1  # of the old peak: it comes back after it had begun to fade
SMOOTH_NS = 2 * NS_PER_S
CLEARED = 0.5  # of the threshold
SHARPNESS = 25.0  # of the softmax over cosines; 0.04 of cosine is a factor of e
MIN_COSINE = 0.9
KEEP_NS = 130 * NS_PER_S
FADED = 0.55  # how much less sure a class is once the smell fades: sensors remember
_HINTS = {
    "co": "smoke or another combustion gas",
    "ch4": "a combustible gas",
    "lpg": "a combustible gas",
    "h2": "a combustible gas",
}
"""What it possibly is when the sensor made for a gas answers most, without learnt patterns."""
LAG = "such sensors lag the air by seconds to a minute"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading against clean air: response of each channel, NaN where invalid."""

    t_ns: int
    response: F64
    why_invalid: str


@dataclass(slots=True)
class Odour:
    """A smell from its onset until the air is clean again; `level` and `peak` in thresholds."""

    onset_ns: int
    known_ns: int  # when there were enough readings to be sure of the onset
    last_ns: int
    level: float
    peak: float
    fading_ns: int | None = None
    cleared_ns: int | None = None


class SmellPerceiver:
    """Compares each reading with clean air.

    Args:
        config: `clean_air` names the calibration file, or is `stored`: the newest of this nose.
            Without one the first five seconds are taken for clean air, and cues are less sure.

    Attributes:
        notes: What was lacking in the window last asked for, in words.
    """

    modality: ClassVar[Modality] = "smell"
    kind: ClassVar[Kind] = Kind.GAS
    slow: ClassVar[bool] = False

    def __init__(self, config: PerceiveConfig) -> None:
        self._clean_air = config.clean_air
        self._spec: StreamSpec | None = None
        self._patterns: Prototypes | None = None
        self._readings: deque[Reading] = deque(maxlen=20_000)
        self._odours: deque[Odour] = deque(maxlen=100)
        self._above = 0
        self.notes: tuple[str, ...] = ()

    def start(self, spec: StreamSpec) -> None:
        """Read the calibration. Temperature, humidity and pressure are no gas: they are left out.

        Raises:
            ConfigError: The calibration file is wrong or belongs to another nose.
        """
        self._all = len(spec.channels)
        self._gas = list(gas_channels(spec))
        names = tuple(spec.channels[i] for i in self._gas)
        spec = replace(spec, channels=names, shape=(len(names),))
        path = Path(self._clean_air)
        if self._clean_air == "stored":
            path = stored_calibration(CLEAN_AIR, spec)
        clean = load_clean_air(path, spec) if self._clean_air else None
        self._spec = spec
        self._baseline = Baseline(spec, clean)
        self._patterns = prototypes(clean, spec)

    def observe(self, sample: Sample) -> None:
        """Take a reading in."""
        if self._spec is None:
            return
        values = np.asarray(sample.payload, dtype=np.float64).ravel()
        fits = len(values) == self._all
        values = values[self._gas] if fits else values
        bad = Flag.INVALID in sample.flags or not np.isfinite(values).any()
        if bad or not fits:
            why = sample.note or "the reading is invalid"
            self._readings.append(Reading(sample.t_ns, np.full(self._width, np.nan), why))
            return
        if Flag.WARMUP in sample.flags:
            self._readings.append(
                Reading(sample.t_ns, np.full(self._width, np.nan), "the nose is warming up")
            )
            return
        if self._baseline.level is None:
            self._baseline.learn(sample.t_ns, values)
            return
        answer = response(values, self._baseline.level, self._spec.unit)
        self._readings.append(Reading(sample.t_ns, answer, sample.note))
        self._track(sample.t_ns, answer)
        self._baseline.follow(sample.t_ns, values, smelling=self._current is not None)
        while self._readings[0].t_ns < sample.t_ns - KEEP_NS:
            self._readings.popleft()

    def cues(self, window: Window) -> list[Cue]:
        """Sum up the window."""
        self.notes = ()
        if self._spec is None:
            return []
        if self._baseline.level is None:
            self.notes = ("the nose is still learning what clean air is",)
            return []
        past = [r for r in self._readings if r.t_ns < window.t1_ns]
        self._note_invalid([r for r in past if r.t_ns >= window.t0_ns])
        usable = [r for r in past if np.isfinite(r.response).any()]
        if not usable:
            return []
        last = usable[-1]
        odours = [o for o in self._odours if self._touches(o, window)]
        found = [self._change(last, window)]
        for odour in odours:
            found += self._events(odour, window)
        if odours and odours[-1].cleared_ns is None and last.t_ns >= window.t0_ns:
            found.append(self._class(odours[-1], last))
            found += self._possible_danger(odours[-1], last)
        return found

    def close(self) -> None:
        """Nothing to let go."""

    @property
    def _width(self) -> int:
        return len(self._spec.channels) if self._spec else 0

    @property
    def _current(self) -> Odour | None:
        newest = self._odours[-1] if self._odours else None
        return newest if newest is not None and newest.cleared_ns is None else None

    @property
    def _sure(self) -> float:
        """How far the baseline itself can be trusted."""
        return 0.8 if self._baseline.calibrated else 0.45

    def _strength(self, answer: F64) -> float:
        """The largest response, in thresholds of its channel."""
        assert self._baseline.level is not None  # noqa: S101
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = NOISE_TIMES * self._baseline.noise / np.abs(self._baseline.level)
        threshold = np.maximum(MIN_CHANGE, np.nan_to_num(noise, nan=0.0, posinf=0.0))
        known = np.isfinite(answer)
        return float((np.abs(answer[known]) / threshold[known]).max()) if known.any() else 0.0

    def _track(self, t_ns: int, answer: F64) -> None:
        """Follow onset, peak, fading and clearing of a smell."""
        strength = self._strength(answer)
        odour = self._current
        if odour is None:
            self._above = self._above + 1 if strength > 1.0 else 0
            if self._above >= READINGS_ON:
                onset = self._readings[-READINGS_ON].t_ns
                self._odours.append(Odour(onset, t_ns, t_ns, strength, strength))
                self._above = 0
            return
        # Smoothed over two seconds: the noise of counts is no coming and going.
        weight = -np.expm1(-(t_ns - odour.last_ns) / SMOOTH_NS)
        odour.level += float(weight) * (strength - odour.level)
        odour.last_ns = t_ns
        if odour.level > odour.peak * (1.0 if odour.fading_ns is None else AGAIN):
            odour.peak, odour.fading_ns = odour.level, None
        elif odour.fading_ns is None and odour.level < FADING * odour.peak:
            odour.fading_ns = t_ns
        if odour.level < CLEARED:
            odour.cleared_ns = t_ns

    @staticmethod
    def _touches(odour: Odour, window: Window) -> bool:
        ended = odour.cleared_ns is not None and odour.cleared_ns < window.t0_ns
        return odour.onset_ns < window.t1_ns and not ended

    def _note_invalid(self, inside: list[Reading]) -> None:
        assert self._spec is not None  # noqa: S101
        assert self._baseline.level is not None  # noqa: S101
        notes = []
        for k, name in enumerate(self._spec.channels):
            bad = [r for r in inside if not np.isfinite(r.response[k])]
            if bad and len(bad) >= len(inside) / 2:
                why = next((r.why_invalid for r in bad if r.why_invalid), "no number")
                if not np.isfinite(self._baseline.level[k]):
                    why = "its reading in clean air is not known"
                notes.append(f"nose channel {name} is not used: {why}")
        self.notes = tuple(notes[:8])

    def _change(self, last: Reading, window: Window) -> Cue:
        assert self._spec is not None  # noqa: S101
        known = np.flatnonzero(np.isfinite(last.response))
        # Channel names carry a suffix: "CO" alone would read as a gas that was recognised.
        value = {
            f"{self._spec.channels[k]}_change": round(self._ratio(last.response[k]), 4)
            for k in known
        }
        strength = self._strength(last.response)
        age = (window.t1_ns - last.t_ns) / NS_PER_S
        if strength < 1.0:
            text = "the air is as in clean air"
        else:
            moved = int((np.abs(last.response[known]) > MIN_CHANGE).sum())
            top = max((value[name] for name in value), key=abs)
            text = f"the air has changed: {moved} of {len(known)} gas sensors answer, "
            text += f"by up to {top:+.0%}"
        against = "" if self._baseline.calibrated else ", against the air of the first seconds"
        fresh = 1.0 if age < 3.0 else 0.5
        return Cue(
            id="",
            modality="smell",
            name="change",
            value=value,
            unit="share",
            confidence=round(self._sure * fresh, 3),
            t0_ns=last.t_ns,
            t1_ns=last.t_ns,
            text=f"{text}{against}; the reading is {age:.1f} s old and {LAG}",
        )

    def _ratio(self, answer: float) -> float:
        """(x − x0)/x0 of a response."""
        assert self._spec is not None  # noqa: S101
        return float(np.expm1(-answer)) if self._spec.unit == "ohm" else float(answer)

    def _events(self, odour: Odour, window: Window) -> list[Cue]:
        found = []
        moments = (
            ("odour_onset", odour.known_ns, odour.onset_ns, "a smell begins"),
            ("odour_fading", odour.fading_ns, odour.fading_ns, "the smell begins to fade"),
            ("odour_cleared", odour.cleared_ns, odour.cleared_ns, "the air is clean again"),
        )
        for name, known_ns, t_ns, phrase in moments:
            if known_ns is None or t_ns is None or not window.t0_ns <= known_ns < window.t1_ns:
                continue
            found.append(
                Cue(
                    id="",
                    modality="smell",
                    name=name,
                    value=round(odour.peak, 2),
                    unit="thresholds",
                    confidence=round(self._sure, 3),
                    t0_ns=t_ns,
                    t1_ns=t_ns,
                    text=f"{phrase} {into(window, t_ns)}; {LAG}",
                )
            )
        return found

    def _class(self, odour: Odour, last: Reading) -> Cue:
        """What the smell may be: the nearest pattern, or `unknown`."""
        label, sure, text = "unknown", 0.3, "what it is, this nose has not learnt to tell"
        known = np.isfinite(last.response)
        norm = float(np.linalg.norm(last.response[known]))
        if self._patterns is not None and known.all() and norm > 0:
            cosine = self._patterns.vectors @ (last.response / norm)
            share = np.exp(SHARPNESS * (cosine - cosine.max()))
            share /= share.sum()
            best = int(np.argmax(share))
            text = "what it is remains unclear"
            if cosine[best] >= MIN_COSINE and share[best] >= 0.5:
                label = self._patterns.names[best]
                fit = (float(cosine[best]) - MIN_COSINE) / (1.0 - MIN_COSINE)
                sure = min(0.85, float(share[best]) * (0.5 + 0.5 * fit))
                text = f"it is most like {label}, by the patterns {self._patterns.origin}"
        if odour.fading_ns is not None:
            sure *= FADED
            text += "; it is fading"
        return Cue(
            id="",
            modality="smell",
            name="odour",
            value=label,
            confidence=round(sure, 3),
            t0_ns=odour.onset_ns,
            t1_ns=last.t_ns,
            text=text,
            untrusted=label != "unknown",  # names of classes come from a file
        )

    def _possible_danger(self, odour: Odour, last: Reading) -> list[Cue]:
        """A hint, where nothing was learnt; too unsure to raise an alarm by itself."""
        assert self._spec is not None  # noqa: S101
        if self._patterns is not None or odour.fading_ns is not None or odour.peak < 3.0:
            return []
        strongest = self._spec.channels[int(np.nanargmax(last.response))]
        hint = _HINTS.get(strongest.strip().lower())
        if hint is None:
            return []
        return [
            Cue(
                id="",
                modality="smell",
                name="possible_danger",
                value=f"possibly {hint}",
                confidence=0.3,
                t0_ns=odour.onset_ns,
                t1_ns=last.t_ns,
                text=f"possibly {hint}: of all gas sensors the one made for it answers most, "
                "but every such sensor answers many gases",
            )
        ]
