"""Measures how far each modality is to be believed, and writes `reason/fusion.yaml`.

    python -m thymos.evaluate.conflict_fit DATA

Two steps, both by log loss, both on people no network was trained on:

1. *Each modality alone*: temperature and class biases (8 numbers), on undamaged and damaged clips,
   every class and every data set counting alike (`Alexandari et al., ICML 2020`).
2. *Together*: how the weight follows evidence and quality, and how much surer agreement makes
   (9 numbers), on the rows of the conflict set: half consistent, a quarter each of conflicts where
   the face and where the voice is right. About half is what is known of real clips: the signs of
   sentiment of text, voice and face differ in 49 % of CH-SIMS (Yu et al., ACL 2020).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from thymos.contract import EMOTIONS, Cue, Modality
from thymos.errors import MediaError
from thymos.evaluate.conflict_set import SUBSETS, Clip, Recipe, Row, build
from thymos.reason.fusion import Heard, corrected, hear
from thymos.reason.reliability import FLOOR, Table, from_data

F64 = NDArray[np.float64]

HEARING: tuple[Modality, ...] = ("face", "voice", "words")
MEASURED: dict[Modality, str] = {"face": "expression", "voice": "tone", "words": "sentiment"}
"""The cue that holds a model's reading: only what has it is corrected."""
QUALITIES: dict[Modality, tuple[str, ...]] = {"voice": ("quality", "clipping")}
"""Cues that measure the quality of a signal, by modality."""
SHARE = {"consistent": 0.5, "video": 0.25, "audio": 0.25}
SHRINK = 4e-3
"""Weight of the squares of what is fitted, against numbers that the data do not settle."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One clip as its modality reads it."""

    clip: Clip
    heard: Heard


def heard_of(clips: Sequence[Clip], cues: Mapping[str, Sequence[Cue]]) -> list[Reading]:
    """Readings of the clips that can be read, each clip once, in order of name."""
    found = []
    for key, clip in sorted({c.key: c for c in clips}.items()):
        heard = hear(cues[key]).get(clip.modality)
        if heard is not None and MEASURED.get(clip.modality, "") in heard.names:
            found.append(Reading(clip, heard))
    return found


def fit(
    rows: Sequence[Row], cues: Mapping[str, Sequence[Cue]], prior: Mapping[str, float]
) -> dict[str, Any]:
    """Fit a table on some rows.

    Args:
        rows: With readings of at least a face and a voice; `open` rows serve step 1 only.
        cues: By `Clip.key`.
        prior: How often each emotion is taken to occur.

    Returns:
        The content of `fusion.yaml`.
    """
    every = heard_of([c for r in rows for c in r.clips], cues)
    data: dict[str, Any] = {"prior": {e: float(prior[e]) for e in EMOTIONS}}
    for modality in HEARING:
        data[modality] = {"cue": MEASURED[modality]} | _alone(
            [r for r in every if r.clip.modality == modality]
        )
    data["smell"] = _SMELL
    return _together(data, [r for r in rows if r.subset in SHARE], cues)


_SMELL: dict[str, Any] = {
    # Nobody has measured what an odour tells of a person's emotion: by hand, and little.
    "cue": "", "sharpness": 1.0, "bias": dict.fromkeys(EMOTIONS, 0.0), "base": -1.5,
    "evidence_power": 1.0, "usual": 0.6, "least": 0.2,
}  # fmt: skip


# -- step 1


def _alone(found: list[Reading]) -> dict[str, Any]:
    logs = np.log(np.maximum(FLOOR, _matrix([r.heard.raw for r in found])))
    truth = np.array([EMOTIONS.index(r.clip.label) for r in found])
    weight = _evenly(truth, [r.clip.source for r in found])
    rows = np.arange(len(truth))
    # A class that no clip has would only ever be pushed down: it is left as it is.
    unknown = np.where(np.isin(np.arange(len(EMOTIONS)), truth), 0.0, -np.inf)

    def loss(x: F64) -> float:
        shares = _softmax(logs * np.exp(x[0]) + x[1:] + unknown)
        return float(-weight @ np.log(shares[rows, truth])) + SHRINK * float(x[1:] @ x[1:])

    best = minimise(loss, np.zeros(1 + len(EMOTIONS)))
    whole = [r.heard.evidence for r in found if not r.clip.damage]
    return {
        "sharpness": _short(np.exp(best[0])),
        "bias": {e: _short(v) for e, v in zip(EMOTIONS, best[1:] - best[1:].mean(), strict=True)},
        "usual": _short(np.median(whole)),
        "least": _short(np.quantile([r.heard.evidence for r in found], 0.05)),
    }


def _evenly(truth: NDArray[np.int64], sources: Sequence[str]) -> F64:
    """Weights under which each class, and in it each data set, counts alike; they sum to 1."""
    of = np.array(sources)
    weight = np.zeros(len(truth))
    for label in np.unique(truth):
        here = np.unique(of[truth == label])
        for source in here:
            cell = (truth == label) & (of == source)
            weight[cell] = 1.0 / (len(here) * cell.sum())
    return np.asarray(weight / weight.sum())


