"""What the drift table does not show: other balances, abstention, the alarm, a new device.

Printed by `thymos eval enose DATA --full`. Where drift is simulated, the title says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.enose import Extra
from thymos.evaluate.enose_methods import BEST, LABELLED, ONLINE, Method, methods
from thymos.evaluate.enose_parts import F64, Labels, Part
from thymos.smell.drift import (
    UNLABELLED,
    AdaptiveClassifier,
    ConcentrationInvariance,
    Coral,
    CorrectedClassifier,
    Correction,
    DirectStandardization,
    Discriminant,
    DriftGuard,
    MixtureAlignment,
    OnlineDriftClassifier,
    PiecewiseDirectStandardization,
    SelfTraining,
    TrustVote,
    WindowStandardizer,
    log_features,
)
from thymos.smell.drift.selftraining import TRUSTS

Ints = NDArray[np.intp]
Fits = TrustVote | SelfTraining | AdaptiveClassifier | CorrectedClassifier
DIRICHLET = 10
LEAST = 20
SENSOR = 8
"""Features of one sensor in the UCI set, side by side."""


def everything(train: Part, parts: Sequence[Part], seed: int, labels: int) -> list[Extra]:
    """All of them, from one source to the other parts."""
    amounts = [other_amounts(train)] if len(train.ppm) and np.isfinite(train.ppm).all() else []
    return [
        choice_held_out(train, parts),
        label_shift(train, parts, seed),
        abstention(train, parts, seed),
        chosen_labels(train, parts, labels),
        file_order(train, parts),
        alarms(train, parts, seed),
        *amounts,
        new_device(train, seed),
        cost(train),
    ]


def _told(part: Part, rows: Sequence[int] | Ints = ()) -> Labels:
    told = np.full(len(part.y), UNLABELLED, dtype=part.y.dtype)
    told[list(rows)] = part.y[list(rows)]
    return told


def choice_held_out(train: Part, parts: Sequence[Part]) -> Extra:
    """Settings chosen on all parts but one, scored on that one: what choosing itself is worth."""
    made: dict[str, Fits] = {
        "z of each batch + LDA": CorrectedClassifier(WindowStandardizer()),
        "classes follow": AdaptiveClassifier(),
        "vote of three trusts": TrustVote(),
    }
    for t in (0.1, 0.3, 1.0):
        made[f"alignment, T {t}"] = CorrectedClassifier(MixtureAlignment(t))
        for trust in TRUSTS:
            name = f"self-training, T {t}, trust {trust}"
            made[name] = SelfTraining(MixtureAlignment(t, trust=trust))
    x = log_features(train.x)
    right = np.array([
        [np.mean(_said(one, x, train.y, part) == part.y) for part in parts]
        for one in made.values()
    ])  # fmt: skip
    rows = []
    for i, part in enumerate(parts):
        others = np.delete(right, i, axis=1).mean(axis=1)
        best = int(others.argmax())
        name = f"part {part.name}: {list(made)[best]}"
        rows.append((name, [float(others[best]), float(right[best, i])]))
    rows.append(("mean", np.mean([values for _, values in rows], axis=0).tolist()))
    title = f"Settings chosen without the part that is scored ({len(made)} candidates)"
    return Extra(title, ["on the other parts", "on this part"], rows)


def _said(made: Fits, x: F64, y: Labels, part: Part) -> Labels:
    there = log_features(part.x)
    return made.fit(x, y, there).predict(there)


def rebalanced(part: Part, seed: int) -> list[tuple[str, Part]]:
    """The part with each class left out in turn, and with random balances of the classes."""
    rng = np.random.default_rng(seed)
    names = np.unique(part.y)
    made = []
    for c in names:
        rows = np.flatnonzero(part.y != c)
        if len(rows) >= LEAST and (part.y == c).sum() > SENSOR:
            made.append(("one class left out", Part(part.name, part.x[rows], part.y[rows])))
    for _ in range(DIRICHLET):
        share = rng.dirichlet(np.ones(len(names)))
        take = []
        for c, s in zip(names, share, strict=True):
            rows = rng.permutation(np.flatnonzero(part.y == c))
            take.append(rows[: round(s * min(300, len(part.y)))])
        rows = np.concatenate(take)
        if len(rows) >= LEAST:
            made.append(("random balance", Part(part.name, part.x[rows], part.y[rows])))
    return made


def label_shift(train: Part, parts: Sequence[Part], seed: int) -> Extra:
    """Unsupervised methods when the target holds other odours than the source."""
    wanted = (
        "SVM, z of the source", "logistic regression, z of each batch",
        "logarithm, z of each batch + LDA", "self-training on z of each batch",
        "mixture alignment + LDA", "mixture alignment + self-training", BEST,
    )  # fmt: skip
    cases = [case for part in parts for case in rebalanced(part, seed)]
    kinds = ["one class left out", "random balance"]
    rows = []
    for method in _named(wanted):
        right: dict[str, list[float]] = {kind: [] for kind in kinds}
        for kind, part in cases:
            said = method.answer(train, part.x, _told(part))
            right[kind].append(float(np.mean(said == part.y)))
        found = [float(np.mean(right[kind])) for kind in kinds]
        rows.append((method.name, [*found, float(min(map(min, right.values())))]))
    return Extra(f"Other balances of odours ({len(cases)} targets)", [*kinds, "worst"], rows)


def _named(names: Sequence[str]) -> list[Method]:
    known = {method.name: method for method in methods()}
    return [known[name] for name in names]


def abstention(train: Part, parts: Sequence[Part], seed: int) -> Extra:
    """Share answered and share right of those, at probabilities below which nothing is said."""
    levels = (0.0, 0.6, 0.8, 0.9, 0.95)
    shifted = [case for part in parts for _, case in rebalanced(part, seed)]
    rows = []
    for name, cases in (("the parts as they are", parts), ("other balances of odours", shifted)):
        found = np.mean([_answered(train, part, levels) for part in cases], axis=0)
        rows.append((name, found.tolist()))
    heads = [f"{what} at {level:g}" for level in levels for what in ("answered", "right")]
    return Extra(f"Abstention of {BEST}", heads, rows)


def _answered(train: Part, part: Part, levels: Sequence[float]) -> list[float]:
    made = TrustVote()
    made.fit(log_features(train.x), train.y, log_features(part.x))
    probs = made.predict_proba(log_features(part.x))
    right = made.classes[probs.argmax(axis=1)] == part.y
    found: list[float] = []
    for level in levels:
        sure = probs.max(axis=1) >= level
        found += [float(sure.mean()), float(right[sure].mean()) if sure.any() else 1.0]
    return found


def diverse(rows: F64, count: int) -> list[int]:
    """Rows that stand for the rest: k-medoids from farthest-first beginnings, no randomness.

    Gonzalez 1985 for the beginnings; Park and Jun 2009, A simple and fast algorithm for k-medoids
    clustering, for the rest.
    """
    distance = np.sqrt(np.maximum(0.0, _squares(rows, rows)))
    medoids = [int(distance.sum(axis=1).argmin())]
    while len(medoids) < min(count, len(rows)):
        medoids.append(int(distance[:, medoids].min(axis=1).argmax()))
    for _ in range(30):
        nearest = distance[:, medoids].argmin(axis=1)
        new = []
        for k, old in enumerate(medoids):
            mine = np.flatnonzero(nearest == k)
            inner = distance[np.ix_(mine, mine)].sum(axis=1)
            new.append(int(mine[inner.argmin()]) if len(mine) else old)
        if new == medoids:
            break
        medoids = new
    return medoids


def _squares(a: F64, b: F64) -> F64:
    made: F64 = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return made


def chosen_labels(train: Part, parts: Sequence[Part], labels: int) -> Extra:
    """The labelled samples not drawn but chosen: whom to ask about, from the readings alone."""
    rows = []
    for name, make in ((LABELLED, AdaptiveClassifier), ("vote of three trusts, labels", TrustVote)):
        found = []
        for part in parts:
            x = log_features(part.x)
            aligned = MixtureAlignment().fit(log_features(train.x), train.y, x)
            drawn = diverse(aligned.model.z(aligned.transform(x)), labels)
            made = make().fit(log_features(train.x), train.y, x, _known(train, part, drawn))
            rest = np.setdiff1d(np.arange(len(x)), drawn)
            found.append(float(np.mean(made.predict(x)[rest] == part.y[rest])))
        rows.append((name, [*found, float(np.mean(found))]))
    heads = [*(part.name for part in parts), "mean"]
    return Extra(f"{labels} labelled samples, chosen (k-medoids) and not drawn", heads, rows)


def _known(train: Part, part: Part, rows: Sequence[int]) -> Labels:
    told = _told(part, rows)
    told[~np.isin(told, train.y)] = UNLABELLED
    return told


def file_order(train: Part, parts: Sequence[Part]) -> Extra:
    """Online, but in the order of the files: odour after odour, as a laboratory measures."""
    found = []
    for part in parts:
        made = OnlineDriftClassifier().fit(log_features(train.x), train.y)
        found.append(float(np.mean(made.predict(log_features(part.x)) == part.y)))
    heads = [*(part.name for part in parts), "mean"]
    row = (ONLINE, [*found, float(np.mean(found))])
    return Extra("Online in the order of the files (grouped by odour)", heads, [row])


def alarms(train: Part, parts: Sequence[Part], seed: int) -> Extra:
    """How often the guard calls, window after window, on the known and on the drifted."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train.y))
    here, held = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    x = log_features(train.x)
    guard = DriftGuard().fit(x[here], train.y[here])
    rows = [("held-out rows of the source: false alarms", [_called(guard, x[held])])]
    for part in parts:
        shuffled = log_features(part.x)[rng.permutation(len(part.y))]
        rows.append((f"part {part.name}", [_called(guard, shuffled)]))
    for loss in (0.1, 0.2, 0.3, 0.5):
        rows.append(
            (f"simulated: one sensor loses {loss:.0%}", [_lost(guard, train.x[held], loss)])
        )
    rows.append(("simulated: one sensor dead", [_lost(guard, train.x[held], 1.0)]))
    for c in np.unique(train.y):
        known = here[train.y[here] != c]
        new = np.flatnonzero(train.y == c)
        if len(new) >= guard.window:
            other = DriftGuard().fit(x[known], train.y[known])
            rows.append((f"{c}, never learnt", [_called(other, x[new])]))
    return Extra(
        f"Needs recalibration: share of windows of {guard.window} samples with an alarm",
        ["alarms"],
        rows,
    )


