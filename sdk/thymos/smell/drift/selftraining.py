"""Self-training: what is said surely is believed, the rest is left open; and a vote of several."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.adaptive import worded
from thymos.smell.drift.alignment import MixtureAlignment
from thymos.smell.drift.base import F64, Correction, Labels, rows_of, softmax, source_of, target_of
from thymos.smell.drift.discriminant import Discriminant
from thymos.smell.drift.moments import WindowStandardizer


class SelfTraining:
    """A correction, a discriminant, and rounds in which the surest target rows become labelled.

    Yarowsky 1995, Unsupervised word sense disambiguation rivaling supervised methods, ACL,
    section 3; class by class, as in Zou et al. 2018, Unsupervised domain adaptation via
    class-balanced self-training, ECCV: a frequent class must not swallow the others.

    Args:
        correction: Brings both sides together first; per-window z-scores if None.
        rounds: In round i the surest i/rounds of each class (less `leave`) are believed.
        leave: Share of each class that is never believed.
        abstain: Below this probability `predict` says `unknown`; 0 never.
    """

    def __init__(
        self,
        correction: Correction | None = None,
        rounds: int = 5,
        leave: float = 0.1,
        abstain: float = 0.0,
    ) -> None:
        if rounds < 1 or not 0 <= leave < 1 or not 0 <= abstain <= 1:
            raise ConfigError("rounds ≥ 1, leave in [0, 1), abstain in [0, 1]", hint="rounds=5")
        self.correction = correction or WindowStandardizer()
        self.rounds, self.leave, self.abstain = rounds, leave, abstain
        self.model = Discriminant()
        self.classes: Labels = np.zeros(0, dtype=np.str_)
        self._sharp = 1.0

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> SelfTraining:
        """Learn; labelled target rows are believed from the first round on.

        Raises:
            ConfigError: No target rows.
        """
        rows, labels = source_of(source, y)
        there, told = target_of(target, target_y, rows.shape[1])
        self.correction.fit(rows, labels, there, told)
        here, there = self.correction.transform_source(rows), self.correction.transform(there)
        self.model.fit(here, labels)
        self.classes = self.model.classes
        # How far the target lies from the classes before any of it is believed: later the classes
        # have come to it, right or wrong, and would tell nothing.
        far = float(np.median(self.model.distances(self.model.z(there))))
        self._sharp = float(np.clip(self.model.usual / max(far, 1e-9), 0.02, 1.0))
        known = np.isin(told, self.classes)
        for i in range(1, self.rounds + 1):
            scores = self.model.z(there) @ self.model.weights.T + self.model.offsets
            said = np.where(known, told, self.classes[scores.argmax(axis=1)])
            sure = self._sure(scores, said, (1 - self.leave) * i / self.rounds) | known
            self.model.fit(
                np.concatenate([here, there[sure]]), np.concatenate([labels, said[sure]])
            )
        return self

    @staticmethod
    def _sure(scores: F64, said: Labels, share: float) -> np.ndarray:
        best = np.sort(scores, axis=1)
        lead = best[:, -1] - best[:, -2]
        sure = np.zeros(len(said), dtype=bool)
        for c in np.unique(said):
            mine = np.flatnonzero(said == c)
            take = mine[np.argsort(-lead[mine], kind="stable")[: round(share * len(mine))]]
            sure[take] = True
        return sure

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes] of target rows."""
        z = self.model.z(self.correction.transform(rows_of(x, "target")))
        return softmax(self._sharp * (z @ self.model.weights.T + self.model.offsets))

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each target row, `unknown` where it abstains."""
        return worded(self.predict_proba(x), self.classes, self.abstain)


TRUSTS = (1.0, 0.75, 0.5)


class TrustVote:
    """Mixture alignment and self-training, with the shift believed in full, by 3/4 and by half.

    How much of a difference is drift and how much another balance of odours cannot be known from
    unlabelled rows. Three answers vote with their probabilities, which are the surer the nearer
    the aligned target lies to the classes. This is the method to take if there is no label.

    Args:
        abstain: Below this probability `predict` says `unknown`; 0 never.
        seed: Of the beginnings of the alignments.
    """

    def __init__(self, abstain: float = 0.0, seed: int = 0) -> None:
        if not 0 <= abstain <= 1:
            raise ConfigError(f"abstain={abstain}", hint="0..1")
        self.abstain = abstain
        self.members = [SelfTraining(MixtureAlignment(trust=t, seed=seed)) for t in TRUSTS]

    @property
    def classes(self) -> Labels:
        """What it can say, in the order of the probabilities."""
        return self.members[0].classes

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> TrustVote:
        """Fit each of them.

        Raises:
            ConfigError: As `SelfTraining.fit`.
        """
        for member in self.members:
            member.fit(source, y, target, target_y)
        return self

    def predict_proba(self, x: ArrayLike) -> F64:
        """Mean probabilities [n, classes] of target rows."""
        return np.asarray(np.mean([m.predict_proba(x) for m in self.members], axis=0))

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each target row, `unknown` where it abstains."""
        return worded(self.predict_proba(x), self.classes, self.abstain)
