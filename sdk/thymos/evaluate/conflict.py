"""Scores fusion on the conflict set: `python -m thymos.evaluate.conflict_show DATA`.

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS, Cue, Emotion
from thymos.evaluate.classification import (
    Interval,
    bootstrap,
    expected_calibration_error,
)
from thymos.evaluate.conflict_fit import fit, row_weights
from thymos.evaluate.conflict_methods import ABLATIONS, BASELINES, matrix, naive
from thymos.evaluate.conflict_readings import readings
from thymos.evaluate.conflict_set import (
    KINDS,
    SUBSETS,
    Clip,
    Recipe,
    Row,
    build,
)
from thymos.reason.base import Affect
from thymos.reason.fusion import Heard, corrected, fuse, hear, top
from thymos.reason.reliability import Table, table
from thymos.reason.rules import CONFLICT_TOLD

F64 = NDArray[np.float64]
Cues = Mapping[str, Sequence[Cue]]

LEAST = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7)
"""Thresholds of the risk-coverage curve."""


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
        nll: Mean negative log-likelihood of the truth, nats. Here and below rows are weighted so
            that half are consistent and true classes occur as the prior says (`row_weights`).
        ece: Expected calibration error of the top class, 15 bins.
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
class Alone:
    """One modality on the clips of one source, read by itself, with an even prior.

    Attributes:
        clips: How many were read.
        people: Of how many people (speakers; groups of pictures; lines).
        raw: Accuracy, calibration error and log loss as the model gives them.
        corrected: The same after correction.
    """

    clips: int
    people: int
    raw: tuple[float, float, float]
    corrected: tuple[float, float, float]


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
        coverage: Risk-coverage: share of the rows answered if the likeliest class needs at least so
            much probability, that probability, and the share right among them.
        alone: Each modality by itself, by source and damage, raw and corrected.
        fitted: What the numbers of fusion were fitted on.
    """

    rows: dict[str, dict[str, int]]
    drawn: dict[str, dict[str, int]]
    methods: dict[str, dict[str, Scores]]
    sets: dict[str, dict[str, dict[str, float]]]
    told: dict[str, dict[str, float]]
    diagram: dict[str, list[tuple[float, float, float]]]
    coverage: list[tuple[float, float, float]]
    alone: dict[str, Alone]
    fitted: str

    def data(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def run(
    data: Path,
    *,
    recipe: Recipe | None = None,
    fitted: Literal["crossed", "shipped"] = "crossed",
    cache: Path | None = None,
    rounds: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Build the set, read its clips (or take them from the cache), fuse and score.

    Args:
        data: The data folder.
        recipe: How the set is drawn.
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
    cues = readings(data, [c for r in drawn for c in r.clips], cache, progress)
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
        answers = {
            name: matrix([how(_cues(r, cues)) for r in mine]) for name, how in BASELINES.items()
        }
        for name, part in ABLATIONS.items():
            answers[name] = matrix([part(affects[i], tables[0].prior) for i in picked])
        answers["thymos"] = matrix([affects[i].fused for i in picked])
        methods[kind] = _scores(mine, answers, rounds)
    closed = [i for i, r in enumerate(rows) if r.subset != "open"]
    mine = [rows[i] for i in closed]
    fused = matrix([affects[i].fused for i in closed])
    plain = matrix([naive(_cues(r, cues)) for r in mine])
    truth, weight = _truth(mine), row_weights(mine, _prior())
    return Result(
        rows=_count(rows),
        drawn=_count(drawn),
        methods=methods,
        sets=_sets(rows, affects),
        told=_told(rows, affects),
        diagram={
            "before": _diagram(plain, truth, weight),
            "after": _diagram(fused, truth, weight),
        },
        coverage=_coverage(fused, truth, weight),
        alone=_alone(rows, cues, tables),
        fitted=fitted,
    )


def known(rows: Sequence[Row], cues: Cues) -> Table:
    """A table fitted on some rows, with the prior of the package."""
    from thymos.reason.reliability import from_data

    return from_data(fit(rows, cues, {str(e): p for e, p in table().prior.items()}))


def _cues(row: Row, cues: Cues) -> list[Cue]:
    return [c for clip in row.clips for c in cues[clip.key]]


def _truth(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.array([EMOTIONS.index(r.truth) for r in rows], dtype=np.int64)


# -- scores


def _scores(rows: Sequence[Row], answers: Mapping[str, F64], rounds: int) -> dict[str, Scores]:
    truth = _truth(rows)
    subset = np.array([r.subset for r in rows])
    speakers = np.array([r.speaker for r in rows])
    weight = row_weights(rows, _prior())
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
            nll=float(-weight @ np.log(np.maximum(1e-4, probs[np.arange(len(truth)), truth]))),
            ece=sum(share * abs(p - hit) for share, p, hit in _diagram(probs, truth, weight, 15)),
        )
    return made


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


def _alone(rows: Sequence[Row], cues: Cues, tables: Mapping[int, Table]) -> dict[str, Alone]:
    even = dict.fromkeys(EMOTIONS, 1.0 / len(EMOTIONS))
    found: dict[str, dict[str, tuple[Clip, Heard, int]]] = {}
    for row in rows:
        for clip in row.clips:
            heard = hear(cues[clip.key]).get(clip.modality)
            if heard is not None:
                name = f"{clip.modality}, {clip.source}, {clip.damage or 'as recorded'}"
                found.setdefault(name, {})[clip.key] = (clip, heard, row.fold)
    made = {}
    for name, by_key in sorted(found.items()):
        clips = [clip for clip, _, _ in by_key.values()]
        truth = np.array([EMOTIONS.index(c.label) for c in clips])
        fixed = [
            corrected(h, tables[fold].trust[c.modality], even) for c, h, fold in by_key.values()
        ]
        made[name] = Alone(
            len(clips),
            len({c.person for c in clips}),
            _three(matrix([h.raw for _, h, _ in by_key.values()]), truth),
            _three(matrix(fixed), truth),
        )
    return made


def _three(probs: F64, truth: NDArray[np.int64]) -> tuple[float, float, float]:
    at = np.maximum(1e-4, probs[np.arange(len(truth)), truth])
    right = float(np.mean(probs.argmax(axis=1) == truth))
    return right, expected_calibration_error(probs, truth), float(-np.log(at).mean())


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


def _prior() -> F64:
    return np.array([table().prior[e] for e in EMOTIONS])


def _diagram(
    probs: F64, truth: NDArray[np.int64], weight: F64, bins: int = 10
) -> list[tuple[float, float, float]]:
    """Share of the weight, claimed probability and share right of each filled bin."""
    best, right = probs.max(axis=1), probs.argmax(axis=1) == truth
    place = np.minimum((best * bins).astype(int), bins - 1)
    made = []
    for b in np.unique(place):
        own = np.where(place == b, weight, 0.0)
        share = float(own.sum())
        if share > 0.0:
            made.append((share, float(own @ best) / share, float(own @ right) / share))
    return made


def _coverage(
    probs: F64, truth: NDArray[np.int64], weight: F64
) -> list[tuple[float, float, float]]:
    """Share of the weight kept, least probability in it, share right of what is kept."""
    best, right = probs.max(axis=1), probs.argmax(axis=1) == truth
    made = []
    for least in LEAST:
        own = np.where(best >= least, weight, 0.0)
        share = float(own.sum())
        if share > 0.0:
            made.append((share, least, float(own @ right) / share))
    return made


def _count(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    return {k: {s: sum((r.kind, r.subset) == (k, s) for r in rows) for s in SUBSETS} for k in KINDS}
