"""Temperature and humidity: planted dependence is found and taken out; idle air is refused."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec
from thymos_calibration.enose import clean_air, measure
from thymos_calibration.enose_climate import absolute_humidity, fit, load
from thymos_calibration.store import CalibrationStore
from thymos_drivers.testing import ListSource

SPEC = StreamSpec(
    "enose",
    Kind.GAS,
    1.0,
    (5,),
    "ohm",
    ("CO", "VOC", "DEAD", "temperature", "humidity"),
    device="/dev/ttyUSB0",
    extra={"serial_number": "A7"},
)
BARE = StreamSpec("enose", Kind.GAS, 1.0, (1,), "ohm", ("CO",))


def day(
    *, warm: float = 6.0, wet: float = 20.0, together: bool = False, curve: float = 0.0
) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """A day of readings, one in a minute: temperature and humidity swing at their own pace."""
    rng = np.random.default_rng(8)
    hours = np.arange(0, 24, 1 / 60)
    t = 22 + warm * np.sin(2 * np.pi * hours / 24)
    swing = np.sin(2 * np.pi * hours / (24 if together else 9))
    rh = 45 + wet * swing * (0.4 if together else 1)
    water = absolute_humidity(t, rh)
    log_co = np.log(90e3) - 0.02 * (t - 22) - 0.03 * (water - 9) + curve * (t - 22) ** 2
    co = np.exp(log_co + rng.normal(0, 0.004, len(t)))
    voc = 40e3 * np.exp(rng.normal(0, 0.004, len(t)))
    rows = np.stack([co, voc, np.full(len(t), np.nan), t, rh], axis=1)
    samples = [
        Sample("enose", n, n * 60 * NS_PER_S, n * 60 * NS_PER_S, row) for n, row in enumerate(rows)
    ]
    return t, rh, samples


def test_humid_air_weighs_what_the_tables_say() -> None:
    # Saturated air: 17.3 g/m³ at 20 °C, 30.4 at 30 °C, 4.85 at 0 °C.
    found = absolute_humidity(np.array([0.0, 20.0, 30.0]), np.array([100.0, 100.0, 100.0]))
    assert found == pytest.approx([4.85, 17.3, 30.4], rel=0.01)


@pytest.mark.parametrize("curve", [0.0, 0.004])
def test_the_climate_is_taken_out(curve: float, tmp_path) -> None:
    t, rh, samples = day(curve=curve)
    result = fit(SPEC, samples)
    assert result.quality["residual"]["CO"] == pytest.approx(0.004, rel=0.15)
    assert result.quality["uncompensated"]["CO"] > 0.05
    assert result.quality["left_out"] == ["VOC"]
    assert result.quality["channels_without_value"] == ["DEAD"]
    store = CalibrationStore(tmp_path)
    store.save(result)
    assert result.device == "A7"
    climate = load(store.load_for("enose-climate", SPEC))
    weights = climate.channels["CO"].weights
    assert len(weights) == (5 if curve else 2)
    if not curve:
        assert weights == pytest.approx((-0.02, -0.03), abs=0.001)
    co = np.array([s.payload[0] for s in samples])
    still = climate.apply("CO", co, t, rh)
    assert np.log(still).std() == pytest.approx(0.004, rel=0.15)
    assert climate.apply("VOC", co, t, rh) is co


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (day(warm=0.5)[2], "temperature hardly changed"),
        (day(wet=1.0)[2], "humidity hardly changed"),
        (day(wet=50.0, together=True, warm=9.0)[2], "together"),
        (day()[2][:50], "too few"),
        ([], "too few"),
    ],
)
def test_air_that_did_not_change(samples: list[Sample], word: str) -> None:
    with pytest.raises(CalibrationError, match=word) as refused:
        fit(SPEC, samples)
    assert refused.value.hint


def test_a_nose_without_a_thermometer() -> None:
    with pytest.raises(CalibrationError, match="temperature and humidity"):
        fit(BARE, day()[2])


def test_nothing_follows_the_climate() -> None:
    samples = [
        Sample("enose", s.seq, s.t_ns, s.t_ns, np.array([s.payload[1], *s.payload[1:]]))
        for s in day()[2]
    ]
    with pytest.raises(CalibrationError, match="no channel follows"):
        fit(SPEC, samples)


def second(n: int, co: float, flags: Flag = Flag.OK) -> Sample:
    row = np.array([co, 40e3, np.nan, 21.5, 40.0])
    return Sample("enose", n, n * NS_PER_S, n * NS_PER_S, row, flags)


def test_r0_knows_its_air_and_leaves_it_out_of_the_channels() -> None:
    result = clean_air(SPEC, [second(n, 90e3) for n in range(60)])
    assert sorted(result.values["channels"]) == ["CO", "VOC"]
    assert result.values["air"] == {"temperature": 21.5, "humidity": 40.0}


def test_an_odour_before_the_stretch_is_noticed() -> None:
    def air(smell: tuple[int, int], level: float = 0.5) -> list[Sample]:
        return [second(n, 90e3 * (level if smell[0] <= n < smell[1] else 1)) for n in range(500)]

    smelly = ListSource(SPEC, air((200, 230)))
    with smelly, pytest.raises(CalibrationError, match="71 s before") as refused:
        measure(smelly, seconds=60, warm_up_s=300)
    assert "300 s" in refused.value.hint
    for calm in (air((0, 0)), air((200, 230), 0.95), air((100, 101)), air((5, 30))):
        with ListSource(SPEC, calm) as nose:
            assert measure(nose, seconds=60, warm_up_s=400)
