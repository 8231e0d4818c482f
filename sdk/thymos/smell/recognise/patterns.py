"""Nearest pattern: which of a few directions of response a smell points in, if it does.

For noses that no model was learnt on: the `odours` of a calibration file, one row of responses
each, or the built-in ones of the simulated nose. Compared by angle, so that the strength of the
smell does not matter; it speaks from the first reading on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, ClassVar, Literal

import numpy as np
import yaml

from thymos.samples import Origin, StreamSpec
from thymos.smell.frame import F64
from thymos.smell.recognise.guess import UNKNOWN, OdourGuess, Outcome

SHARPNESS = 25.0  # of the softmax over cosines; 0.04 of cosine is a factor of e
MIN_COSINE = 0.9
MAX_SURE = 0.85
NOT_SURE = 0.3
"""How sure it is that an odour is none it knows: an angle says little about that."""


class Patterns:
    """Compares each reading with odour patterns.

    Args:
        rows: Response of each gas channel by odour.
        origin: Where they are from, in words.

    Raises:
        ValueError: There is no row, or one of zeros only.
    """

    wants: ClassVar[Literal["raw", "response"]] = "response"

    def __init__(self, rows: Mapping[str, Sequence[float]], origin: str) -> None:
        vectors = np.array(list(rows.values()), dtype=np.float64)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True) if len(vectors) else vectors
        if not len(vectors) or not (norms > 0).all():
            raise ValueError("an odour pattern needs a response other than zero")
        self._names, self._vectors, self._origin = tuple(rows), vectors / norms, origin
        self.begin(0)

    def begin(self, t_ns: int) -> None:
        """A new smell begins."""
        self._since_ns, self._until_ns = t_ns, t_ns
        self._response: F64 | None = None
        self._guess: OdourGuess | None = None

    def update(self, t_ns: int, values: F64) -> None:
        """Take a reading.

        Args:
            t_ns: Its capture time.
            values: Response [gas channels]; with a NaN among them nothing can be said.
        """
        self._until_ns, self._response, self._guess = t_ns, values, None

    def guess(self) -> OdourGuess | None:
        """What the last reading is like; None if it cannot be compared."""
        row = self._response
        if self._guess is None and row is not None and np.isfinite(row).all() and row.any():
            self._guess = self._decide(row / np.linalg.norm(row))
        return self._guess

    def _decide(self, direction: F64) -> OdourGuess:
        cosine = self._vectors @ direction
        share = np.exp(SHARPNESS * (cosine - cosine.max()))
        share /= share.sum()
        best = int(np.argmax(share))
        outcome: Outcome = "unclear"
        label, sure, told = UNKNOWN, NOT_SURE, 1.0 - NOT_SURE
        if cosine[best] < MIN_COSINE:
            outcome = "unknown"
        elif share[best] >= 0.5:
            fit = (float(cosine[best]) - MIN_COSINE) / (1.0 - MIN_COSINE)
            outcome, label = "recognised", self._names[best]
            sure = min(MAX_SURE, float(share[best]) * (0.5 + 0.5 * fit))
            told = sure / float(share[best])
        every = {n: float(p) * told for n, p in zip(self._names, share, strict=True)}
        every[UNKNOWN] = 1.0 - told
        return OdourGuess(
            outcome=outcome,
            label=label,
            probabilities=dict(sorted(every.items(), key=lambda item: -item[1])),
            confidence=sure,
            since_ns=self._since_ns,
            until_ns=self._until_ns,
            windows=1,
            distance=float(np.arccos(np.clip(cosine[best], -1.0, 1.0))),
            taught=False,
            confusable=(),
            origin=self._origin,
        )


def patterns_of(
    spec: StreamSpec, names: Sequence[str], odours: Mapping[str, Mapping[str, float]] | None
) -> Patterns | None:
    """Patterns that may be used on a nose, None if there are none.

    Those of its calibration file come first. The built-in ones belong to the simulated nose: they
    are used only where the channels are exactly its own and the stream is not live.

    Args:
        spec: The nose.
        names: Its gas channels.
        odours: Of its calibration: response by channel by odour.
    """
    try:
        if odours:
            rows = {k: [row.get(n, 0.0) for n in names] for k, row in sorted(odours.items())}
            return Patterns(rows, "the patterns calibrated on this nose")
        text = resources.files(__package__).joinpath("odours.yaml").read_text(encoding="utf-8")
        data: dict[str, Any] = yaml.safe_load(text)
        fits = tuple(data["channels"]) == tuple(names) and data["unit"] == spec.unit
        if not fits or spec.origin is Origin.LIVE:
            return None
        return Patterns(data["odours"], "the patterns of the simulated nose")
    except ValueError:
        return None
