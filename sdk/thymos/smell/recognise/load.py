"""Which odours a nose can tell: those it was taught, and the shipped ones where they may be used.

A model that was learnt on one nose is next to chance on another, even of the same make (10 to 18 %
where guessing gives 25 %; OpenSmell's cross-device study). So the shipped model is never used on a
live nose: there only what this very nose was taught counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import NamedTuple

from thymos.samples import Origin, StreamSpec, gas_channels
from thymos.smell.recognise.embed import bin_length
from thymos.smell.recognise.model import OdourModel, load
from thymos.smell.recognise.online import Recogniser
from thymos.smell.recognise.store import TaughtStore
from thymos.smell.recognise.taught import response_model


class Shipped(NamedTuple):
    """A file of weights that comes with Thymos."""

    file: str
    sha256: str


SHIPPED: Mapping[str, Shipped] = MappingProxyType(
    {
        "smellnet": Shipped(
            "smellnet.npz", "a3f216ad1e4785441ee1e3d4fcd50a1d660d42bd360cb0b3d34e44d47a4b6f4c"
        )
    }
)
"""The odour models that come with Thymos. Data, licence and scores: docs/models/smell.md."""


@lru_cache(maxsize=4)
def shipped(name: str) -> OdourModel:
    """A model that comes with Thymos.

    Raises:
        ModelError: Its file is missing or is not the one that was released.
    """
    weights = SHIPPED[name]
    with as_file(files(__package__) / "weights" / weights.file) as path:
        return load(path, weights.sha256)


def base_model(spec: StreamSpec) -> OdourModel | None:
    """The shipped model of the very nose that made a recording; None for any other nose.

    Channels that are called the same prove nothing: the file's format must say which nose it was.
    A recording of a live nose is read as that nose is, with what it was taught.
    """
    name = spec.extra.get("model", "").casefold()
    if spec.origin is not Origin.RECORDED or name not in SHIPPED:
        return None
    model = shipped(name)
    fits = model.facts.unit == spec.unit and set(model.facts.channels) <= set(spec.channels)
    return model if fits else None


def load_recogniser(spec: StreamSpec, store: TaughtStore | None = None) -> Recogniser | None:
    """The recogniser for a nose; None if nothing that was learnt fits it.

    Args:
        spec: The open nose.
        store: Where taught odours are; None for the user's own.

    Raises:
        CalibrationError: The store is there and cannot be read.
        ModelError: Shipped weights are damaged.
    """
    taught = (store or TaughtStore()).load(spec)
    means = {odour.name: odour.means for odour in taught.odours if odour.means}
    base = base_model(spec)
    if base is not None:
        extra = {odour.name: odour.points(base) for odour in taught.of_model(base)}
        return Recogniser(base.with_taught(extra), _columns(base, spec), "raw", means)
    names = tuple(spec.channels[i] for i in gas_channels(spec))
    model = response_model(taught, names, spec.unit, bin_length(spec.rate_hz))
    if model is None:
        return None
    return Recogniser(model, _columns(model, spec), "response", means)


def not_fitting(spec: StreamSpec, store: TaughtStore | None = None) -> tuple[str, ...]:
    """Odours that this nose was taught when it had other channels or another unit.

    Args:
        spec: The open nose.
        store: As `load_recogniser`.

    Raises:
        CalibrationError: The store is there and cannot be read.
    """
    taught, base = (store or TaughtStore()).load(spec), base_model(spec)
    if base is not None:
        fits = {odour.name for odour in taught.of_model(base)}
    else:
        now = (tuple(spec.channels[i] for i in gas_channels(spec)), spec.unit)
        fits = {odour.name for odour in taught.odours if (odour.channels, odour.unit) == now}
    return tuple(odour.name for odour in taught.odours if odour.name not in fits)


def _columns(model: OdourModel, spec: StreamSpec) -> tuple[int, ...]:
    """Where the channels of a model are among the gas channels of a nose."""
    names = [spec.channels[i] for i in gas_channels(spec)]
    return tuple(names.index(name) for name in model.facts.channels)
