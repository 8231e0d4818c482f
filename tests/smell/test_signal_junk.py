"""Whatever a nose sends, the signal stage neither fails nor warns, and forgets nothing for long."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.errors import FrameError
from thymos.samples import NS_PER_S
from thymos.smell.frame import Fault
from thymos.smell.signal import Air, SmellSignal

S = NS_PER_S
values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -1.0, 1e4, 1.01e4, 5e3, 1e308, -1e308, 5e-324, 4294967295.0, 1023.0]),
)
stamps = st.one_of(st.integers(-(2**61), 2**61), st.integers(0, 600 * S))
rows = st.lists(
    st.tuples(
        stamps,
        st.lists(values, min_size=2, max_size=2),
        values,
        values,
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(rows, st.sampled_from(["ohm", "adc", "volt", "ppm", "mixed"]))
def test_junk(
    junk: list[tuple[int, tuple[float, float], float, float, bool, bool]], unit: str
) -> None:
    signal = SmellSignal(("a", "b"), unit, learn_climate=True, warm_up_s=5)
    for t_ns, pair, temperature, humidity, warming, faulty in junk:
        faults = (Fault.NONE, Fault.UNSTABLE) if faulty else ()
        state = signal.update(
            t_ns, np.array(pair), Air(temperature, humidity), warming=warming, faults=faults
        )
        assert len(state.faults) == len(state.response) == 2
        assert not np.isinf(state.corrected).any()
        assert math.isnan(state.strength) or state.strength >= 0
    start = max([0, *(t for t, *_ in junk)]) + S
    for k in range(700):  # afterwards a nose in clean air is understood again
        ok = np.array([1e4, 2e4]) + k % 5
        state = signal.update(start + k * S, ok, Air(20.0, 40.0))
    assert state.warm
    assert state.baseline is not None
    assert np.isfinite(state.response).all()


def test_another_number_of_values_is_refused() -> None:
    with pytest.raises(FrameError, match="3 values for 2 channels"):
        SmellSignal(("a", "b"), "ohm").update(0, np.ones(3))


def test_an_air_that_cannot_be_is_no_air() -> None:
    for temperature, humidity in ((-243.04, 50), (20, 100), (20, 0), (99, 50), (math.nan, 50)):
        assert not Air(temperature, humidity).known
    assert Air(20, 50).known