# -- step 2


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Rows as arrays; modalities in the order of `HEARING`, absent ones with weight zero."""

    readings: F64  # [n, 3, 7], corrected
    there: NDArray[np.bool_]  # [n, 3]
    evidence: F64  # [n, 3], logarithm of its share of the usual
    quality: F64  # [n, qualities of the voice], difference from the usual
    truth: NDArray[np.int64]
    weight: F64
    prior: F64  # [7]


def _together(
    data: dict[str, Any], rows: Sequence[Row], cues: Mapping[str, Sequence[Cue]]
) -> dict[str, Any]:
    ranges = _ranges(rows, cues)
    start = _assemble(data, np.zeros(_NUMBERS), ranges)
    sheet = _sheet(from_data(start), rows, cues, ranges)

    def loss(x: F64) -> float:
        pooled = _pooled(sheet, x)
        at = np.log(np.maximum(1e-9, pooled[np.arange(len(sheet.truth)), sheet.truth]))
        return float(-sheet.weight @ at) + SHRINK * float(x @ x)

    return _assemble(data, minimise(loss, np.zeros(_NUMBERS)), ranges)


_NUMBERS = 8
"""Two bases (the face is 0), three powers, two slopes, the agreement."""


def _assemble(data: dict[str, Any], x: F64, ranges: dict[str, F64]) -> dict[str, Any]:
    bases = dict(zip(HEARING, (0.0, x[0], x[1]), strict=True))
    powers = dict(zip(HEARING, np.maximum(0.0, x[2:5]), strict=True))
    made = dict(data)
    for m in HEARING:
        made[m] = data[m] | {"base": _short(bases[m]), "evidence_power": _short(powers[m])}
    made["voice"]["qualities"] = {
        name: {
            "usual": _short(usual), "slope": _short(slope), "low": _short(low), "high": _short(high)
        }
        for (name, (low, usual, high)), slope in zip(ranges.items(), x[5:7], strict=True)
    }  # fmt: skip
    made["agreement"] = _short(max(0.0, x[7]))
    return made


def _ranges(rows: Sequence[Row], cues: Mapping[str, Sequence[Cue]]) -> dict[str, F64]:
    """5th percentile, usual value and 95th percentile of each quality of the voice."""
    found = heard_of([c for r in rows for c in r.clips if c.modality == "voice"], cues)
    ranges = {}
    for name in QUALITIES["voice"]:
        every = [r.heard.measured[name] for r in found if name in r.heard.measured]
        whole = [
            r.heard.measured[name] for r in found if not r.clip.damage and name in r.heard.measured
        ]
        low, high = np.quantile(every, [0.05, 0.95]) if every else (0.0, 0.0)
        # Clipping is told only where there is some: unclipped sound has none.
        usual = float(np.median(whole)) if whole and name != "clipping" else 0.0
        ranges[name] = np.array([min(low, usual), usual, high])
    return ranges


def _sheet(
    known: Table,
    rows: Sequence[Row],
    cues: Mapping[str, Sequence[Cue]],
    ranges: dict[str, F64],
) -> _Sheet:
    n, size = len(rows), len(HEARING)
    readings = np.full((n, size, len(EMOTIONS)), 1.0 / len(EMOTIONS))
    there, evidence = np.zeros((n, size), dtype=np.bool_), np.zeros((n, size))
    quality = np.zeros((n, len(ranges)))
    for i, row in enumerate(rows):
        for m, h in hear([c for clip in row.clips for c in cues[clip.key]]).items():
            j, trust = HEARING.index(m), known.trust[m]
            found = corrected(h, trust, known.prior)
            readings[i, j], there[i, j] = [found[e] for e in EMOTIONS], True
            evidence[i, j] = np.log(max(1e-6, h.evidence) / trust.usual)
            if m == "voice":
                for k, (name, (low, usual, high)) in enumerate(ranges.items()):
                    if name in h.measured:
                        quality[i, k] = np.clip(h.measured[name], low, high) - usual
    truth = np.array([EMOTIONS.index(r.truth) for r in rows])
    prior = np.array([known.prior[e] for e in EMOTIONS])
    return _Sheet(readings, there, evidence, quality, truth, row_weights(rows, prior), prior)


def row_weights(rows: Sequence[Row], prior: F64) -> F64:
    """Weights of rows under which subsets occur as in `SHARE` and true classes as in the prior.

    Returns:
        [n], sums to 1; 0 for `open` rows.
    """
    weight = prior[[EMOTIONS.index(r.truth) for r in rows]]
    subsets = np.array([r.subset for r in rows])
    for name in SUBSETS:
        here = subsets == name
        weight[here] *= SHARE.get(name, 0.0) / max(1e-12, weight[here].sum())
    return np.asarray(weight / weight.sum())


def _pooled(sheet: _Sheet, x: F64) -> F64:
    """What `thymos.reason.fusion` does, for all rows at once: a test holds both to the same.

    More evidence never weighs less, and agreement never makes less sure.
    """
    log = np.array([0.0, x[0], x[1]]) + np.maximum(0.0, x[2:5]) * sheet.evidence
    log[:, HEARING.index("voice")] += sheet.quality @ x[5:7]
    force = np.exp(log) * sheet.there
    weight = force / force.sum(axis=1, keepdims=True)
    power = weight * (1.0 + max(0.0, x[7]) * (1.0 / (weight**2).sum(axis=1, keepdims=True) - 1.0))
    logs = np.log(sheet.prior)
    return _softmax(logs + (power[:, :, None] * (np.log(sheet.readings) - logs)).sum(axis=1))


# -- small tools


def minimise(loss: Callable[[F64], float], start: F64, steps: int = 3000) -> F64:
    """Least value of a smooth function of few numbers (simplex of Nelder and Mead, 1965)."""
    points = [start] + [start + 0.4 * row for row in np.eye(len(start))]
    values = [loss(p) for p in points]
    for _ in range(steps):
        order = np.argsort(values, kind="stable")
        points, values = [points[i] for i in order], [values[i] for i in order]
        if values[-1] - values[0] < 1e-8:
            break
        centre = np.mean(points[:-1], axis=0)
        step = centre - points[-1]
        tried = [centre + step]
        found = [loss(tried[0])]
        if found[0] < values[0]:
            tried.append(centre + 2.0 * step)
        elif found[0] >= values[-2]:
            tried.append(centre - 0.5 * step)
        found += [loss(p) for p in tried[1:]]
        best = int(np.argmin(found))
        if found[best] < values[-1]:
            points[-1], values[-1] = tried[best], found[best]
        else:
            points = [points[0]] + [0.5 * (p + points[0]) for p in points[1:]]
            values = [values[0]] + [loss(p) for p in points[1:]]
    return points[int(np.argmin(values))]


def _matrix(readings: Sequence[Mapping[Any, float]]) -> F64:
    return np.array([[r[e] for e in EMOTIONS] for r in readings])


def _softmax(logs: F64) -> F64:
    e = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _short(value: Any) -> float:
    return round(float(value), 4)


def everyday(data: Path) -> dict[str, float]:
    """How often each emotion is taken to occur: halfway between evenly and as in MELD's dialogues.

    Halfway on a logarithmic scale: the square roots of the shares of the labels of MELD's training
    part, where 47 % are neutral and 3 % disgust. Evenly, as in acted sets, a face that is neutral
    with a hint of disgust would be called disgusted; a television series is not everyday life
    either.

    Raises:
        MediaError: MELD is not there.
    """
    path = data / "text/meld/train_sent_emo.csv"
    if not path.is_file():
        raise MediaError(f"no {path.name} in {path.parent}", hint="give the data folder")
    with path.open(encoding="utf-8", newline="") as f:
        labels = [row["Emotion"] for row in csv.DictReader(f)]
    roots = {e: np.sqrt(labels.count(e)) for e in EMOTIONS}
    return {e: _short(root / sum(roots.values())) for e, root in roots.items()}


def fingerprint() -> dict[str, list[float]]:
    """What the models say of one made-up input each: shows whether they are those measured.

    Returns:
        By modality, probabilities [7] to three decimals.

    Raises:
        ModelError: Weights are missing.
        MissingExtraError: A runtime is.
    """
    from thymos.perceive import expression, text_emotion, voice_emotion

    ramp = np.linspace(0.0, 255.0, expression.CROP, dtype=np.float32)
    face = np.repeat((0.5 * ramp[:, None] + 0.5 * ramp[None])[:, :, None], 3, axis=2)
    seconds = np.arange(24_000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (150 + 60 * seconds) * seconds) * (1 + np.sin(25 * seconds))
    heard = voice_emotion.Learned().read(tone.astype(np.float32))
    said = text_emotion.Learned().read("I did not expect this, and I am glad.")
    found: dict[str, Any] = {
        "face": expression.Learned().probabilities(face),
        "voice": [] if heard is None else heard.probabilities,
        "words": [] if said is None else said.probabilities,
    }
    return {m: [round(float(p), 3) for p in probs] for m, probs in found.items()}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    from thymos.evaluate.conflict import readable
    from thymos.evaluate.conflict_readings import readings

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="write here instead of into the package")
    args = parser.parse_args(argv)
    rows = build(args.data, Recipe())
    cues = readings(args.data, [c for r in rows for c in r.clips])
    data = fit(readable(rows, cues), cues, everyday(args.data))
    data["fingerprint"] = fingerprint()
    write(data, args.out or Path(__file__).parents[1] / "reason" / "fusion.yaml")


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write a table with a head that says what it is."""
    head = (
        "# How far each modality is to be believed: measured, not set by hand (smell excepted).\n"
        "# Made by `python -m thymos.evaluate.conflict_fit`.\n"
        "# Meaning: thymos/reason/reliability.py; data, people and scores: docs/conflict.md.\n"
    )
    path.write_text(head + yaml.safe_dump(dict(data), sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
