"""The alarm: what comes in no longer looks like what was learnt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.base import F64, fitted, labels_of, rows_of
from thymos.smell.drift.moments import EPS, ledoit_wolf
from thymos.smell.drift.store import load_state, save_state

KIND = "drift-guard"
COMMAND = "thymos calibrate enose"
_FOLDS = 5
_DRAWS = 4000
_ARRAYS = ("mean", "spread", "means", "precision", "names")


@dataclass(frozen=True, slots=True)
class GuardState:
    """What the guard says after a sample.

    Attributes:
        score: 0 as learnt, 1 at the limit; larger is further away. NaN while there are fewer
            samples than the window holds.
        needed: The nose needs recalibration.
        reason: Which channel and how far, one line; empty if nothing is needed.
        command: What to type; empty if nothing is needed.
    """

    score: float
    needed: bool
    reason: str = ""
    command: str = ""


class DriftGuard:
    """Says "needs recalibration" when the stream leaves what was learnt.

    Each sample has a distance to the nearest learnt class (Mahalanobis, shrunk covariance; a
    novelty detector as in Hastie et al., section 14.2.4); the median of the last `window`
    distances is compared with a limit which as many samples of the *known* exceed with the
    probability `false_alarm`. Distances of the known come from cross-validation: rows that
    helped to learn a covariance lie too near to it.

    Args:
        window: Samples of a verdict. One odd sample is an odd smell, twenty are an odd nose.
        false_alarm: Probability that a window of the known exceeds the limit.
        names: Of the features, for the reason.
    """

    def __init__(
        self, window: int = 20, false_alarm: float = 1e-3, names: Sequence[str] = ()
    ) -> None:
        if window < 1 or not 0 < false_alarm < 0.5:
            raise ConfigError("window ≥ 1 and false_alarm in (0, 0.5)", hint="window=20")
        self.window, self.false_alarm = window, false_alarm
        self.names = tuple(names)
        self.limit = float("inf")
        self.usual = 0.0
        self._known: tuple[F64, F64, F64, F64] | None = None
        self._distances: deque[float] = deque(maxlen=window)
        self._blames: deque[F64] = deque(maxlen=window)

    def fit(self, rows: ArrayLike, y: ArrayLike | None = None) -> DriftGuard:
        """Learn what is known: rows [n, features], with their classes if there are any.

        Raises:
            ConfigError: Fewer than ten rows, or they are no finite numbers.
        """
        x = rows_of(rows, "known")
        if len(x) < 2 * _FOLDS:
            raise ConfigError(f"{len(x)} rows are too few", hint=f"give {2 * _FOLDS} or more")
        labels = labels_of(np.full(len(x), "known") if y is None else y, x, "known")
        if self.names and len(self.names) != x.shape[1]:
            raise ConfigError(f"{len(self.names)} names for {x.shape[1]} features", hint="names=()")
        self._known = _learn(x, labels)
        rng = np.random.default_rng(0)
        fold = rng.permutation(len(x)) % _FOLDS
        apart = np.empty(len(x))
        for f in range(_FOLDS):
            apart[fold == f] = _far(x[fold == f], _learn(x[fold != f], labels[fold != f]))[0]
        windows = np.median(rng.choice(apart, (_DRAWS, self.window)), axis=1)
        self.usual = float(np.median(apart))
        self.limit = float(np.quantile(windows, 1 - self.false_alarm))
        return self.restart()

    def restart(self) -> DriftGuard:
        """Forget the stream, keep what is known."""
        self._distances.clear()
        self._blames.clear()
        return self

    def update(self, x: ArrayLike) -> GuardState:
        """Take in one sample [features].

        Raises:
            ConfigError: Not fitted, another number of features, or no finite numbers.
        """
        known = fitted(self._known, self)
        row = rows_of(x, "sample", len(known[0]))
        far, blame = _far(row[-1:], known)
        self._distances.append(float(far[0]))
        self._blames.append(blame[0])
        if len(self._distances) < self.window:
            return GuardState(float("nan"), False)
        now = float(np.median(self._distances))
        score = max(0.0, (now - self.usual) / max(self.limit - self.usual, EPS))
        if score < 1:
            return GuardState(score, False)
        return GuardState(score, True, self._reason(), COMMAND)

    def _reason(self) -> str:
        shift = np.median(np.asarray(self._blames), axis=0)
        worst = int(np.abs(shift).argmax())
        name = self.names[worst] if self.names else f"feature {worst + 1}"
        return (
            f"the last {self.window} samples lie outside what was learnt, {name} most of all "
            f"({shift[worst]:+.1f} spreads from what the others say)"
        )

    def save(self, path: Path | str) -> None:
        """Write what is known (not the stream)."""
        mean, spread, means, precision = fitted(self._known, self)
        about = {
            "window": self.window, "false_alarm": self.false_alarm,
            "limit": self.limit, "usual": self.usual,
        }  # fmt: skip
        arrays = {"mean": mean, "spread": spread, "means": means, "precision": precision}
        save_state(Path(path), KIND, about, {**arrays, "names": np.array(self.names, np.str_)})

    @classmethod
    def load(cls, path: Path | str) -> DriftGuard:
        """Read what `save` wrote.

        Raises:
            CalibrationError: It is missing, damaged, or of another kind or version.
        """
        about, arrays = load_state(Path(path), KIND, _ARRAYS)
        made = cls(int(about["window"]), float(about["false_alarm"]), arrays["names"].tolist())
        made.limit, made.usual = float(about["limit"]), float(about["usual"])
        mean, spread, means, precision = (arrays[n] for n in _ARRAYS[:4])
        made._known = mean, spread, means, precision
        return made


def _learn(x: F64, labels: np.ndarray) -> tuple[F64, F64, F64, F64]:
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > EPS, spread, 1.0)
    z = (x - mean) / spread
    classes, place = np.unique(labels, return_inverse=True)
    means = np.array([z[place == c].mean(axis=0) for c in range(len(classes))])
    precision: F64 = np.asarray(np.linalg.inv(ledoit_wolf(z - means[place])), dtype=np.float64)
    return mean, spread, means, precision


def _far(x: F64, known: tuple[F64, F64, F64, F64]) -> tuple[F64, F64]:
    """Logarithm of the squared distance of each row to its nearest class, and who is to blame.

    The blame of a feature is its difference from what all other features say it should be, in
    spreads of that difference: (P r)_j / √P_jj.
    """
    mean, spread, means, precision = known
    z = (x - mean) / spread
    rests = z[:, None] - means
    q = np.einsum("nkp,pq,nkq->nk", rests, precision, rests, optimize=True)
    nearest = q.argmin(axis=1)
    rows = np.arange(len(x))
    blame = rests[rows, nearest] @ precision / np.sqrt(np.diag(precision))
    return np.log(q[rows, nearest] + EPS), blame
