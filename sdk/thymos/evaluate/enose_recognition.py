"""How well the odours of SmellNet are recognised, and unknown ones refused.

Every figure comes from recordings that the model did not see, with a 95 % bootstrap interval over
recordings and trivial baselines beside it. scikit-learn is used for the baselines only. The models
are fitted here from the data; nothing is read from the shipped weights, so that the same functions
score changed data or changed recipes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError
from thymos.evaluate.classification import bootstrap, expected_calibration_error
from thymos.smell.recognise.embed import EARLY_WINDOWS, WINDOW_BINS, sniff_points, windows
from thymos.smell.recognise.model import OdourModel
from thymos.train.enose_data import ROWS_A_BIN, Sniff, smellnet
from thymos.train.enose_fit import FOLDS, calibrated, fit, folds, leave_out

F64 = NDArray[np.float64]
Progress = Callable[[float, str], None]

SPLITS = 10
FIRST_SPLIT = 100
"""Seeds of the splits that score unknown odours; those that fitted the curve were 0 to 9."""
SOONER = (20, 35, 125, 305)
"""Seconds after which a window has just closed."""
OTHER_DAY = 2.0
"""A gap in humidity, %, between recordings of one substance: another day."""
STUCK = 100.0


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: What was scored, on what.
        value: The score.
        low: Lower end of its 95 % interval (of splits: their 10th percentile).
        high: Upper end (of splits: their 90th percentile).
        n: Number of recordings, scans or splits.
        kind: `score`, `baseline` (trivial or another method), `leak` (what must not be used) or
            `target` for a score that an aim stands against.
        aim: What was aimed at; None without an aim.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    kind: str = "score"
    aim: float | None = None

    @property
    def text(self) -> str:
        """The figure in one line."""
        aim = f", aim {self.aim:.2f}" if self.aim is not None else ""
        return f"{self.name}: {self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n {self.n}{aim})"


@dataclass
class RecognitionResult:
    """All figures of one data set.

    Attributes:
        name: Of the data set.
        rows: The figures.
        confusions: (true, said, how often), most often first.
        notes: What one must know to read them.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, right: Sequence[bool] | F64, **facts: Any) -> None:
        """Add the mean of right answers, with its interval over recordings."""
        values = np.asarray(right, dtype=np.float64)
        found = bootstrap(lambda rows: float(values[rows].mean()), np.arange(len(values)))
        self.rows.append(Row(name, found.value, found.low, found.high, len(values), **facts))

    def spread(self, name: str, values: Sequence[float], **facts: Any) -> None:
        """Add the mean over splits that gave a number, from their 10th to their 90th percentile."""
        found = np.array(values, dtype=np.float64)
        found = found[np.isfinite(found)]
        low, high = np.quantile(found, (0.1, 0.9))
        self.rows.append(
            Row(name, float(found.mean()), float(low), float(high), len(found), **facts)
        )

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def evaluate_smellnet(
    folder: Path, *, seed: int = 0, full: bool = True, progress: Progress | None = None
) -> RecognitionResult:
    """Recognition, rejection and calibration on SmellNet, six gas channels only.

    Args:
        folder: With `train` and `test`.
        seed: Of the baselines.
        full: Also unknown odours and the slower baselines.
        progress: Told the share that is done and what is next.

    Raises:
        MediaError: The data is not there.
        MissingExtraError: scikit-learn is not installed.
    """
    told = progress or (lambda share, what: None)
    train, test = smellnet(folder, "train"), smellnet(folder, "test")
    result = RecognitionResult("SmellNet")
    told(0.0, "recordings left out, one of five of each substance")
    pairs = _pairs(train)
    held = [answer_of(model, sniff) for model, sniff in pairs]
    result.add(
        "recording left out of train, whole", right_of(held, "whole"), kind="target", aim=0.9
    )
    result.add(
        "recording left out of train, first 60 s", right_of(held, "minute"), kind="target", aim=0.75
    )
    for seconds in SOONER:
        result.add(f"recording left out of train, first {seconds} s", _after(pairs, seconds))
    told(0.2, "train to test")
    final = calibrated(train)
    seen = [answer_of(final, s) for s in test]
    result.add("train to test, whole", right_of(seen, "whole"), kind="target", aim=0.9)
    result.add("train to test, first 60 s", right_of(seen, "minute"), kind="target", aim=0.75)
    _add_calibration(result, [answer_of(_like(m, final), s) for m, s in pairs])
    wrong = Counter((a.truth, a.whole) for a in (*held, *seen) if a.truth != a.whole)
    result.confusions = [(t, s, n) for (t, s), n in sorted(wrong.items(), key=lambda i: (-i[1], i))]
    told(0.4, "baselines")
    _baselines(result, train, test, seed, forest=full)
    if full:
        told(0.6, "substances left out")
        _unknown(result, train)
        _other_session(result, train)
    result.notes.append(
        "Most substances were recorded in one session, so that even gas channels know the session: "
        "read these as recognition on the same days."
    )
    return result


