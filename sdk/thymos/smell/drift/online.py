"""A classifier for a stream: each sample is classified before any later one is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.alignment import beginnings, find_shift
from thymos.smell.drift.base import F64, Labels, fitted, rows_of, softmax
from thymos.smell.drift.discriminant import Discriminant, inverse, linear
from thymos.smell.drift.store import load_state, save_state

KIND = "online-drift-classifier"
_STREAM = ("kept", "d", "s", "shares", "weights", "offsets")


@dataclass(frozen=True, slots=True)
class Said:
    """What the classifier says of one sample.

    Attributes:
        label: The likeliest class, `unknown` below the probability at which it abstains.
        probabilities: Of `classes`, in their order [k].
        distance: How far the sample lies from its class after alignment: 1 is usual in the
            source (ratio of the squared Mahalanobis distance to the source's median).
        drift: How far the stream has moved from the source: root mean square over the features,
            in spreads of the source.
    """

    label: str
    probabilities: F64
    distance: float
    drift: float


class OnlineDriftClassifier:
    """Mixture alignment along a stream: causal, bounded memory, deterministic.

    The last `window` samples are kept. The shift is fitted anew for every sample while they are
    few and then for every tenth; it starts from *no drift*, which counts as `stay` rows, and the
    gain of each feature from the source's, which counts as `prior` rows. Less often the classes
    follow too, as in `AdaptiveClassifier`. One sample should be one sniff (its features), not one
    reading: a hundred readings of one sniff are one observation.

    Args:
        window: Samples kept.
        eager: So many first samples are each followed by a fit.
        every: Then one fit of the shift for so many samples, and one of the classes for three
            times as many.
        stay: See above.
        prior: See above.
        trust: Share of the shift that is believed, see `MixtureAlignment`.
        keep_means: Rows that the source's class means count as.
        keep_cov: Rows that the source's covariance counts as.
        starts: Random beginnings of the first fits besides even proportions and the present ones.
        abstain: Below this probability the label is `unknown`; 0 never.
        seed: Of the beginnings.
    """

    def __init__(
        self,
        *,
        window: int = 300,
        eager: int = 40,
        every: int = 10,
        stay: float = 3.0,
        prior: float = 1.0,
        trust: float = 1.0,
        keep_means: float = 100.0,
        keep_cov: float = 3000.0,
        starts: int = 4,
        abstain: float = 0.0,
        seed: int = 0,
    ) -> None:
        if (
            min(window, every) < 1
            or min(eager, starts) < 0
            or min(stay, prior) <= 0
            or not 0 < trust <= 1
        ):
            raise ConfigError(
                "window and every ≥ 1, eager and starts ≥ 0, stay and prior > 0, 0 < trust ≤ 1"
                " are needed",
                hint="OnlineDriftClassifier() has values that work",
            )
        self.settings: dict[str, float] = {
            "window": window, "eager": eager, "every": every, "stay": stay, "prior": prior,
            "trust": trust,
            "keep_means": keep_means, "keep_cov": keep_cov, "starts": starts, "abstain": abstain,
            "seed": seed,
        }  # fmt: skip
        self.model = Discriminant()
        self.seen = 0
        self._kept: F64 | None = None
        self._d = self._s = self._shares = self._weights = self._offsets = np.zeros(0)
        self._usual = 1.0

    @property
    def classes(self) -> Labels:
        """What it can say, in the order of the probabilities."""
        return self.model.classes

    def fit(self, source: ArrayLike, y: ArrayLike) -> OnlineDriftClassifier:
        """Learn the classes and begin a new stream."""
        self.model.fit(source, y)
        return self.restart()

    def restart(self) -> OnlineDriftClassifier:
        """Forget the stream, keep the classes (another nose, or a long pause)."""
        p, k = len(fitted(self.model.mean, self)), len(self.model.classes)
        self.seen = 0
        self._kept = np.zeros((int(self.settings["window"]), p))
        self._d, self._s, self._shares = np.zeros(p), np.ones(p), np.full(k, 1.0 / k)
        self._weights, self._offsets = self.model.weights, self.model.offsets
        self._usual = self.model.usual
        return self

    def update(self, x: ArrayLike) -> Said:
        """Take in one sample [features] and classify it with what was seen until now.

        Raises:
            ConfigError: Not fitted, another number of features, or no finite numbers.
        """
        kept = fitted(self._kept, self)
        z = self.model.z(rows_of(x, "sample", kept.shape[1]))
        if len(z) != 1:
            raise ConfigError(f"{len(z)} samples at once", hint="classify(rows) takes several")
        kept[self.seen % len(kept)] = z[0]
        self.seen += 1
        every, few = int(self.settings["every"]), min(self.settings["eager"], len(kept))
        rows = kept[: min(self.seen, len(kept))]
        if self.seen <= few or self.seen % every == 0:
            self._fit_shift(rows)
        if self.seen % (every if self.seen <= few else 3 * every) == 0:
            self._fit_classes(rows)
        return self._say(z[0])

    def _fit_shift(self, rows: F64) -> None:
        n, prior = len(rows), self.settings["prior"]
        about = rows - rows.mean(axis=0)
        gains = np.sqrt((np.einsum("np,np->p", about, about) + prior) / (n + prior))
        gains = gains ** self.settings["trust"]
        more = int(self.settings["starts"]) if n <= self.settings["eager"] else 0
        starts = beginnings(len(self.classes), more, int(self.settings["seed"]))
        shift = find_shift(
            self.model, rows, gains=gains, stay=self.settings["stay"], even=5.0,
            starts=np.concatenate([starts, self._shares[None]]), rounds=15,
            trust=self.settings["trust"],
        )  # fmt: skip
        self._d, self._s, self._shares = shift.d, shift.s, shift.shares

    def _fit_classes(self, rows: F64) -> None:
        model = self.model
        z = (rows - self._d) / self._s
        far = float(np.median(model.distances(z)))
        self._usual = max(far, model.usual)
        members = softmax(self._sharp * (z @ self._weights.T + self._offsets))
        means = members.T @ z + self.settings["keep_means"] * model.means
        means /= members.sum(axis=0)[:, None] + self.settings["keep_means"]
        rest, keep = z - members @ means, self.settings["keep_cov"]
        cov = (rest.T @ rest + keep * model.cov) / (len(z) + keep)
        self._weights, self._offsets = linear(means, inverse(cov))

    @property
    def _sharp(self) -> float:
        # As in AdaptiveClassifier: a target that lies far from its classes makes less sure.
        return float(np.clip(self.model.usual / self._usual, 0.02, 1.0))

    def _say(self, z: F64) -> Said:
        back = (z - self._d) / self._s
        probs = softmax(self._sharp * (self._weights @ back + self._offsets))
        top = int(probs.argmax())
        label = str(self.classes[top]) if probs[top] >= self.settings["abstain"] else "unknown"
        far = float(self.model.distances(back[None])[0]) / max(self.model.usual, 1e-9)
        return Said(label, probs, far, float(np.sqrt(np.mean(self._d**2))))

    def classify(self, rows: ArrayLike) -> Iterator[Said]:
        """Classify rows one after the other, oldest first; later rows change nothing earlier."""
        for row in rows_of(rows, "stream"):
            yield self.update(row)

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes] of rows of the stream, oldest first; they are taken in."""
        return np.array([said.probabilities for said in self.classify(x)])

    def predict(self, x: ArrayLike) -> Labels:
        """What is said of rows of the stream, oldest first; they are taken in."""
        return np.array([said.label for said in self.classify(x)], dtype=np.str_)

    def save(self, path: Path | str) -> None:
        """Write classes, settings and the stream so far; `load` goes on bit for bit."""
        fitted(self._kept, self)
        arrays = {
            **self.model.arrays(),
            **{name: getattr(self, f"_{name}") for name in _STREAM},
        }
        about = {"settings": self.settings, "seen": self.seen, "usual_now": self._usual}
        save_state(Path(path), KIND, {**about, **self.model.about()}, arrays)

    @classmethod
    def load(cls, path: Path | str) -> OnlineDriftClassifier:
        """Read what `save` wrote.

        Raises:
            CalibrationError: It is missing, damaged, or of another kind or version.
        """
        about, arrays = load_state(Path(path), KIND, (*Discriminant.ARRAYS, *_STREAM))
        made = cls(**about["settings"])
        made.model = Discriminant.of(about, arrays)
        made.restart()
        made.seen, made._usual = int(about["seen"]), float(about["usual_now"])
        for name in _STREAM:
            setattr(made, f"_{name}", arrays[name])
        return made
