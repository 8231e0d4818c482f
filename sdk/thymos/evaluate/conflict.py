"""Scores fusion on the conflict set: `python -m thymos.evaluate.conflict DATA`.

Every row goes through the real perceivers and `thymos.reason.fusion.fuse`. Fusion's own numbers are
fitted on one half of the people and scored on the other, and the reverse (`fitted: crossed`); with
`shipped` the file of the package is scored, which was fitted on all of them.

Scores of CA-MER (arXiv 2508.01181): accuracy on the `video` and the `audio` subset, their mean the
*conflict average*, and accuracy on the consistent one. Beside them the set metric
Avg = (Acc + Rec) / 2 with Acc = |P ∩ G| / |P| and Rec = |P ∩ G| / |G|, where an answer may name
both sides of a conflict: P is the likeliest class and, where a conflict is told, what the
dissenting modalities say; G is the true set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS, Cue, Emotion, Modality
from thymos.evaluate.classification import (
    Interval,
    bootstrap,
    expected_calibration_error,
    reliability,
)
from thymos.evaluate.conflict_fit import fit
from thymos.evaluate.conflict_readings import Source, readings
from thymos.evaluate.conflict_set import (
    KINDS,
    SUBSETS,
    Recipe,
    Row,
    build,
)
from thymos.reason.base import Affect
from thymos.reason.fusion import fuse, hear, top
from thymos.reason.reliability import Table, table
from thymos.reason.rules import CONFLICT_TOLD

F64 = NDArray[np.float64]
Cues = Mapping[str, Sequence[Cue]]
Method = Callable[[Row, list[Cue]], Mapping[Emotion, float]]

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Scores:
    """One method on one kind of row.

    Attributes:
        video: Accuracy where the face is right.
        audio: Accuracy where what is heard is right.
        conflict: Mean of the two.
        consistent: Accuracy where all agree.
        gain_conflict: `conflict` less that of the naive mean, paired.
        gain_consistent: Likewise of `consistent`.
        nll: Mean negative log-likelihood of the truth, nats; half of the weight on consistent rows.
        ece: Expected calibration error of the top class, 15 bins, rows as they are.
    """

    video: Interval
    audio: Interval
    conflict: Interval
    consistent: Interval
    gain_conflict: Interval
    gain_consistent: Interval
    nll: float
    ece: float


@dataclass(frozen=True)
class Result:
    """All scores of a run.

    Attributes:
        rows: Rows scored, by kind and subset: those where a face and a voice were read.
        drawn: Rows drawn, likewise.
        methods: Scores by kind and method; `naive mean` is the equal-weight mean of probabilities.
        sets: Mean Avg by kind, subset and way of naming: `one` class, or `conflict told` too.
        told: How well conflicts are seen: area under the curve, share told by subset, and how often
            the modality named as dissenting is the misleading one.
        diagram: Reliability of the fused estimate, by `before` (naive mean) and `after`.
        coverage: Risk-coverage: accuracy of the surest share of the rows, with the least
            probability in it.
        fitted: What the numbers of fusion were fitted on.
        note: What the numbers are of.
    """

    rows: dict[str, dict[str, int]]
    drawn: dict[str, dict[str, int]]
    methods: dict[str, dict[str, Scores]]
    sets: dict[str, dict[str, dict[str, float]]]
    told: dict[str, dict[str, float]]
    diagram: dict[str, list[tuple[float, float, float]]]
    coverage: list[tuple[float, float, float]]
    fitted: str
    note: str = field(default="")

    def data(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def run(
    data: Path,
    *,
    recipe: Recipe | None = None,
    voice_weights: Path | None = None,
    fitted: Literal["crossed", "shipped"] = "crossed",
    cache: Path | None = None,
    rounds: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Build the set, read its clips (or take them from the cache), fuse and score.

    Args:
        data: The data folder.
        recipe: How the set is drawn.
        voice_weights: Another `speech.onnx`, for RAVDESS speakers it never heard.
        fitted: See the module text.
        cache: Folder for readings; None is the user's.
        rounds: Of the bootstrap.
        progress: Called with how many clips were read, and of how many.

    Raises:
        MediaError: Data are missing.
        ModelError: Weights are missing.
        MissingExtraError: A runtime is missing.
    """
    drawn = build(data, recipe or Recipe())
    cues = readings(
        Source(data, voice_weights, cache), [c for r in drawn for c in r.clips], progress
    )
    return score(drawn, cues, fitted=fitted, rounds=rounds)


