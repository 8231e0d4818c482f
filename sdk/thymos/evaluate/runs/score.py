"""From answers to scores: every one with its interval and with what needs no skill beside it.

What is counted how:

- An item that cannot be *read* is listed and not scored. One that can be read and gets *no answer*
  (no face, abstained) is wrong in every score.
- By default an answer is chosen among the classes that the labels name, as is usual when a model
  meets a foreign set; `open_set` lets it name any class (a foreign one is then wrong).
- Intervals are bootstrapped over groups (people) where there are at least `MIN_GROUPS`, else over
  items, and the result says so: such an interval is too narrow.
- `majority` always says the most frequent class; `shuffled` gives the model's own answers to the
  wrong items, so it also knows how often to say what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos.evaluate.classification import (
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    f1_scores,
    macro_f1,
    precisions,
    recalls,
    reliability,
    uar,
    weighted_f1,
)
from thymos.evaluate.runs.items import Answer, Item

MIN_GROUPS = 8
MAX_LISTED = 200
TAG_ROUNDS = 300
NO_ANSWER = "no answer"
Result = dict[str, Any]
Array = NDArray[Any]

SCORES: Mapping[str, Callable[[Array, Array], float]] = {
    "uar": uar,
    "war": accuracy,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}


@dataclass(frozen=True)
class Sheet:
    """Answers to the readable items as numbers.

    Attributes:
        items: Those that could be read.
        names: Classes that the labels name, in the model's order.
        truth: [n] class numbers (the first label of each item).
        probs: [n, classes], rows sum to 1; a row of zeros is no answer.
        said: [n] class numbers; -1 is no answer, or a class that the labels do not name.
    """

    items: list[Item]
    names: list[str]
    truth: Array
    probs: Array
    said: Array

    def at(self, rows: Array) -> Sheet:
        """Only some rows."""
        items = [self.items[i] for i in rows]
        return Sheet(items, self.names, self.truth[rows], self.probs[rows], self.said[rows])


def sheet(
    items: Sequence[Item],
    answers: Mapping[str, Answer],
    classes: Sequence[str],
    *,
    open_set: bool = False,
) -> Sheet:
    """Line up items and answers.

    Raises:
        ConfigError: Not one item could be read.
    """
    kept = [item for item in items if not answers[item.key].error]
    if not kept:
        raise ConfigError(
            f"none of {len(items)} items could be read: {answers[items[0].key].error}",
            hint="check DIR: the files of the labels are looked for there",
        )
    held = {label for item in kept for label in item.labels}
    names = [name for name in classes if name in held]
    given = [_folded(answers[item.key].probs, names) for item in kept]
    inside = np.array([[p.get(name, 0.0) for name in names] for p in given])
    total = inside.sum(axis=1)
    outside = np.array([max((v for k, v in p.items() if k not in names), default=0) for p in given])
    said = np.where(total > 0, inside.argmax(axis=1), -1)
    if open_set:
        said = np.where(outside > inside.max(axis=1), -1, said)
    probs = inside / np.maximum(total, 1e-12)[:, None]
    truth = np.array([names.index(item.labels[0]) for item in kept])
    return Sheet(kept, names, truth, probs, said)


def _folded(probs: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Calm is a kind of neutral for sets that do not tell them apart (as RAVDESS does)."""
    out = dict(probs)
    if "calm" in out and "calm" not in names and "neutral" in out:
        out["neutral"] += out.pop("calm")
    return out


def summarise(
    items: Sequence[Item],
    answers: Mapping[str, Answer],
    classes: Sequence[str],
    *,
    open_set: bool = False,
    rounds: int = 1000,
) -> Result:
    """Score a run.

    Args:
        items: With labels among `classes`.
        answers: By key, one for each item.
        classes: The model's, in order.
        open_set: Answers may name any class.
        rounds: Bootstrap draws.

    Raises:
        ConfigError: Not one item could be read.
    """
    table = sheet(items, answers, classes, open_set=open_set)
    out: Result = {
        "items": len(items),
        "unreadable": [
            {"file": item.key, "error": answers[item.key].error}
            for item in items
            if answers[item.key].error
        ][:MAX_LISTED],
        "scored": len(table.items),
        "no_answer": int(np.sum(~table.probs.any(axis=1))),
        "classes": table.names,
    }
    several = np.array([len(item.labels) for item in table.items]) > 1
    if several.any():
        out["each_class"] = _each_class(table, answers, rounds)
        out["each_class"]["note"] = (
            f"{int(several.sum())} items have several labels: each class is a yes or no. "
            "The scores below are of the others."
        )
        table = table.at(np.flatnonzero(~several))
        out["scored_one_label"] = len(table.items)
    if len(table.items):
        out.update(_one_label(table, answers, rounds))
    return out


def _units(items: Sequence[Item]) -> tuple[Array, str]:
    groups = np.array([item.group for item in items])
    n = len(np.unique(groups))
    if n == len(items):
        return groups, "over items"
    if n >= MIN_GROUPS:
        return groups, f"over {n} groups"
    return np.arange(len(items)), f"over items: only {n} groups, so it is too narrow"


