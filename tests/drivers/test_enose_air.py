"""Temperature, humidity and pressure of a nose: carried along, never taken for a smell."""

from __future__ import annotations

import numpy as np

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec, gas_channels

SPEC = StreamSpec(
    "enose",
    Kind.GAS,
    10,
    (4,),
    "ohm",
    ("NO2", "temperature", "CO", "humidity"),
    extra={"unit.temperature": "degC", "unit.humidity": "percent"},
)


def smell(spec: StreamSpec, rows: np.ndarray) -> tuple[list[object], tuple[str, ...]]:
    nose = SmellPerceiver(PerceiveConfig())
    nose.start(spec)
    for n, row in enumerate(rows):
        t_ns = n * NS_PER_S // 10
        nose.observe(Sample("enose", n, t_ns, t_ns, row, Flag.OK))
    end_ns = len(rows) * NS_PER_S // 10
    cues = nose.cues(Window("w", 0, end_ns, {}))
    return [(c.name, c.value, c.text) for c in cues], nose.notes


def rows(seconds: int = 30) -> np.ndarray:
    rng = np.random.default_rng(1)
    table = np.tile(np.array([1e5, 20.0, 5e4, 40.0]), (seconds * 10, 1))
    table[:, [0, 2]] *= 1 + 0.001 * rng.standard_normal((len(table), 2))
    return table


def test_only_gas_sensors_are_smelled_with() -> None:
    assert gas_channels(SPEC) == (0, 2)
    warm = rows()
    warm[150:, 1] = 35.0  # a warm day is no smell
    warm[150:, 3] = 80.0
    with_air, notes = smell(SPEC, warm)
    assert [name for name, _, _ in with_air] == ["change"]
    assert set(with_air[0][1]) == {"NO2_change", "CO_change"}  # type: ignore[index]
    assert notes == ()


def test_the_air_changes_nothing_about_what_is_smelled() -> None:
    table = rows()
    table[150:, 0] *= 0.5
    only_gas = StreamSpec("enose", Kind.GAS, 10, (2,), "ohm", ("NO2", "CO"))
    assert smell(SPEC, table) == smell(only_gas, table[:, [0, 2]])


def test_a_nose_that_measures_no_gas_says_nothing() -> None:
    air = StreamSpec("enose", Kind.GAS, 10, (2,), "ohm", ("temperature", "humidity"))
    cues, _ = smell(air, rows()[:, [1, 3]])
    assert cues == []
