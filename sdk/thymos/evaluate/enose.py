"""The drift protocol: train on some parts, test on each other one, with everything beside it.

`run` scores every method on every part; `thymos eval enose` prints it. Accuracy is over the rows
of a part; the mean is over parts, since a large batch is not a better test of drift than a small
one. The interval of one part is a bootstrap over its rows: each is an exposure of its own, and the
bootstrap of a mean of zeros and ones is a binomial draw (Efron and Tibshirani 1993, section 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos.evaluate.classification import Interval
from thymos.evaluate.enose_methods import Method, methods
from thymos.evaluate.enose_parts import Part, join
from thymos.smell.drift import UNLABELLED

Progress = Callable[[int, int], None]
ORDERS = 10
LABELS = 20
ROUNDS = 2000


@dataclass(frozen=True)
class Cell:
    """One method on one part.

    Attributes:
        accuracy: Share right, with its 95 % bootstrap interval (over rows; of the mean of runs).
        runs: Share right of each seeded run: random orders or draws of labels; one if there is
            nothing random.
    """

    accuracy: Interval
    runs: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """One method on all parts.

    Attributes:
        name: Of the method.
        kind: What it may see, a key of `enose_methods.KINDS`.
        cells: By name of the part.
        mean: Over parts, with its interval.
        spread: Standard deviation of the mean over seeded runs; 0 if there is one run.
        worst: Lowest run of any part.
    """

    name: str
    kind: str
    cells: dict[str, Cell]
    mean: Interval
    spread: float
    worst: float


@dataclass(frozen=True)
class Experiment:
    """One source, tested on each of the other parts."""

    source: str
    parts: dict[str, int]
    lines: list[Line]

    def line(self, name: str) -> Line:
        """The line of a method.

        Raises:
            ConfigError: There is none of that name.
        """
        found = next((line for line in self.lines if line.name == name), None)
        if found is None:
            raise ConfigError(f"no method '{name}' was scored", hint="see the lines of the table")
        return found


@dataclass(frozen=True)
class Extra:
    """A small table beside: what was asked, the columns, and rows of a name with numbers."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[float]]]


