"""The one interface of drift correction, and the checks all methods share.

Rows are samples, columns are features (whatever a nose gives: raw values, responses, transients).
*Source* is where labels are known: the device, the day, the laboratory on which a classifier was
made. *Target* is where it must work: the same device a year later, or another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thymos.errors import ConfigError

F64 = NDArray[np.float64]
Labels = NDArray[np.str_]

UNLABELLED = ""
"""The label of a target row whose odour nobody told."""

FLOOR = 1e-3
"""Values nearer to zero than this are taken as this, see `log_features`."""

C = TypeVar("C", bound="Correction")


class Correction(ABC):
    """Brings rows of source and target into one space.

    A classifier is trained on `transform_source(source)` and used on `transform(target)`.
    """

    @abstractmethod
    def fit(
        self: C,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> C:
        """Learn from the source and, if the method uses them, from rows of the target.

        Args:
            source: [n, features].
            y: Label of each source row.
            target: [m, features], rows of the drifted or the other device.
            target_y: Label of each target row, `UNLABELLED` where nobody told it.

        Raises:
            ConfigError: Something is missing, of another length, or not a number.
        """

    @abstractmethod
    def transform(self, x: ArrayLike) -> F64:
        """Rows of the target, corrected: [n, features] or fewer columns."""

    def transform_source(self, x: ArrayLike) -> F64:
        """Rows of the source in the same space; most methods treat them as the target's."""
        return self.transform(x)

    def partial_fit(self: C, x: ArrayLike) -> C:
        """Take in rows of the running target stream, unlabelled, oldest first.

        Raises:
            ConfigError: The method cannot: it needs the whole target at once.
        """
        raise ConfigError(
            f"{type(self).__name__} learns from whole sets of rows, not from a running stream",
            hint="use OnlineStandardizer or OnlineDriftClassifier on a stream",
        )


class Classifier(Protocol):
    """What says a class for each row, in the style of scikit-learn."""

    classes: Labels

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes]."""

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each row [n]."""


def log_features(x: ArrayLike, floor: float = FLOOR) -> F64:
    """Logarithm of the size of every value, in which a change of gain is a shift.

    A metal-oxide sensor follows a power law (R = a C^b), so drift of `a` is additive in the
    logarithm and the concentration moves a sample along a straight line.

    Args:
        x: [..., features], any sign.
        floor: Smallest size that counts.
    """
    sizes: F64 = np.log(np.maximum(np.abs(np.asarray(x, dtype=np.float64)), floor))
    return sizes


def rows_of(x: ArrayLike, what: str, columns: int | None = None) -> F64:
    """Check a table of finite numbers.

    Args:
        x: [n, features], or one row [features].
        what: Its name in the message.
        columns: How many features there must be.

    Raises:
        ConfigError: It is empty, has another width, or holds NaN or infinity.
    """
    try:
        rows = np.atleast_2d(np.asarray(x, dtype=np.float64))
    except (TypeError, ValueError) as err:
        raise ConfigError(f"{what}: not a table of numbers", hint="give [rows, features]") from err
    if rows.ndim != 2 or rows.size == 0:
        raise ConfigError(f"{what}: no rows", hint="give [rows, features]")
    if columns is not None and rows.shape[1] != columns:
        raise ConfigError(
            f"{what}: {rows.shape[1]} features, but {columns} were learnt",
            hint="give the features in the order in which the source had them",
        )
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise ConfigError(
            f"{what}: {bad} of {len(rows)} rows hold values that are no numbers",
            hint="leave such rows out (a faulty sensor is not a smell)",
        )
    return rows


def labels_of(y: ArrayLike, rows: F64, what: str) -> Labels:
    """Check labels: one for each row.

    Raises:
        ConfigError: Another number of labels than of rows.
    """
    labels: Labels = np.asarray(y, dtype=np.str_).ravel()
    if len(labels) != len(rows):
        raise ConfigError(
            f"{what}: {len(labels)} labels for {len(rows)} rows", hint="one label for each row"
        )
    return labels


def source_of(source: ArrayLike, y: ArrayLike) -> tuple[F64, Labels]:
    """Check labelled source rows: two classes at least, two rows each.

    Raises:
        ConfigError: Too few rows or classes.
    """
    rows = rows_of(source, "source")
    labels = labels_of(y, rows, "source")
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < 2:
        raise ConfigError(
            "source: two classes are needed, with two rows each",
            hint="leave out classes of a single row",
        )
    return rows, labels


def target_of(
    target: ArrayLike | None, target_y: ArrayLike | None, columns: int
) -> tuple[F64, Labels]:
    """Check target rows and their labels (all `UNLABELLED` if none are given).

    Raises:
        ConfigError: There is no target, or it has another width or length.
    """
    if target is None:
        raise ConfigError(
            "this method needs rows of the target", hint="fit(source, y, target[, target_y])"
        )
    rows = rows_of(target, "target", columns)
    if target_y is None:
        return rows, np.full(len(rows), UNLABELLED, dtype=np.str_)
    return rows, labels_of(target_y, rows, "target")


def one_hot(labels: Labels, classes: Labels) -> F64:
    """[n, classes], 1 where the row has the class; rows of other labels are all 0."""
    table: F64 = (labels[:, None] == classes[None, :]).astype(np.float64)
    return table


def softmax(scores: F64) -> F64:
    """Softmax over the last axis."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    share: F64 = e / e.sum(axis=-1, keepdims=True)
    return share


def fitted(value: Any, what: object) -> Any:
    """Give back what `fit` made.

    Raises:
        ConfigError: `fit` was not called.
    """
    if value is None:
        raise ConfigError(f"{type(what).__name__} was not fitted", hint="call fit(...) first")
    return value
