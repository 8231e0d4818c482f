"""Smell frames of every shape, for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from thymos.samples import CLIMATE, Flag
from thymos.smell.frame import (
    BaselineAir,
    Channel,
    Fault,
    Nose,
    Odorant,
    Percept,
    Phase,
    SmellFrame,
    TimeSource,
)

I64 = st.integers(-(2**63) + 1, 2**63 - 1)
COUNT = st.integers(0, 2**53 + 1)
NUMBER = st.floats(width=64)
POSITIVE = st.one_of(st.just(float("nan")), st.floats(1e-6, 1e9))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
FACTS = st.dictionaries(WORD, TEXT, max_size=2)


@st.composite
def channels(draw: st.DrawFn, name: str) -> Channel:
    """One channel of a given name."""
    return Channel(
        name,
        draw(st.sampled_from(["ohm", "adc", "volt", "ppm", "rs_r0", "°Brix"])),
        draw(TEXT),
        draw(TEXT),
        draw(TEXT),
        draw(TEXT),
        draw(st.integers(-1, 9)),
        draw(st.one_of(st.just(float("nan")), st.floats(-50, 500))),
        draw(st.integers(0, 10**12)),
        draw(POSITIVE),
        draw(POSITIVE),
        draw(st.integers(0, 32)),
        draw(POSITIVE),
    )


@st.composite
def noses(draw: st.DrawFn, most: int = 4) -> Nose:
    """A nose."""
    names = draw(st.lists(WORD, min_size=1, max_size=most, unique=True))
    names = [name for name in names if name.strip().lower() not in CLIMATE] or ["a"]
    return Nose(
        draw(TEXT),
        draw(TEXT),
        tuple(draw(channels(name)) for name in names),
        tuple(draw(st.lists(st.sampled_from(list(CLIMATE)), unique=True))),
        draw(st.floats(0, 1e4)),
        draw(st.floats(0, 1e9)),
        draw(st.integers(-1, 2**60)),
        draw(st.booleans()),
        draw(TEXT),
        draw(FACTS),
    )


def _rows(size: int) -> st.SearchStrategy[np.ndarray]:
    return st.lists(NUMBER, min_size=size, max_size=size).map(lambda v: np.array(v, np.float64))


@st.composite
def frames(draw: st.DrawFn, nose: Nose | None = None) -> SmellFrame:
    """A frame; of a given nose, or of any."""
    nose = nose or draw(noses())
    size = len(nose.channels)
    values = draw(_rows(size))
    faults = draw(st.lists(st.sampled_from(list(Fault)), min_size=size, max_size=size))
    kept = tuple(
        Fault.MISSING if np.isnan(value) and fault is Fault.NONE else fault
        for value, fault in zip(values, faults, strict=True)
    )
    baseline = st.builds(
        BaselineAir,
        _rows(size),
        _rows(size),
        st.none() | I64,
        st.sampled_from(["calibrated", "first_seconds", "followed", "file"]),
        COUNT,
    )
    odorant = st.builds(Odorant, WORD, TEXT, POSITIVE, TEXT)
    share = st.just(float("nan")) | st.floats(0, 1)
    percept = st.builds(Percept, WORD, st.lists(WORD, max_size=2).map(tuple), share, share)
    return SmellFrame(
        nose=nose,
        seq=draw(st.integers(0, 2**63 - 1)),
        t_ns=draw(I64),
        values=values,
        faults=kept,
        offset_ns=tuple(draw(st.lists(I64, min_size=size, max_size=size)))
        if draw(st.booleans())
        else (),
        t_recv_ns=draw(I64),
        time_source=draw(st.sampled_from(TimeSource)),
        tick=draw(st.none() | st.integers(0, 2**63 - 1)),
        rate_hz=draw(st.floats(0, 1e4)),
        temperature_celsius=draw(NUMBER),
        humidity_percent=draw(NUMBER),
        pressure_hpa=draw(NUMBER),
        air_faults=draw(
            st.dictionaries(
                st.sampled_from(list(CLIMATE)), st.sampled_from([f for f in Fault if f.value])
            )
        ),
        baseline=draw(st.none() | baseline),
        on_for_ns=draw(st.integers(-1, 2**60)),
        phase=draw(st.sampled_from(Phase)),
        odorants=tuple(draw(st.lists(odorant, max_size=2))),
        percepts=tuple(draw(st.lists(percept, max_size=2))),
        session=draw(TEXT),
        flags=Flag(draw(st.integers(0, 63))),
        note=draw(TEXT),
        extra=draw(FACTS),
    )