def _one_label(table: Sheet, answers: Mapping[str, Answer], rounds: int) -> Result:
    truth, said, names = table.truth, table.said, table.names
    units, over = _units(table.items)
    majority = np.full_like(truth, np.bincount(truth).argmax())
    shuffled = said[np.random.default_rng(0).permutation(len(said))]
    scores = {}
    for name, score in SCORES.items():
        value = bootstrap(lambda r, s=score: s(truth[r], said[r]), units, rounds)  # type: ignore[misc]
        scores[name] = {
            **_interval(value),
            "majority": round(score(truth, majority), 4),
            "shuffled": round(score(truth, shuffled), 4),
        }
    with_none = np.where(said < 0, len(names), said)
    counts = confusion(truth, with_none, len(names) + 1)[: len(names)]
    there = table.probs.any(axis=1)
    probs, right = table.probs[there], truth[there]
    every = range(len(names))
    rows = zip(
        names,
        np.bincount(truth, minlength=len(names)).tolist(),
        recalls(truth, said, every),
        precisions(truth, said, every),
        f1_scores(truth[:, None] == list(every), said[:, None] == list(every)),
        strict=True,
    )
    return {
        "interval": f"95 % bootstrap {over}",
        "scores": scores,
        "per_class": [
            {"class": c, "n": n, **_rounded(recall=r, precision=p, f1=f)} for c, n, r, p, f in rows
        ],
        "confusion": {"columns": [*names, NO_ANSWER], "rows": counts.tolist()},
        "calibration": _calibration(probs, right) if len(right) else {},
        "by": _by_tag(table),
        "worst": worst(table, answers),
    }


def _calibration(probs: Array, truth: Array) -> Result:
    return {
        "ece": round(expected_calibration_error(probs, truth), 4),
        "mean_confidence": round(float(probs.max(axis=1).mean()), 4),
        "bins": [
            _rounded(share=b.share, confidence=b.confidence, accuracy=b.accuracy)
            for b in reliability(probs, truth)
        ],
    }


def _each_class(table: Sheet, answers: Mapping[str, Answer], rounds: int) -> Result:
    truth = np.array([[n in item.labels for n in table.names] for item in table.items])
    found = np.array([[n in answers[item.key].found for n in table.names] for item in table.items])
    units, over = _units(table.items)
    value = bootstrap(lambda r: float(f1_scores(truth[r], found[r]).mean()), units, rounds)
    shuffled = found[np.random.default_rng(0).permutation(len(found))]
    return {
        "macro_f1": {
            **_interval(value),
            "always_yes": round(float(f1_scores(truth, np.ones_like(truth)).mean()), 4),
            "shuffled": round(float(f1_scores(truth, shuffled).mean()), 4),
        },
        "interval": f"95 % bootstrap {over}",
        "f1": {
            n: round(float(f), 4) for n, f in zip(table.names, f1_scores(truth, found), strict=True)
        },
    }


def _by_tag(table: Sheet) -> Result:
    """UAR for each value of each tag that takes 2 to 24 values, with its interval."""
    out: Result = {}
    units, _ = _units(table.items)
    for tag in sorted({t for item in table.items for t in item.tags if not t.startswith("_")}):
        values = np.array([item.tags.get(tag, "") for item in table.items])
        kinds = np.unique(values)
        if 2 <= len(kinds) <= 24:
            out[tag] = {str(v): _uar_of(table, np.flatnonzero(values == v), units) for v in kinds}
    return out


def _uar_of(table: Sheet, rows: Array, units: Array) -> Result:
    truth, said = table.truth[rows], table.said[rows]
    value = bootstrap(lambda r: uar(truth[r], said[r]), units[rows], TAG_ROUNDS)
    return {
        "n": len(rows),
        "uar": round(value.value, 4),
        **_rounded(low=value.low, high=value.high),
    }


def worst(table: Sheet, answers: Mapping[str, Answer], most: int = 20) -> list[Result]:
    """List wrong answers, the surest first: what is wrong and sure does most harm."""
    wrong = np.flatnonzero(table.said != table.truth)
    sure = table.probs[wrong].max(axis=1) - table.probs[wrong, table.truth[wrong]]
    out = []
    for i in wrong[np.argsort(-sure, kind="stable")][:most]:
        item, said = table.items[i], int(table.said[i])
        answer = answers[item.key]
        out.append(
            {
                "file": item.key,
                "path": item.path,
                "truth": table.names[int(table.truth[i])],
                "said": table.names[said] if said >= 0 else _first(answer),
                **_rounded(
                    confidence=table.probs[i].max(), of_truth=table.probs[i, table.truth[i]]
                ),
                "why": answer.why,
                "facts": {k: v for k, v in answer.facts.items() if isinstance(v, int | float)},
                **({"text": item.text} if item.text else {}),
            }
        )
    return out


def _first(answer: Answer) -> str:
    return max(answer.probs, key=lambda k: answer.probs[k]) if answer.probs else NO_ANSWER


def _interval(value: Any) -> dict[str, float]:
    return _rounded(value=value.value, low=value.low, high=value.high)


def _rounded(**values: float) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items()}
