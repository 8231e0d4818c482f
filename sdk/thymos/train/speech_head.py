"""The head of the speech emotion model: two linear classifiers whose logits are added.

Linear discriminant analysis with a shrunk covariance distrusts directions in which people differ;
logistic regression does not, and holds better in another language. Each alone is a little worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Logits = features @ weight + bias; weight [features, classes], bias [classes]."""

    weight: Floats
    bias: Floats

    def __call__(self, features: Floats) -> Floats:
        """Return logits [n, classes] of features [n, features]."""
        return np.asarray(features.astype(np.float32) @ self.weight + self.bias)

    def cooled(self, temperature: float) -> Head:
        """Return the head whose logits are divided by `temperature`."""
        return Head(self.weight / np.float32(temperature), self.bias / np.float32(temperature))


def fit_head(
    features: Floats,
    labels: NDArray[Any],
    classes: int = 8,
    *,
    shrink: float = 0.2,
    penalty: float = 0.1,
    share: float = 5.0,
) -> Head:
    """Fit the head on features [n, features] and labels [n].

    Args:
        features: Of all variations of all clips.
        labels: Class numbers.
        classes: Number of classes.
        shrink: Of the within-class covariance towards a multiple of the identity.
        penalty: Of the squared weights of the logistic regression.
        share: Its logits count so many times those of the discriminant analysis.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-3
    x = ((features - mean) / spread).astype(np.float32)
    w1, b1 = _discriminant(x, labels, classes, shrink)
    w2, b2 = _logistic(x, labels, classes, penalty)
    weight = (w1 + share * w2) / (1 + share) / spread[:, None]
    bias = (b1 + share * b2) / (1 + share) - mean @ weight
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def _discriminant(x: Floats, labels: NDArray[Any], classes: int, shrink: float) -> Any:
    """Weights and biases of the discriminant with equal priors (Ledoit and Wolf's target)."""
    means = np.stack([x[labels == c].mean(0) for c in range(classes)])
    inside = x - means[labels]
    covariance = (inside.T @ inside / len(x)).astype(np.float64)
    mixed = (1 - shrink) * covariance
    mixed[np.diag_indices_from(mixed)] += shrink * np.trace(covariance) / len(covariance)
    weight = np.linalg.solve(mixed, means.T.astype(np.float64))
    return weight, -0.5 * np.einsum("cd,dc->c", means, weight)


def _logistic(x: Floats, labels: NDArray[Any], classes: int, penalty: float) -> Any:
    """Weights and biases of multinomial regression, each class weighing the same."""
    import torch

    seen, target = torch.from_numpy(x), torch.from_numpy(labels)
    balance = len(x) / np.bincount(labels, minlength=classes).clip(1) / classes
    importance = torch.from_numpy(balance.astype(np.float32))[target]
    weight = torch.zeros(x.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=60, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> Any:
        solver.zero_grad()
        each = torch.nn.functional.cross_entropy(seen @ weight + bias, target, reduction="none")
        total = (importance * each).mean() + penalty * weight.square().sum()
        total.backward()
        return total

    solver.step(loss)
    return weight.detach().numpy().astype(np.float64), bias.detach().numpy().astype(np.float64)