@dataclass(frozen=True)
class EnoseResult:
    """Everything that is printed, and `data()` for `--json`."""

    protocol: str
    data_name: str
    part_kind: str
    seed: int
    orders: int
    labels: int
    experiments: list[Experiment]
    notes: list[str] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def run_experiment(
    parts: Sequence[Part],
    source: Sequence[str],
    targets: Sequence[str],
    *,
    seed: int = 0,
    orders: int = ORDERS,
    labels: int = LABELS,
    chosen: Sequence[Method] | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Train on `source`, test on each of `targets`.

    Args:
        parts: All parts.
        source: Names of the parts to train on, joined.
        targets: Names of the parts to test on, one by one.
        seed: Of orders and draws.
        orders: Seeded runs of the online methods and of those with labelled samples.
        labels: Labelled target samples, drawn at random; they are not scored.
        chosen: Methods; all by default.
        progress: Told how many cells are done and how many there are.

    Raises:
        ConfigError: A part has no rows left beside the labelled ones.
    """
    by_name = {part.name: part for part in parts}
    train = join([by_name[name] for name in source])
    tests = [by_name[name] for name in targets]
    small = next((part for part in tests if len(part.y) <= labels), None)
    if small is not None:
        raise ConfigError(
            f"part '{small.name}' has {len(small.y)} rows: {labels} labelled ones leave none "
            "to score",
            hint=f"--labels {max(2, min(len(part.y) for part in tests) // 3)}",
        )
    tried = methods() if chosen is None else list(chosen)
    total, lines = len(tried) * len(tests), []
    for n, method in enumerate(tried):
        runs = {}
        for m, part in enumerate(tests):
            runs[part.name] = score(method, train, part, seed=seed, orders=orders, labels=labels)
            if progress:
                progress(n * len(tests) + m + 1, total)
        lines.append(line_of(method.name, method.kind, runs, tests, seed))
    return Experiment(train.name, {p.name: len(p.y) for p in tests}, lines)


def score(
    method: Method, train: Part, part: Part, *, seed: int, orders: int, labels: int
) -> list[float]:
    """Share right of a method on a part, for each seeded run."""
    if method.kind == "online":
        return [_in_order(method, train, part, seed + run) for run in range(orders)]
    if method.kind == "labelled":
        return [_with_labels(method, train, part, seed + run, labels) for run in range(orders)]
    nothing = np.full(len(part.y), UNLABELLED, dtype=np.str_)
    return [float(np.mean(method.answer(train, part.x, nothing) == part.y))]


def _in_order(method: Method, train: Part, part: Part, seed: int) -> float:
    """Rows of the files are grouped by odour, which no robot meets: a random order."""
    order = np.random.default_rng(seed).permutation(len(part.y))
    nothing = np.full(len(order), UNLABELLED, dtype=np.str_)
    return float(np.mean(method.answer(train, part.x[order], nothing) == part.y[order]))


def _with_labels(method: Method, train: Part, part: Part, seed: int, labels: int) -> float:
    drawn = np.random.default_rng(seed).permutation(len(part.y))[:labels]
    return scored_with(method, train, part, drawn)


def scored_with(method: Method, train: Part, part: Part, drawn: NDArray[np.intp]) -> float:
    """Share right of the rows that were not labelled."""
    told = np.full(len(part.y), UNLABELLED, dtype=part.y.dtype)
    told[drawn] = part.y[drawn]
    # A label the source never had cannot be learnt here; it still counts as a mistake.
    told[~np.isin(told, train.y)] = UNLABELLED
    rest = np.ones(len(part.y), dtype=bool)
    rest[drawn] = False
    return float(np.mean((method.answer(train, part.x, told) == part.y)[rest]))


def line_of(
    name: str, kind: str, runs: dict[str, list[float]], parts: Sequence[Part], seed: int
) -> Line:
    """Put the runs of a method together."""
    rng = np.random.default_rng(seed)
    cells, draws = {}, []
    for part in parts:
        value = float(np.mean(runs[part.name]))
        drawn = rng.binomial(len(part.y), value, ROUNDS) / len(part.y)
        low, high = np.quantile(drawn, [0.025, 0.975])
        cells[part.name] = Cell(Interval(value, float(low), float(high)), tuple(runs[part.name]))
        draws.append(drawn)
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    means = np.mean([runs[part.name] for part in parts], axis=0)
    mean = Interval(float(means.mean()), float(low), float(high))
    worst = float(min(min(runs[part.name]) for part in parts))
    return Line(name, kind, cells, mean, float(means.std()), worst)


def drift_set(
    parts: Sequence[Part],
    *,
    name: str = "uci_drift",
    seed: int = 0,
    orders: int = ORDERS,
    labels: int = LABELS,
    full: bool = False,
    progress: Progress | None = None,
) -> EnoseResult:
    """UCI drift: from batch 1 to each later one, and from batches 1 to 3 to each later one.

    Args:
        parts: What `read_uci` gave.
        name: Of the data, for the result.
        seed: Of everything random.
        orders: Seeded runs.
        labels: Labelled target samples of a run.
        full: Also the tables of `enose_more`.
        progress: Told how many cells are done and how many there are.
    """
    names = [part.name for part in parts]
    plans = [(names[:1], names[1:])]
    later = [n for n in names if int(n) > 3]
    if {"1", "2", "3"} <= set(names) and later:
        plans.append((["1", "2", "3"], later))
    cells = [len(targets) for _, targets in plans]
    done, made = 0, []
    for (source, targets), width in zip(plans, cells, strict=True):

        def tell(now: int, total: int, done: int = done, width: int = width) -> None:
            if progress:
                progress(done + now, total // width * sum(cells))

        made.append(
            run_experiment(
                parts, source, targets,
                seed=seed, orders=orders, labels=labels, progress=tell,
            )
        )  # fmt: skip
        done += len(made[-1].lines) * width
    extras: list[Extra] = []
    if full:
        from thymos.evaluate.enose_more import everything

        extras = everything(parts[0], parts[1:], seed, labels)
    return EnoseResult("drift", name, "batch", seed, orders, labels, made, extras=extras)
