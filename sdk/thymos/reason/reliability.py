"""How far each modality is to be believed: measured on held-out people, read from `fusion.yaml`.

A reading is corrected in two steps. Its *temperature and class biases* are those that give the
least log loss on labelled clips of people the model never met, each class as often as the next
(bias-corrected temperature scaling: Alexandari, Kundaje and Shrikumar, ICML 2020), so that what a
model learnt of how often an emotion occurs is taken out of it; what Thymos assumes instead is in
one place, `Table.prior`. Below the least evidence that was measured it fades to that prior, and it
argues against no class by more than `AGAINST` to one.

Its *weight* depends on the evidence of the window, on nothing that grows with the number of cues,
of frames, or with loudness:

    weight = exp(base + evidence_power · ln(q / usual q) + Σ slope · (quality − usual))

with q = confidence × presence and qualities that cues measure (harmonics to noise, clipping). The
few numbers are fitted on pseudo-multimodal clips, half of them in conflict
(`thymos.evaluate.conflict_fit`, `docs/conflict.md`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import yaml

from thymos.contract import EMOTIONS, MODALITIES, Emotion, Modality

Reading = dict[Emotion, float]

AGAINST = 8.0
"""How strongly a reading may argue against a class, as odds against the prior. Labels are noisy and
readings wrong: without a bound one of them vetoes what all others say."""
FLOOR = 1e-4
"""Probabilities below this are taken for this before their logarithm is."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How a measured quality of the signal moves the weight.

    Attributes:
        usual: Median on undamaged clips; nothing happens there, nor where it was not measured.
        slope: Change of the logarithm of the weight per unit.
        low: Least value that was measured; what is less counts as this.
        high: Likewise the greatest.
    """

    usual: float
    slope: float
    low: float
    high: float

    def shift(self, value: float) -> float:
        """Change of the logarithm of the weight."""
        return self.slope * (min(self.high, max(self.low, value)) - self.usual)


@dataclass(frozen=True, slots=True)
class Trust:
    """What was measured of one modality.

    Attributes:
        cue: Name of the cue it was measured on; readings without one are not corrected, only
            faded. Empty: every reading is.
        sharpness: Inverse temperature of its reading.
        bias: Added to the logarithm of each class.
        base: Logarithm of its weight on a usual clip.
        evidence_power: How strongly the weight follows the evidence.
        usual: Evidence q of a usual clip (median).
        least: Evidence below which nothing was measured (5th percentile).
        qualities: By name of the cue that measures it.
    """

    cue: str = ""
    sharpness: float = 1.0
    bias: Reading = field(default_factory=lambda: dict.fromkeys(EMOTIONS, 0.0))
    base: float = 0.0
    evidence_power: float = 1.0
    usual: float = 0.6
    least: float = 0.2
    qualities: Mapping[str, Quality] = field(default_factory=dict)

    def corrected(
        self, raw: Reading, evidence: float, prior: Reading, *, measured: bool = True
    ) -> Reading:
        """The reading that the raw one stands for, given how much evidence there is.

        Args:
            raw: As the perceivers gave it.
            evidence: q, 0 … 1.
            prior: What is assumed beforehand.
            measured: Whether it comes from the model that was measured.
        """
        shares = self._posterior(raw, prior) if measured else raw
        known = min(1.0, evidence / self.least)
        faded = {e: known * shares[e] + (1.0 - known) * prior[e] for e in EMOTIONS}
        bounded = {e: max(p, prior[e] / AGAINST) for e, p in faded.items()}
        total = sum(bounded.values())
        # Rounded, so that what is equal stays equal whatever the last bits of a logarithm are.
        return {e: round(p / total, 9) for e, p in bounded.items()}

    def _posterior(self, raw: Reading, prior: Reading) -> Reading:
        logs = {
            e: self.sharpness * math.log(max(FLOOR, raw[e]))
            + self.bias[e]
            + math.log(max(FLOOR, prior[e]))
            for e in EMOTIONS
        }
        top = max(logs.values())
        shares = {e: math.exp(v - top) for e, v in logs.items()}
        total = sum(shares.values())
        return {e: v / total for e, v in shares.items()}

    def weight(self, evidence: float, measured: Mapping[str, float]) -> float:
        """Weight before it is shared out; see the module text."""
        log = self.base + self.evidence_power * math.log(max(1e-6, evidence) / self.usual)
        for name, quality in self.qualities.items():
            if name in measured:
                log += quality.shift(measured[name])
        return math.exp(log)


@dataclass(frozen=True, slots=True)
class Table:
    """All that fusion knows beforehand.

    Attributes:
        trust: By modality.
        agreement: How much surer several voices make: see `thymos.reason.fusion`.
        prior: How often Thymos takes each emotion to occur; sums to 1.
    """

    trust: Mapping[Modality, Trust]
    agreement: float
    prior: Reading


@functools.cache
def table() -> Table:
    """The measured table of the package, read once."""
    text = (files("thymos.reason") / "fusion.yaml").read_text(encoding="utf-8")
    return from_data(yaml.safe_load(text))


def from_data(data: Mapping[str, Any]) -> Table:
    """A table from the content of `fusion.yaml`."""
    return Table(
        {m: _trust(data[m]) for m in MODALITIES}, float(data["agreement"]), _reading(data["prior"])
    )


def _trust(data: Mapping[str, Any]) -> Trust:
    qualities = {n: Quality(**{k: float(v) for k, v in q.items()})
                 for n, q in data.get("qualities", {}).items()}  # fmt: skip
    numbers = ("sharpness", "base", "evidence_power", "usual", "least")
    return Trust(
        cue=str(data["cue"]),
        bias=_reading(data["bias"]),
        qualities=qualities,
        **{n: float(data[n]) for n in numbers},
    )


def _reading(data: Mapping[str, float]) -> Reading:
    return {e: float(data[e]) for e in EMOTIONS}
