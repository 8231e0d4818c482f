"""Classifiers for a drifted target: aligned, then the classes follow the target's own rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thymos.errors import ConfigError
from thymos.smell.drift.alignment import MixtureAlignment
from thymos.smell.drift.base import (
    F64,
    Correction,
    Labels,
    fitted,
    one_hot,
    softmax,
    source_of,
    target_of,
)
from thymos.smell.drift.discriminant import Discriminant, SoftmaxRegression, inverse, linear

UNKNOWN = "unknown"


class CorrectedClassifier:
    """Any correction with a discriminant behind it: how the methods are compared."""

    def __init__(self, correction: Correction) -> None:
        self.correction = correction
        self.model = Discriminant()
        self.classes: Labels = np.zeros(0, dtype=np.str_)

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> CorrectedClassifier:
        """Fit the correction, then the discriminant on the corrected source."""
        self.correction.fit(source, y, target, target_y)
        self.model.fit(self.correction.transform_source(source), y)
        self.classes = self.model.classes
        return self

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes] of target rows."""
        return self.model.predict_proba(self.correction.transform(x))

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each target row."""
        return self.model.predict(self.correction.transform(x))


class AdaptiveClassifier:
    """Mixture alignment, then class means and covariance that follow the target (MAP EM).

    Means are those of the target's members of the class, with the source's mean counting as
    `keep_means` rows; the covariance likewise with `keep_cov` rows. With labelled target rows
    (20 are enough on the public drift set) a softmax regression on source and labelled rows
    votes too, half and half: one sees classes as clouds, the other only where they meet, and
    their mistakes differ (co-training: Blum and Mitchell 1998).

    Args:
        keep_means: Rows that the source's class means count as.
        keep_cov: Rows that the source's covariance counts as.
        label_weight: How many unlabelled rows a labelled target row counts as.
        abstain: Below this probability `predict` says `unknown`; 0 never.
        rounds: Of EM.
        trust: Of the alignment.
        seed: Of the beginnings of the alignment.
    """

    def __init__(
        self,
        *,
        keep_means: float = 100.0,
        keep_cov: float = 3000.0,
        label_weight: float = 20.0,
        abstain: float = 0.0,
        rounds: int = 8,
        trust: float = 1.0,
        seed: int = 0,
    ) -> None:
        if min(keep_means, keep_cov) <= 0 or label_weight < 1 or not 0 <= abstain <= 1:
            raise ConfigError(
                "keep_means, keep_cov > 0, label_weight ≥ 1 and abstain in 0..1 are needed",
                hint="AdaptiveClassifier() has values that work",
            )
        self.keep_means, self.keep_cov = keep_means, keep_cov
        self.label_weight, self.abstain, self.rounds = label_weight, abstain, rounds
        self.alignment = MixtureAlignment(trust=trust, seed=seed)
        self.classes: Labels = np.zeros(0, dtype=np.str_)
        self._linear: tuple[F64, F64] | None = None
        self._voter: SoftmaxRegression | None = None
        self._sharp = 1.0

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> AdaptiveClassifier:
        """Align and adapt.

        Raises:
            ConfigError: As `MixtureAlignment.fit`.
        """
        rows, labels = source_of(source, y)
        there, told = target_of(target, target_y, rows.shape[1])
        self.alignment.fit(rows, labels, there, told)
        model = self.alignment.model
        self.classes = model.classes
        z = fitted(self.alignment.shift, self).undo(model.z(there))
        known = one_hot(told, self.classes)
        vote = self._vote(model.z(rows), labels, z, told) if known.any() else None
        self._adapt(z, known, vote)
        return self

    def _vote(self, source_z: F64, labels: Labels, z: F64, told: Labels) -> F64:
        known: NDArray[np.bool_] = np.asarray(np.isin(told, self.classes))
        weight = np.concatenate([np.ones(len(labels)), np.full(known.sum(), self.label_weight)])
        self._voter = SoftmaxRegression().fit(
            np.concatenate([source_z, z[known]]), np.concatenate([labels, told[known]]), weight
        )
        return self._voter.predict_proba(z)

    def _adapt(self, z: F64, known: F64, vote: F64 | None) -> None:
        model, shift = self.alignment.model, fitted(self.alignment.shift, self)
        labelled: NDArray[np.bool_] = np.asarray(known.any(axis=1))
        weight = np.where(labelled, self.label_weight, 1.0)[:, None]
        members = shift.members if vote is None else np.where(labelled[:, None], known, vote)
        for _ in range(self.rounds):
            heavy = members * weight
            means = heavy.T @ z + self.keep_means * model.means
            means /= heavy.sum(axis=0)[:, None] + self.keep_means
            rest = z - members @ means
            cov = (rest.T @ rest + self.keep_cov * model.cov) / (len(z) + self.keep_cov)
            precision = inverse(cov)
            self._linear = linear(means, precision)
            scores = self._scores(z)
            far = np.einsum("np,np->n", z @ precision, z) - 2 * scores.max(axis=1)
            # The target lies further from its classes than the source did: less sure by that.
            self._sharp = float(np.clip(model.usual / max(np.median(far), 1e-9), 0.02, 1.0))
            members = self._mix(scores, vote)
            members[labelled] = known[labelled]

    def _scores(self, z: F64) -> F64:
        weights, offsets = fitted(self._linear, self)
        scores: F64 = z @ weights.T + offsets
        return scores

    def _mix(self, scores: F64, vote: F64 | None) -> F64:
        own = softmax(self._sharp * scores)
        return own if vote is None else 0.5 * own + 0.5 * vote

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes] of target rows; rows that were not in `fit` are fine too."""
        z = fitted(self.alignment.shift, self).undo(self.alignment.model.z(x))
        vote = None if self._voter is None else self._voter.predict_proba(z)
        return self._mix(self._scores(z), vote)

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each target row, `unknown` where it abstains."""
        return worded(self.predict_proba(x), self.classes, self.abstain)


def worded(probs: F64, classes: Labels, abstain: float) -> Labels:
    """The likeliest class of each row, `unknown` where its probability is below `abstain`."""
    said = classes[probs.argmax(axis=1)].astype(object)
    said[probs.max(axis=1) < abstain] = UNKNOWN
    words: Labels = said.astype(np.str_)
    return words
