"""What several tasks need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


def digest(*files: Path) -> str:
    """Return the first digits of the SHA-256 over files: which weights made an answer."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()[:12]


def shipped() -> str:
    """Return the digest of all weights that ship with Thymos."""
    from thymos.perceive.learned.session import WEIGHTS

    return digest(*sorted(path for path in WEIGHTS.iterdir() if path.is_file()))


def named(labels: Sequence[str], probs: NDArray[Any] | Iterable[float]) -> dict[str, float]:
    """Return probabilities by name, to five digits."""
    return {name: round(float(p), 5) for name, p in zip(labels, probs, strict=True)}