@dataclass(frozen=True)
class Answer:
    """What was said of one recording: best class on all and on 60 s, shares, known."""

    truth: str
    whole: str
    minute: str
    share: float
    known: float
    distance: tuple[float, float]


def answer_of(model: OdourModel, sniff: Sniff) -> Answer:
    """What a model says of a recording."""
    points = model.embedding(windows(sniff.bins))
    whole = model.distances(points.mean(axis=0))
    minute = model.distances(points[:EARLY_WINDOWS].mean(axis=0))
    share, known = model.probabilities(whole, len(points))
    names = (model.labels[int(whole.argmin())], model.labels[int(minute.argmin())])
    nearest = (float(np.sqrt(whole.min())), float(np.sqrt(minute.min())))
    return Answer(sniff.substance, *names, float(share.max()), known, nearest)


def _pairs(sniffs: Sequence[Sniff]) -> list[tuple[OdourModel, Sniff]]:
    """Each recording with a model that never saw it."""
    fold = folds(sniffs)
    models = [fit([s for s, k in zip(sniffs, fold, strict=True) if k != f]) for f in range(FOLDS)]
    return [(models[k], s) for s, k in zip(sniffs, fold, strict=True)]


def _after(pairs: Sequence[tuple[OdourModel, Sniff]], seconds: int) -> list[bool]:
    """Whether the best class after so many seconds is right; a bin closes with the next reading."""
    count = seconds // ROWS_A_BIN - WINDOW_BINS
    right = []
    for model, sniff in pairs:
        points = model.embedding(windows(sniff.bins)[:count])
        said = model.labels[int(model.distances(points.mean(axis=0)).argmin())]
        right.append(said == sniff.substance)
    return right


def _like(model: OdourModel, final: OdourModel) -> OdourModel:
    """A model with the calibration of another."""
    facts = replace(model.facts, temperature=final.facts.temperature, known=final.facts.known)
    return replace(model, facts=facts)


def right_of(answers: Sequence[Answer], what: str) -> list[bool]:
    """Which answers are right: on the `whole` recording, or on its first `minute`."""
    return [getattr(a, what) == a.truth for a in answers]


def _add_calibration(result: RecognitionResult, answers: Sequence[Answer]) -> None:
    right = np.array(right_of(answers, "whole"))
    share = np.array([a.share for a in answers])
    table = np.stack([share, 1.0 - share], axis=1)
    truth = np.where(right, 0, 1)
    keep = share > 0.5  # the binary table's top must be the class that was named
    ece = expected_calibration_error(table[keep], truth[keep])
    n = int(keep.sum())
    result.rows.append(Row("calibration error of the share", ece, ece, ece, n))
    named = np.array([a.known * a.share >= 0.5 for a in answers])
    result.add("named at all (else unknown or unclear)", named.astype(float))
    result.add("right where named", right[named])


def _baselines(
    result: RecognitionResult,
    train: Sequence[Sniff],
    test: Sequence[Sniff],
    seed: int,
    *,
    forest: bool,
) -> None:
    share = 1.0 / len({s.substance for s in train})
    result.rows.append(
        Row("always the same substance", share, share, share, len(test), kind="baseline")
    )
    cases: list[tuple[str, str, Callable[[Sniff], F64]]] = [
        ("gas channels", "baseline", _summary),
        ("CLIMATE CHANNELS ONLY (no gas at all)", "leak", _climate),
        ("changes of gas channels only (no level)", "baseline", _changes),
    ]
    truth = [s.substance for s in test]
    levels = np.stack([_summary(s)[:6] for s in train])
    near = _nearest_mean(levels, train, np.stack([_summary(s)[:6] for s in test]))
    result.add("nearest mean level, train to test", _same(near, truth), kind="baseline")
    if not forest:
        return
    for name, kind, features in cases:
        x = np.stack([features(s) for s in train])
        y = [s.substance for s in train]
        said = _forest(seed).fit(x, y).predict(np.stack([features(s) for s in test]))
        result.add(f"random forest, {name}, train to test", _same(said, truth), kind=kind)
        fold = folds(train)
        right: list[bool] = []
        for f in range(FOLDS):
            grown = _forest(seed).fit(
                x[fold != f], [t for t, k in zip(y, fold, strict=True) if k != f]
            )
            right += _same(
                grown.predict(x[fold == f]), [t for t, k in zip(y, fold, strict=True) if k == f]
            )
        result.add(f"random forest, {name}, recording left out", right, kind=kind)


