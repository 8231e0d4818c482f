"""Odours that a person taught a nose, and a model of them; `store` keeps them in files.

What is kept of a sniff does not depend on any model: the readings in clean air before it, and the
mean reading of each five seconds while the odour was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.smell.recognise.direction import Direction, direction, known_curve
from thymos.smell.recognise.embed import (
    BIN_S,
    sniff_points,
    windows,
)
from thymos.smell.recognise.model import Facts, OdourModel
from thymos.smell.recognise.online import read
from thymos.smell.signal.baseline import response

F64 = NDArray[np.float64]

POINTS = 4
"""Points of a sniff, see `sniff_points`."""
LEAST_CHANNELS = 2
"""With one channel every direction is the same: any smell would get the name that was taught."""
MAX_ODOURS = 200
MAX_SNIFFS = 20
MAX_BINS = 128
"""Ten minutes of a sniff; what comes later is left out."""
TEMPERATURE = (0.7, 0.0)
"""The softmax of a response model is halved in sharpness: a few sniffs understate the scatter."""


@dataclass(frozen=True, slots=True)
class TaughtSniff:
    """One sniff.

    Attributes:
        bins: Mean readings of each stretch of exposure, [bins, channels], sensor unit.
        air: Readings in clean air before, [channels]; None where a recording holds none.
    """

    bins: F64
    air: F64 | None


@dataclass(frozen=True, slots=True)
class TaughtOdour:
    """One odour.

    Attributes:
        name: Its name.
        channels: Of its sniffs.
        unit: Of its sniffs.
        sniffs: What was smelt.
        taught_at: When, UTC, ISO 8601.
        bin_s: Length of a stretch of its sniffs, see `bin_length`.
        means: Name of the row of the odour table that it stands for; empty if nobody said.
    """

    name: str
    channels: tuple[str, ...]
    unit: str
    sniffs: tuple[TaughtSniff, ...]
    taught_at: str
    bin_s: float = BIN_S
    means: str = ""

    def points(self, model: OdourModel) -> F64:
        """Its sniffs as points [4 · sniffs, dims] of a model that reads raw values."""
        columns = [self.channels.index(name) for name in model.facts.channels]
        offset = np.array(model.facts.offset)
        logs = [read(sniff.bins[:, columns], offset) for sniff in self.sniffs]
        return np.concatenate([sniff_points(model.embedding(windows(rows))) for rows in logs])

    def directions(self) -> F64:
        """Unit vectors [rows, channels] of all sniffs that have clean air."""
        rows = [
            windows(response(s.bins, s.air, self.unit), length=1)
            for s in self.sniffs
            if s.air is not None
        ]
        if not rows:
            return np.empty((0, len(self.channels)))
        plain = Direction(np.eye(len(self.channels)))
        each = [points[np.isfinite(points).all(axis=1)] for points in map(plain, rows)]
        return np.concatenate(
            [sniff_points(p) for p in each if len(p)] or [np.empty((0, len(self.channels)))]
        )


@dataclass(frozen=True, slots=True)
class Taught:
    """All odours that one nose was taught, sorted by name."""

    device: str
    odours: tuple[TaughtOdour, ...] = ()

    def of_model(self, model: OdourModel) -> tuple[TaughtOdour, ...]:
        """Those that can be read with a shipped model's channels and unit."""
        facts = model.facts
        return tuple(
            o
            for o in self.odours
            if o.unit == facts.unit and set(facts.channels) <= set(o.channels)
        )

    def with_odour(self, odour: TaughtOdour) -> Taught:
        """With an odour more, or one that is taught further; the oldest sniffs make room.

        What an odour stands for stays until something else is said.

        Raises:
            CalibrationError: There are too many, or it was taught with other channels.
        """
        old = self.known(odour.name, odour.channels, odour.unit)
        if old is not None:
            sniffs = (*old.sniffs, *odour.sniffs)[-MAX_SNIFFS:]
            odour = replace(odour, sniffs=sniffs, means=odour.means or old.means)
        rest = [o for o in self.odours if o.name != odour.name]
        if len(rest) >= MAX_ODOURS:
            raise CalibrationError(
                f"this nose knows {MAX_ODOURS} odours already", hint="thymos smell forget NAME"
            )
        return replace(self, odours=tuple(sorted([*rest, odour], key=lambda o: o.name)))

    def known(self, name: str, channels: Sequence[str], unit: str) -> TaughtOdour | None:
        """What was taught before under a name, if it can be taught further.

        Raises:
            CalibrationError: It was taught with other channels, or in another unit.
        """
        old = next((o for o in self.odours if o.name == name), None)
        if old is not None and (old.channels, old.unit) != (tuple(channels), unit):
            raise CalibrationError(
                f"'{name}' was taught to {self.device} with other channels "
                f"({', '.join(old.channels)}; {old.unit})",
                hint=f"thymos smell forget {name!r} --nose {self.device!r}",
            )
        return old

    def without(self, name: str) -> Taught:
        """Without an odour.

        Raises:
            CalibrationError: It was never taught.
        """
        self.check(name)
        return replace(self, odours=tuple(o for o in self.odours if o.name != name))

    def meaning(self, name: str, means: str) -> Taught:
        """With an odour that stands for a row of the odour table.

        Raises:
            CalibrationError: It was never taught.
        """
        self.check(name)
        said = (replace(o, means=means) if o.name == name else o for o in self.odours)
        return replace(self, odours=tuple(said))

    def check(self, name: str) -> None:
        """Refuse an odour that was never taught.

        Raises:
            CalibrationError: It was never taught.
        """
        if all(o.name != name for o in self.odours):
            raise CalibrationError(
                f"'{name}' was not taught to {self.device}", hint="thymos smell taught"
            )


def response_model(
    taught: Taught, channels: Sequence[str], unit: str, bin_s: float = BIN_S
) -> OdourModel | None:
    """A model of what a nose was taught, on responses against clean air; None if there is none.

    Args:
        taught: By the nose.
        channels: Its gas channels now.
        unit: Of its readings now.
        bin_s: For its rate now; a direction does not depend on the length of a stretch.
    """
    wanted = (tuple(channels), unit)
    fits = [o for o in taught.odours if (o.channels, o.unit) == wanted]
    rows = {o.name: o.directions() for o in fits}
    rows = {name: units for name, units in rows.items() if len(units)}
    if not rows or len(channels) < LEAST_CHANNELS:
        return None
    owner = np.repeat(np.arange(len(rows)), [len(units) for units in rows.values()])
    units = np.concatenate(list(rows.values()))
    embedding, most = direction(units, owner)
    points = units @ embedding.whiten
    sniff = np.arange(len(units)) // POINTS
    facts = Facts(
        name="taught",
        channels=tuple(channels),
        unit=unit,
        offset=(0.0,) * len(channels),
        bin_s=bin_s,
        window_bins=1,  # a direction needs no slope
        temperature=TEMPERATURE,
        known=known_curve(points, owner, sniff, most),
        trained_on=f"{sum(len(o.sniffs) for o in fits)} sniffs",
        origin="what this nose was taught",
    )
    return OdourModel(facts, embedding, tuple(rows), points, owner, frozenset(rows))