def _called(guard: DriftGuard, rows: F64) -> float:
    guard.restart()
    said = [guard.update(row).needed for row in rows][guard.window - 1 :]
    return float(np.mean(said)) if said else float("nan")


def other_amounts(train: Part) -> Extra:
    """One batch: learnt on the weaker half of each odour, tested on the stronger, and back."""
    weak = np.zeros(len(train.y), dtype=bool)
    for c in np.unique(train.y):
        mine = np.flatnonzero(train.y == c)
        weak[mine] = train.ppm[mine] <= np.median(train.ppm[mine])
    spread = train.x.std(axis=0)
    tried: list[tuple[str, F64, Correction | None]] = [
        ("values as they are + LDA", (train.x - train.x.mean(axis=0)) / spread, None),
        ("logarithm + LDA", log_features(train.x), None),
        ("… without directions of concentration", log_features(train.x), ConcentrationInvariance()),
        ("… without 3 of them", log_features(train.x), ConcentrationInvariance(3)),
    ]
    rows = []
    for name, x, correction in tried:
        found = []
        for here in (weak, ~weak):
            if correction is None:
                said = Discriminant().fit(x[here], train.y[here]).predict(x[~here])
            else:
                made = CorrectedClassifier(correction).fit(x[here], train.y[here])
                said = made.predict(x[~here])
            found.append(float(np.mean(said == train.y[~here])))
        rows.append((name, found))
    heads = ["weak → strong", "strong → weak"]
    return Extra("Concentrations that were never learnt (within the source)", heads, rows)


