"""BME680 and BME688 on I2C: the real library against a chip of registers."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_bme import Chip

from thymos.devices import open_uri
from thymos.errors import (
    ConfigError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos.samples import Flag, Health, gas_channels
from thymos.smell.frame import Fault
from thymos_drivers.enose import I2cNose

pytest.importorskip("bme680", reason="the extra 'enose' is not installed")


def nose(chip: Chip, **options: object) -> I2cNose:
    return I2cNose(make_bus=lambda _: chip, rate_hz=20.0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("high", "model"), [(True, "BME688"), (False, "BME680")])
def test_readings_with_air(high: bool, model: str) -> None:
    with nose(Chip(high=high)) as source:
        assert source.spec.channels == ("gas_320C", "temperature", "humidity", "pressure")
        assert gas_channels(source.spec) == (0,)
        assert source.spec.extra["model"] == model
        assert source.spec.extra["unit.pressure"] == "hPa"
        samples = [source.read(1.0) for _ in range(3)]
        assert source.health.health is Health.OK
    for sample in samples:
        assert sample is not None
        gas, temperature, humidity, pressure = sample.payload
        assert gas > 1000
        assert 15 < temperature < 35
        assert 10 < humidity < 90
        assert 800 < pressure < 1100
        assert sample.flags == Flag.TIME_ESTIMATED
        assert sample.t_ns <= sample.t_recv_ns
    if high:  # 262144 >> 6 in the formula of the high variant: 10^6 · 4096 / (4096 + 3 · 88)
        assert samples[0] is not None
        assert samples[0].payload[0] == pytest.approx(1e6 * 4096 / 4360)


def test_heater_steps_are_channels_and_reach_the_chip() -> None:
    chip = Chip()
    with nose(chip, heater=(200, 300, 400)) as source:
        assert source.spec.channels[:3] == ("gas_200C", "gas_300C", "gas_400C")
        sample = source.read(1.0)
        assert sample is not None
        assert np.isfinite(sample.payload[:3]).all()
    assert sample.smell is not None
    steps = sample.smell.nose.channels
    assert [(c.heater_step, c.heater_celsius, c.heater_profile) for c in steps] == [
        (i, degrees, "200-300-400") for i, degrees in enumerate((200.0, 300.0, 400.0))
    ]
    assert {(c.sensor_model, c.sensor_id, c.heater_ns) for c in steps} == {
        (source.spec.extra["model"], "0x76", 150_000_000)
    }
    heat = [chip.registers[0x5A + step] for step in range(3)]
    assert heat[0] < heat[1] < heat[2]


def test_an_unstable_heater_gives_no_resistance_but_the_air() -> None:
    chip = Chip()
    with nose(chip) as source:
        chip.stable = False
        sample = source.read(1.0)
        assert sample is not None
        assert np.isnan(sample.payload[0])
        assert np.isfinite(sample.payload[1:]).all()
        assert Flag.INVALID in sample.flags
        assert "heater was not stable" in sample.note
        assert sample.smell is not None
        assert sample.smell.faults == (Fault.UNSTABLE,)
        assert np.isfinite(sample.smell.values[0])  # what the chip said, all the same
        for _ in range(12):
            source.read(1.0)
        assert source.health.health is Health.DEGRADED


def test_rails_and_silence_are_told() -> None:
    chip = Chip()
    with nose(chip) as source:
        chip.gas, chip.gas_range = 0, 0
        sample = source.read(1.0)
        assert sample is not None
        assert "end of its range" in sample.note
        assert Flag.CLIPPED in sample.flags
        chip.silent = 1000
        sample = source.read(1.0)
        assert sample is not None
        assert "no answer in time" in sample.note
        assert np.isnan(sample.payload).all()


def test_a_chip_that_goes_away_is_lost_and_comes_back() -> None:
    chip = Chip()
    source = nose(chip)
    with source:
        first = source.read(1.0)
        chip.gone = True
        with pytest.raises(DeviceLostError, match="went away"):
            source.read(1.0)
        assert source.health.health is Health.LOST
    assert chip.closed
    with pytest.raises(DeviceNotFoundError, match="no BME680"):
        source.open()
    chip.gone = False
    with source:
        again = source.read(1.0)
    assert first is not None
    assert again is not None
    assert again.seq == first.seq + 1


def test_damaged_calibration_is_no_crash() -> None:
    chip = Chip()
    with nose(chip) as source:
        source._chip.calibration_data.par_p1 = 0  # divides by it
        sample = source.read(1.0)
        assert sample is not None
        assert Flag.INVALID in sample.flags
        assert source.counters.corrupt == 1


def test_nothing_at_the_address_and_no_bus() -> None:
    with pytest.raises(DeviceNotFoundError, match="0x76 or 0x77") as missing:
        nose(Chip(0x40)).open()
    assert "i2cdetect" in missing.value.hint
    other = Chip()
    other.registers[0xD0] = 0x58  # a BMP280
    with pytest.raises(DeviceNotFoundError, match="CHIP ID"):
        nose(other).open()
    with pytest.raises(DeviceNotFoundError, match="no I2C bus 251"):
        open_uri("enose", "i2c:251").open()  # type: ignore[union-attr]

    def refuse(_: int) -> Chip:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(DevicePermissionError) as denied:
        I2cNose(make_bus=refuse).open()
    assert "usermod -aG i2c" in denied.value.hint


@pytest.mark.parametrize(
    "uri",
    ["i2c:one", "i2c:1?address=ZZ", "i2c:1?heater=20", "i2c:1?rate=0", "i2c:1?heater=300,300"],
)
def test_wrong_options(uri: str) -> None:
    with pytest.raises(ConfigError):
        open_uri("enose", uri)
