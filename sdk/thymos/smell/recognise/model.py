"""Odours as clouds of learnt sniffs: the nearest cloud wins, far from all of them is unknown.

A class is a handful of points (sniffs) in the space of `embed`. Its distance to a smell is the mean
of the squared distance to the class mean and to its nearest point. Teaching adds points and changes
nothing else, which is why a robot can do it. Probabilities are a softmax over these distances; its
temperature, and the logistic curve that tells known from unknown by the distance to the nearest
class, are fitted on recordings (and whole substances) that the map never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ModelError
from thymos.smell.recognise import modelfile
from thymos.smell.recognise.direction import Direction
from thymos.smell.recognise.embed import BIN_S, WINDOW_BINS, Embedding
from thymos.smell.recognise.guess import UNKNOWN, probability

F64 = NDArray[np.float64]

SCHEMA = "thymos.odours/1"
_FLOATS = ("edges", "centre", "project", "points")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model is for and how to read it.

    Attributes:
        name: Of the model: `smellnet`.
        channels: Gas channels, in order.
        unit: Of the readings.
        offset: Added to each channel before the logarithm [channels].
        bin_s: Length of a bin, seconds.
        window_bins: Bins of a window.
        temperature: (t0, t1): the softmax is divided by exp(t0 + t1 · ln n) after n windows.
        known: (c0, c1, c2): logit that it is known = c0 - c1 · distance + c2 · ln n.
        confusable: What each class is mostly mistaken for.
        trained_on: Data and split, one line.
        origin: Where the patterns come from, for people.
    """

    name: str
    channels: tuple[str, ...]
    unit: str
    offset: tuple[float, ...]
    bin_s: float = BIN_S
    window_bins: int = WINDOW_BINS
    temperature: tuple[float, float] = (0.0, 0.0)
    known: tuple[float, float, float] = (60.0, 0.0, 0.0)
    confusable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trained_on: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class OdourModel:
    """A map, and points with their classes.

    Attributes:
        facts: What it is for.
        embedding: From features to points.
        labels: Names of the classes.
        points: [n, dims], the learnt sniffs.
        owner: [n], class number of each.
        taught: Classes that a person taught.
    """

    facts: Facts
    embedding: Embedding | Direction
    labels: tuple[str, ...]
    points: F64
    owner: NDArray[np.int64]
    taught: frozenset[str] = frozenset()

    def distances(self, point: F64) -> F64:
        """Squared distance of one point [dims] to every class [classes]."""
        return self.clouds(point, self._means())

    def clouds(self, point: F64, means: F64) -> F64:
        """As `distances`, with the class means at hand."""
        nearest = np.full(len(self.labels), np.inf)
        np.minimum.at(nearest, self.owner, ((self.points - point) ** 2).sum(axis=1))
        to_mean: F64 = ((means - point) ** 2).sum(axis=1)
        return 0.5 * (nearest + to_mean)

    def _means(self) -> F64:
        counts = np.bincount(self.owner, minlength=len(self.labels))
        sums = np.zeros((len(self.labels), self.points.shape[1]))
        np.add.at(sums, self.owner, self.points)
        return sums / np.maximum(counts, 1)[:, None]

    def probabilities(self, squared: F64, windows: int) -> tuple[F64, float]:
        """Shares among the known classes [classes], and the probability that it is one of them."""
        t0, t1 = self.facts.temperature
        c0, c1, c2 = self.facts.known
        log_n = np.log(max(1, windows))
        logits = -0.5 * squared / np.exp(t0 + t1 * log_n)
        share = np.exp(logits - logits.max())
        share /= share.sum()
        known = probability(c0 - c1 * float(np.sqrt(squared.min())) + c2 * float(log_n))
        return share, known

    def ranked(self, squared: F64, windows: int) -> dict[str, float]:
        """Every class and `unknown` with its probability, most likely first."""
        share, known = self.probabilities(squared, windows)
        named = [*zip(self.labels, (known * share).tolist(), strict=True), (UNKNOWN, 1.0 - known)]
        return dict(sorted(named, key=lambda pair: (-pair[1], pair[0])))

    def with_taught(self, odours: Mapping[str, F64]) -> OdourModel:
        """The model with further classes (or further points of a class), the rest untouched.

        Args:
            odours: Points [n, dims] by name.
        """
        labels, points, owner = list(self.labels), [self.points], [self.owner]
        for name, rows in sorted(odours.items()):
            if name not in labels:
                labels.append(name)
            points.append(rows)
            owner.append(np.full(len(rows), labels.index(name), dtype=np.int64))
        return replace(
            self,
            labels=tuple(labels),
            points=np.concatenate(points),
            owner=np.concatenate(owner),
            taught=self.taught | frozenset(odours),
        )

    def without(self, names: Sequence[str]) -> OdourModel:
        """The model without some classes."""
        keep = [i for i, name in enumerate(self.labels) if name not in names]
        rows = np.isin(self.owner, keep)
        place = np.full(len(self.labels), -1, dtype=np.int64)
        place[keep] = np.arange(len(keep))
        return replace(
            self,
            labels=tuple(self.labels[i] for i in keep),
            points=self.points[rows],
            owner=place[self.owner[rows]],
            taught=self.taught - frozenset(names),
        )


def save(model: OdourModel, path: Path) -> str:
    """Write a model (half precision) and return the SHA-256 of the file.

    The same model gives the same bytes.

    Raises:
        ModelError: It has no fitted map: what a person taught is kept as sniffs, see `taught`.
    """
    if not isinstance(model.embedding, Embedding):
        raise ModelError("only a fitted model is written to a file")
    facts: dict[str, Any] = {
        name: getattr(model.facts, name) for name in Facts.__slots__ if name != "confusable"
    }
    facts |= {"labels": model.labels, "confusable": dict(model.facts.confusable)}
    arrays = {
        "edges": model.embedding.edges.astype(np.float32),
        "centre": model.embedding.centre.astype(np.float32),
        "project": model.embedding.project.astype(np.float16),
        "points": model.points.astype(np.float16),
        "owner": model.owner.astype(np.uint16),
    }
    return modelfile.write(path, SCHEMA, facts, arrays)


def load(path: Path, sha256: str = "") -> OdourModel:
    """Read a model.

    Args:
        path: The file.
        sha256: What it must be; empty for a file of one's own.

    Raises:
        ModelError: It is missing, damaged, not the file it should be, or of another version.
    """
    return modelfile.read(path, SCHEMA, sha256, _build)


def _build(facts: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> OdourModel:
    labels = tuple(str(name) for name in facts.pop("labels"))
    confusable = {str(k): tuple(map(str, v)) for k, v in facts.pop("confusable").items()}
    lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
    floats = {name: arrays[name].astype(np.float64) for name in _FLOATS}
    points, owner = floats.pop("points"), arrays["owner"].astype(np.int64)
    embedding = Embedding(**floats)
    model = OdourModel(Facts(**lists, confusable=confusable), embedding, labels, points, owner)
    features, codes = len(embedding.edges), embedding.edges[:, 1:].size
    fits = embedding.centre.shape == (codes,)
    fits = fits and embedding.project.shape == (codes, points.shape[1])
    fits = fits and features == 2 * len(model.facts.channels) == 2 * len(model.facts.offset)
    fits = fits and owner.shape == (len(points),) and bool((owner < len(labels)).all())
    if not fits:
        raise ValueError("its arrays do not fit each other")
    if not np.isfinite(points).all() or not np.isfinite(embedding.project).all():
        raise ValueError("it holds numbers that are none")
    return model