def _lost(guard: DriftGuard, x: F64, loss: float) -> float:
    """Mean over sensors, each of them worse in turn."""
    found = []
    for first in range(0, x.shape[1], SENSOR):
        worse = x.copy()
        worse[:, first : first + SENSOR] *= 1 - loss
        found.append(_called(guard, log_features(worse)))
    return float(np.mean(found))


def new_device(train: Part, seed: int, draws: int = 5) -> Extra:
    """A second device, simulated: gains of its own for each feature, offsets, crosstalk, noise.

    Half of the source's rows are learnt; the other device measures the other half. Transfer
    samples are rows of the first half that both have measured.
    """
    counts = (5, 10, 20, 50)
    names: list[tuple[str, Callable[[], Correction] | None, bool]] = [
        ("as it is", None, False), ("z of each device", WindowStandardizer, False),
        ("CORAL", Coral, False), ("mixture alignment", MixtureAlignment, False),
        ("DS, paired", DirectStandardization, True),
        ("PDS, paired", PiecewiseDirectStandardization, True),
    ]  # fmt: skip
    right = {name: np.zeros((draws, len(counts))) for name, _, _ in names}
    for d in range(draws):
        rng = np.random.default_rng(seed + d)
        order = rng.permutation(len(train.y))
        a, b = order[::2], order[1::2]
        x = log_features(train.x)
        other = _other_device(x, rng)
        plain = Discriminant().fit(x[a], train.y[a])
        for name, make, paired in names:
            for i, count in enumerate(counts):
                if make is None:
                    said = plain.predict(other[b])
                elif paired:
                    shared = a[:count]
                    moved = make().fit(x[shared], train.y[shared], other[shared])
                    said = plain.predict(moved.transform(other[b]))
                else:
                    made = CorrectedClassifier(make()).fit(x[a], train.y[a], other[b])
                    said = made.predict(other[b])
                right[name][d, i] = np.mean(said == train.y[b])
    rows = [(name, right[name].mean(axis=0).tolist()) for name, _, _ in names]
    heads = [f"{count} transfer samples" for count in counts]
    return Extra(f"A second device, SIMULATED ({draws} draws)", heads, rows)