def readable(rows: Sequence[Row], cues: Cues) -> list[Row]:
    """Rows with two sides: a face and a voice were read. Without both there is no conflict."""
    return [
        r
        for r in rows
        if all(hear(cues[c.key]) for c in r.clips if c.modality in ("face", "voice"))
    ]


def score(
    drawn: Sequence[Row],
    cues: Cues,
    *,
    fitted: Literal["crossed", "shipped"] = "crossed",
    rounds: int = 1000,
) -> Result:
    """Score rows whose clips were read; see `run`."""
    rows = readable(drawn, cues)
    tables = {0: table(), 1: table()}
    if fitted == "crossed":
        tables = {f: known([r for r in rows if r.fold != f], cues) for f in (0, 1)}
    affects = [fuse(_cues(r, cues), tables[r.fold]) for r in rows]
    methods: dict[str, dict[str, Scores]] = {}
    for kind in KINDS:
        picked = [i for i, r in enumerate(rows) if r.kind == kind and r.subset != "open"]
        mine = [rows[i] for i in picked]
        answers = {name: _answers(mine, cues, how) for name, how in BASELINES.items()}
        answers["thymos"] = _matrix([affects[i].fused for i in picked])
        methods[kind] = _scores(mine, answers, rounds)
    closed = [i for i, r in enumerate(rows) if r.subset != "open"]
    mine = [rows[i] for i in closed]
    fused = _matrix([affects[i].fused for i in closed])
    naive = _answers(mine, cues, _naive)
    truth = _truth(mine)
    return Result(
        rows=_count(rows),
        drawn=_count(drawn),
        methods=methods,
        sets=_sets(rows, affects),
        told=_told(rows, affects),
        diagram={"before": _diagram(naive, truth), "after": _diagram(fused, truth)},
        coverage=_coverage(fused, truth),
        fitted=fitted,
    )


def known(rows: Sequence[Row], cues: Cues) -> Table:
    """A table fitted on some rows, with the prior of the package."""
    from thymos.reason.reliability import from_data

    return from_data(fit(rows, cues, {str(e): p for e, p in table().prior.items()}))


# -- what is compared


def _cues(row: Row, cues: Cues) -> list[Cue]:
    return [c for clip in row.clips for c in cues[clip.key]]


def _naive(row: Row, cues: list[Cue]) -> Mapping[Emotion, float]:
    """Equal-weight mean of the modalities' probabilities, as their models give them."""
    return _weighted({m: (h.raw, 1.0) for m, h in hear(cues).items()})


def _surest(row: Row, cues: list[Cue]) -> Mapping[Emotion, float]:
    """The modality with the greatest probability decides alone."""
    found = hear(cues)
    return max((h.raw for h in found.values()), key=lambda raw: max(raw.values()))


def _by_count(row: Row, cues: list[Cue]) -> Mapping[Emotion, float]:
    """Weights by number of cues: who says most is heard most."""
    count = {m: sum(c.modality == m for c in cues) for m in ("face", "voice", "words")}
    return _weighted({m: (h.raw, float(count[m])) for m, h in hear(cues).items()})


def _of(modality: Modality) -> Method:
    def alone(row: Row, cues: list[Cue]) -> Mapping[Emotion, float]:
        found = hear(cues)
        return found[modality].raw if modality in found else dict.fromkeys(EMOTIONS, 1 / 7)

    return alone


BASELINES: dict[str, Method] = {
    "naive mean": _naive,
    "surest modality": _surest,
    "by number of cues": _by_count,
    "face alone": _of("face"),
    "voice alone": _of("voice"),
}


def _weighted(
    parts: Mapping[Modality, tuple[Mapping[Emotion, float], float]],
) -> Mapping[Emotion, float]:
    total = sum(w for _, w in parts.values())
    return {e: sum(r[e] * w for r, w in parts.values()) / total for e in EMOTIONS}


def _answers(rows: Sequence[Row], cues: Cues, how: Method) -> F64:
    return _matrix([how(r, _cues(r, cues)) for r in rows])


def _matrix(found: Sequence[Mapping[Emotion, float]]) -> F64:
    return np.array([[r[e] for e in EMOTIONS] for r in found]).reshape(-1, len(EMOTIONS))