def _same(said: Sequence[str] | NDArray[Any], truth: Sequence[str]) -> list[bool]:
    return [str(a) == b for a, b in zip(said, truth, strict=True)]


def _forest(seed: int) -> Any:
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as err:
        raise MissingExtraError("scikit-learn", "train") from err
    return RandomForestClassifier(300, random_state=seed)


def _nearest_mean(x: F64, train: Sequence[Sniff], other: F64) -> list[str]:
    names = sorted({s.substance for s in train})
    own = np.array([s.substance for s in train])
    means = np.stack([x[own == name].mean(axis=0) for name in names])
    return [names[int(((row - means) ** 2).sum(axis=1).argmin())] for row in other]


def _summary(sniff: Sniff) -> F64:
    """Mean, spread, first and last level of the log readings [24]."""
    b = sniff.bins
    return np.concatenate([b.mean(axis=0), b.std(axis=0), b[:3].mean(axis=0), b[-3:].mean(axis=0)])


def _changes(sniff: Sniff) -> F64:
    """Spread and changes against the first seconds; no level."""
    b = sniff.bins - sniff.bins[:2].mean(axis=0)
    return np.concatenate([b.std(axis=0), *(part.mean(axis=0) for part in np.array_split(b, 4))])


def _climate(sniff: Sniff) -> F64:
    return np.concatenate([np.nanmean(sniff.climate, axis=0), np.nanstd(sniff.climate, axis=0)])


def _unknown(result: RecognitionResult, sniffs: Sequence[Sniff]) -> None:
    """Substances left out as the unknown; a fold of recordings of the others as the known."""
    fold = folds(sniffs)
    names = sorted({s.substance for s in sniffs})
    scores: tuple[list[float], list[float]] = ([], [])
    for split in range(SPLITS):
        out, f = leave_out(names, FIRST_SPLIT + split), split % FOLDS
        pairs = list(zip(sniffs, fold, strict=True))
        model = fit([s for s, k in pairs if k != f and s.substance not in out])
        asked = [s for s, k in pairs if k == f or s.substance in out]
        answers = [answer_of(model, s) for s in asked]
        known = np.array([s.substance not in out for s in asked])
        for i, found in enumerate(scores):
            found.append(auroc(known, -np.array([a.distance[i] for a in answers])))
    result.spread(
        f"unknown odour, AUROC, {SPLITS} splits, whole", scores[0], kind="target", aim=0.9
    )
    result.spread(f"unknown odour, AUROC, {SPLITS} splits, first 60 s", scores[1])


def auroc(positive: NDArray[np.bool_], score: F64) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties count half."""
    high, low = score[positive][:, None], score[~positive][None, :]
    return float(((high > low) + 0.5 * (high == low)).mean())


def _other_session(result: RecognitionResult, sniffs: Sequence[Sniff]) -> None:
    """Recordings of a substance that was recorded on two days, with all of their own day left out.

    Days are told apart by a gap in the humidity of the room; a stuck sensor tells nothing.
    """
    right: list[bool] = []
    again: list[bool] = []
    for name in sorted({s.substance for s in sniffs}):
        mine = sorted((s for s in sniffs if s.substance == name), key=lambda s: s.humidity)
        gaps = [b.humidity - a.humidity for a, b in pairwise(mine)]
        if not gaps or max(gaps) < OTHER_DAY or mine[-1].humidity >= STUCK:
            continue
        cut = gaps.index(max(gaps)) + 1
        for asked, kept in ((mine[:cut], mine[cut:]), (mine[cut:], mine[:cut])):
            model = fit([s for s in sniffs if s.substance != name] + kept)
            right += right_of([answer_of(model, s) for s in asked], "whole")
            for one in asked:
                points = sniff_points(model.embedding(windows(one.bins)))
                taught = model.with_taught({name: points})
                rest = [s for s in asked if s is not one]
                again += right_of([answer_of(taught, s) for s in rest], "whole")
    if right:
        result.add("the same substance on another day (the few that have two)", right)
        result.add("the same, once taught one sniff of that day", again)