def _other_device(x: F64, rng: np.random.Generator) -> F64:
    p = x.shape[1]
    exponent = np.exp(0.3 * rng.normal(size=p))
    gain = 1.0 * rng.normal(size=p)
    talk = 0.2 * rng.normal(size=(p, p)) / np.sqrt(p)
    spread = x.std(axis=0)
    moved = x * exponent + gain
    made: F64 = moved + (moved - moved.mean(axis=0)) @ talk
    made += 0.05 * spread * rng.normal(size=x.shape)
    return made


def cost(train: Part, samples: int = 2000) -> Extra:
    """Processor time of one sample on this machine, refits shared out; the window is full."""
    rows = []
    for count in sorted({min(16, train.x.shape[1]), train.x.shape[1]}):
        x = log_features(train.x[:, :: max(1, train.x.shape[1] // count)][:, :count])
        made = OnlineDriftClassifier().fit(x, train.y)
        guard = DriftGuard().fit(x, train.y)
        found = []
        for step in (made.update, guard.update):
            for row in x[:300]:
                step(row)
            begin = time.process_time()
            for i in range(samples):
                step(x[i % len(x)])
            found.append(1e6 * (time.process_time() - begin) / samples)
        rows.append((f"{count} features", found))
    return Extra("Processor time of a sample, µs", ["OnlineDriftClassifier", "DriftGuard"], rows)