def _truth(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.array([EMOTIONS.index(r.truth) for r in rows], dtype=np.int64)


# -- scores


def _scores(rows: Sequence[Row], answers: Mapping[str, F64], rounds: int) -> dict[str, Scores]:
    truth = _truth(rows)
    subset = np.array([r.subset for r in rows])
    speakers = np.array([r.speaker for r in rows])
    right = {name: (p.argmax(axis=1) == truth).astype(float) for name, p in answers.items()}

    def share(hits: F64, name: str) -> Callable[[NDArray[np.int64]], float]:
        def of(at: NDArray[np.int64]) -> float:
            if name == "conflict":
                return 0.5 * (share(hits, "video")(at) + share(hits, "audio")(at))
            here = at[subset[at] == name]
            return float(hits[here].mean()) if len(here) else float("nan")

        return of

    made = {}
    for method, hits in right.items():
        over = {
            name: bootstrap(share(hits, name), speakers, rounds)
            for name in ("video", "audio", "conflict", "consistent")
        }
        gain = {
            name: bootstrap(share(hits - right["naive mean"], name), speakers, rounds)
            for name in ("conflict", "consistent")
        }
        probs = answers[method]
        made[method] = Scores(
            **over,
            gain_conflict=gain["conflict"],
            gain_consistent=gain["consistent"],
            nll=_nll(probs, truth, subset),
            ece=expected_calibration_error(probs, truth),
        )
    return made


def _nll(probs: F64, truth: NDArray[np.int64], subset: NDArray[Any]) -> float:
    loss = -np.log(np.maximum(1e-4, probs[np.arange(len(truth)), truth]))
    parts = {name: loss[subset == name].mean() for name in ("video", "audio", "consistent")}
    return float(0.25 * parts["video"] + 0.25 * parts["audio"] + 0.5 * parts["consistent"])


def named(affect: Affect, *, told: bool) -> frozenset[Emotion]:
    """The classes an explanation names: the likeliest, and what dissenters say if that is told."""
    names = {top(affect.fused)}
    if told and affect.dissenting and affect.conflict >= CONFLICT_TOLD:
        names |= {top(affect.unimodal[m]) for m in affect.dissenting}
    return frozenset(names)


def set_score(said: frozenset[Emotion], true: frozenset[Emotion]) -> float:
    """(Acc + Rec) / 2 of one row."""
    hits = len(said & true)
    return 0.5 * (hits / len(said) + hits / len(true))


def _sets(rows: Sequence[Row], affects: Sequence[Affect]) -> dict[str, dict[str, dict[str, float]]]:
    made: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        made[kind] = {}
        for subset in SUBSETS:
            here = [
                (r, a)
                for r, a in zip(rows, affects, strict=True)
                if (r.kind, r.subset) == (kind, subset)
            ]
            made[kind][subset] = {
                way: float(np.mean([set_score(named(a, told=told), r.labels) for r, a in here]))
                for way, told in (("one", False), ("conflict told", True))
            }
    return made


def _told(rows: Sequence[Row], affects: Sequence[Affect]) -> dict[str, dict[str, float]]:
    made: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        here = [(r, a) for r, a in zip(rows, affects, strict=True) if r.kind == kind]
        degree = np.array([a.conflict for _, a in here])
        differ = np.array([len({c.label for c in r.clips}) > 1 for r, _ in here])
        facts = {"area under the curve": _area(degree, differ)}
        for subset in SUBSETS:
            told = [
                bool(a.dissenting) and a.conflict >= CONFLICT_TOLD
                for r, a in here
                if r.subset == subset
            ]
            facts[f"told, {subset}"] = float(np.mean(told))
        wrong = [
            (r.subset, a.dissenting)
            for r, a in here
            if r.subset in ("video", "audio") and a.dissenting and a.conflict >= CONFLICT_TOLD
        ]
        facts["misleading side named, where told"] = float(
            np.mean([("face" in who) == (subset == "audio") for subset, who in wrong])
        )
        made[kind] = facts
    return made


def _area(score: F64, positive: NDArray[np.bool_]) -> float:
    """Area under the receiver operating curve: how often a positive ranks above a negative."""
    above = score[positive][:, None] - score[~positive][None]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def _diagram(probs: F64, truth: NDArray[np.int64]) -> list[tuple[float, float, float]]:
    return [(b.share, b.confidence, b.accuracy) for b in reliability(probs, truth, 10)]


def _coverage(probs: F64, truth: NDArray[np.int64]) -> list[tuple[float, float, float]]:
    """Share kept, least probability in it, accuracy of what is kept."""
    order = np.argsort(-probs.max(axis=1), kind="stable")
    right = (probs.argmax(axis=1) == truth)[order]
    made = []
    for share in COVERAGES:
        kept = max(1, round(share * len(order)))
        made.append((share, float(probs[order[kept - 1]].max()), float(right[:kept].mean())))
    return made


def _count(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    return {k: {s: sum((r.kind, r.subset) == (k, s) for r in rows) for s in SUBSETS} for k in KINDS}
