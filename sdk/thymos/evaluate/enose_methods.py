"""The methods that the drift table compares, each a function of the same inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from thymos.errors import MissingExtraError
from thymos.evaluate.enose_parts import F64, Labels, Part
from thymos.smell.drift import (
    SEVERAL,
    AdaptiveClassifier,
    CommonDirections,
    ComponentCorrection,
    ConcentrationInvariance,
    Coral,
    CorrectedClassifier,
    Correction,
    DirectStandardization,
    Discriminant,
    MixtureAlignment,
    OnlineDriftClassifier,
    OnlineStandardizer,
    OrthogonalSignalCorrection,
    PiecewiseDirectStandardization,
    SelfTraining,
    SubspaceAlignment,
    TrustVote,
    WindowStandardizer,
    log_features,
)

Kind = Literal["naive", "batch", "online", "labelled"]
KINDS: Mapping[str, str] = {
    "naive": "trained on the source, used as it is",
    "batch": "unsupervised, sees the whole target without labels (offline, transductive)",
    "online": "unsupervised, each sample is classified before later ones are seen",
    "labelled": "with a few labelled target samples",
}
Answer = Callable[[Part, F64, Labels], Labels]
"""(source, target rows, their labels or UNLABELLED) → what is said of each target row."""


@dataclass(frozen=True)
class Method:
    """One line of the table.

    Attributes:
        name: As it is shown.
        kind: What it may see of the target.
        answer: The method.
    """

    name: str
    kind: Kind
    answer: Answer


def methods() -> list[Method]:
    """Every method, baselines first, in the order of the table."""
    found = [*_baselines(), *_naive(), *_batch(), *_online(), *_labelled()]
    return sorted(found, key=lambda method: list(KINDS).index(method.kind))


def _majority(source: Part, x: F64, told: Labels) -> Labels:
    names, counts = np.unique(source.y, return_counts=True)
    return np.full(len(x), names[counts.argmax()])


def _baselines() -> list[Method]:
    """What anybody would try first, on the values as they are, by z-score."""
    lines = [Method("majority class of the source", "naive", _majority)]
    for name, make in _SKLEARN.items():
        lines.append(Method(f"{name}, z of the source", "naive", _Plain(make, False)))
    for name, make in _SKLEARN.items():
        lines.append(Method(f"{name}, z of each batch", "batch", _Plain(make, True)))
    return lines


def _svm() -> Any:
    from sklearn.svm import SVC

    return SVC(C=10)


def _nearest() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(1)


def _lda() -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=0)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


_SKLEARN: Mapping[str, Callable[[], Any]] = {
    "SVM": _svm,
    "1-NN": _nearest,
    "LDA": _lda,
    "random forest": _forest,
    "logistic regression": _logistic,
}


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ImportError as err:
        raise MissingExtraError("scikit-learn", "train") from err


def _z(x: F64, of: F64) -> F64:
    spread = of.std(axis=0)
    scored: F64 = (x - of.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scored


class _Plain:
    """A classifier of scikit-learn on z-scores, fitted once for each source."""

    def __init__(self, make: Callable[[], Any], per_batch: bool) -> None:
        self.make, self.per_batch = make, per_batch
        self._source: Part | None = None
        self._model: Any = None
        self._names: Labels = np.zeros(0, dtype=np.str_)

    def __call__(self, source: Part, x: F64, told: Labels) -> Labels:
        if self._source is not source:
            # Numbered as they first occur: the vote of an SVM that knows nothing goes by number,
            # and published figures number the gases so.
            names, first = np.unique(source.y, return_index=True)
            self._names = names[np.argsort(first)]
            numbers = np.argsort(np.argsort(first))[np.searchsorted(names, source.y)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # not converged: as people run it
                self._model = _made(self.make).fit(_z(source.x, source.x), numbers)
            self._source = source
        said: Labels = self._names[self._model.predict(_z(x, x if self.per_batch else source.x))]
        return said


def _corrected(make: Callable[[], Correction]) -> Answer:
    def answer(source: Part, x: F64, told: Labels) -> Labels:
        made = CorrectedClassifier(make())
        made.fit(log_features(source.x), source.y, log_features(x), told)
        return made.predict(log_features(x))

    return answer


def _naive() -> list[Method]:
    def discriminant(source: Part, x: F64, told: Labels) -> Labels:
        made = Discriminant().fit(log_features(source.x), source.y)
        return made.predict(log_features(x))

    return [
        Method("logarithm + LDA", "naive", discriminant),
        Method("… without common directions (CPCA)", "naive", _corrected(CommonDirections)),
        Method(
            "… without directions of concentration", "naive", _corrected(ConcentrationInvariance)
        ),
        Method("… OSC", "naive", _corrected(OrthogonalSignalCorrection)),
    ]


def _fitted(make: Callable[[], Any]) -> Answer:
    def answer(source: Part, x: F64, told: Labels) -> Labels:
        made = make().fit(log_features(source.x), source.y, log_features(x), told)
        said: Labels = made.predict(log_features(x))
        return said

    return answer


def _batch() -> list[Method]:
    return [
        Method("logarithm, z of each batch + LDA", "batch", _corrected(WindowStandardizer)),
        Method("CORAL + LDA", "batch", _corrected(Coral)),
        Method("subspace alignment + LDA", "batch", _corrected(SubspaceAlignment)),
        Method("self-training on z of each batch", "batch", _fitted(SelfTraining)),
        Method("mixture alignment + LDA", "batch", _corrected(MixtureAlignment)),
        Method("mixture alignment, classes follow", "batch", _fitted(AdaptiveClassifier)),
        Method(
            "mixture alignment + self-training",
            "batch",
            _fitted(lambda: SelfTraining(MixtureAlignment())),
        ),
        Method(BEST, "batch", _fitted(TrustVote)),
    ]


BEST = "THYMOS: vote of three trusts"
ONLINE = "THYMOS: online mixture alignment"
LABELLED = "THYMOS: classes follow, labels"


def _online() -> list[Method]:
    def running_z(source: Part, x: F64, told: Labels) -> Labels:
        z = OnlineStandardizer().fit(log_features(source.x), source.y)
        made = Discriminant().fit(z.transform_source(log_features(source.x)), source.y)
        rows = [z.partial_fit(row).transform(row)[0] for row in log_features(x)]
        return made.predict(np.array(rows))

    def stream(source: Part, x: F64, told: Labels) -> Labels:
        trust = SEVERAL if source.sessions > 1 else 1.0
        made = OnlineDriftClassifier(trust=trust).fit(log_features(source.x), source.y)
        return made.predict(log_features(x))

    return [
        Method("running z (last 300) + LDA", "online", running_z),
        Method(ONLINE, "online", stream),
    ]


def _svm_few(source: Part, x: F64, told: Labels) -> Labels:
    """Per-batch z, the labelled rows count five times: the recipe of the reference notes."""
    known = told != ""
    rows = np.concatenate([_z(source.x, source.x), _z(x, x)[known]])
    weight = np.concatenate([np.ones(len(source.x)), np.full(known.sum(), 5.0)])
    made = _made(_svm).fit(rows, np.concatenate([source.y, told[known]]), sample_weight=weight)
    said: Labels = made.predict(_z(x, x))
    return said


def _labelled() -> list[Method]:
    return [
        Method("SVM, z of each batch, labels ×5", "labelled", _svm_few),
        Method("component correction (CC-PCA)", "labelled", _corrected(ComponentCorrection)),
        Method("OSC, labels too", "labelled", _corrected(OrthogonalSignalCorrection)),
        Method(
            "DS onto class means", "labelled", _corrected(lambda: DirectStandardization("class"))
        ),
        Method(
            "PDS onto class means",
            "labelled",
            _corrected(lambda: PiecewiseDirectStandardization("class")),
        ),
        Method(
            "mixture alignment + self-training, labels",
            "labelled",
            _fitted(lambda: SelfTraining(MixtureAlignment())),
        ),
        Method(LABELLED, "labelled", _fitted(AdaptiveClassifier)),
    ]
