"""BME680 and BME688 on a real /dev/i2c-N: the kernel's i2c-stub keeps the registers of the chip.

The test writes the registers through the same bus, by the kernel's SMBus ioctls.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bme680 import constants as c
from helpers_bme import Chip
from smbus2 import SMBus

from fault_table import Seen, fault_row
from hil_guest import as_nobody, modprobe, wait_for
from thymos.devices import open_uri
from thymos.errors import DeviceNotFoundError, DevicePermissionError
from thymos.samples import Flag, Health, Sample, Source, gas_channels
from witness import Refused

ADDRESS = 0x76


@pytest.fixture(scope="module")
def bus() -> int:
    """Number of the bus of i2c-stub; there is a chip at 0x76 and none at 0x77."""
    modprobe("i2c-dev")
    modprobe("i2c-stub", f"chip_addr={ADDRESS:#x}")
    names = Path("/sys/class/i2c-dev")

    def stubs() -> list[int]:
        return [int(p.name[4:]) for p in names.glob("i2c-*") if "stub" in (p / "name").read_text()]

    wait_for(lambda: bool(stubs()))
    wait_for(Path(f"/dev/i2c-{stubs()[0]}").exists)
    return stubs()[0]


@pytest.fixture
def wires(bus: int) -> Iterator[SMBus]:
    """The bus, to write registers with; the chip on it is a BME688 that has measured."""
    with SMBus(bus) as made:
        solder(made, Chip(high=True))
        yield made


def solder(wires: SMBus, chip: Chip) -> None:
    """Put the registers of this chip on the bus."""
    image = dict(enumerate(chip.calibration[: c.COEFF_ADDR1_LEN], c.COEFF_ADDR1))
    image |= dict(enumerate(chip.calibration[c.COEFF_ADDR1_LEN :], c.COEFF_ADDR2))
    image |= dict(enumerate(chip._field(), c.FIELD0_ADDR))
    image |= chip.registers  # last: its variant lies where the calibration ends
    for register, value in image.items():
        wires.write_byte_data(ADDRESS, register, value)


def nose(uri: str) -> Source:
    source = open_uri("enose", uri)
    assert source is not None
    return source


def reading(source: Source) -> Sample:
    for _ in range(20):
        sample = source.read(2.0)
        if sample is not None:
            return sample
    raise AssertionError(source.health)


@pytest.mark.parametrize(("high", "model"), [(True, "BME688"), (False, "BME680")])
def test_the_real_driver_reads_the_chip(bus: int, wires: SMBus, high: bool, model: str) -> None:
    solder(wires, Chip(high=high))
    with nose(f"i2c:{bus}?rate=10") as source:
        assert source.spec.extra["model"] == model
        assert source.spec.extra["address"] == "0x76"
        assert gas_channels(source.spec) == (0,)
        samples = [reading(source) for _ in range(5)]
        assert source.health.health is Health.OK
        assert source.counters.received == 5
    for sample in samples:
        gas, temperature, humidity, pressure = sample.payload
        assert gas > 1000
        assert 15 < temperature < 35
        assert 10 < humidity < 90
        assert 800 < pressure < 1100
        assert sample.flags == Flag.TIME_ESTIMATED
    assert [s.seq for s in samples] == list(range(5))
    if high:
        assert samples[0].payload[0] == pytest.approx(1e6 * 4096 / 4360)


def test_what_it_asks_for_reaches_the_chip(bus: int, wires: SMBus) -> None:
    with nose(f"i2c:{bus}?heater=200,400&duration=100") as source:
        assert np.isfinite(reading(source).payload).all()
    cool, hot = (wires.read_byte_data(ADDRESS, c.RES_HEAT0_ADDR + n) for n in range(2))
    assert 0 < cool < hot
    # 100 ms: 25 times 4 ms, as the data sheet writes it.
    assert wires.read_byte_data(ADDRESS, c.GAS_WAIT0_ADDR) == 25 | 1 << 6


def test_values_that_change_on_the_chip_change_in_the_samples(bus: int, wires: SMBus) -> None:
    with nose(f"i2c:{bus}?rate=10") as source:
        before = reading(source).payload
        wires.write_byte_data(ADDRESS, c.FIELD0_ADDR + 5, 0x7A)  # warmer
        after = reading(source).payload
        assert after[1] > before[1]
        wires.write_byte_data(ADDRESS, c.FIELD0_ADDR + 16, 0x06)  # its heater was not stable
        sample = reading(source)
        assert np.isnan(sample.payload[0])
        assert "heater was not stable" in sample.note


def test_no_chip_at_the_address(bus: int, wires: SMBus) -> None:
    with pytest.raises(DeviceNotFoundError, match=f"no BME680 or BME688 at 0x77 on I2C bus {bus}"
                       ) as told:  # fmt: skip
        nose(f"i2c:{bus}?address=0x77").open()
    assert told.value.hint == f"i2cdetect -y {bus}"
    note("never there", Refused(told.value))


def test_another_chip_at_the_address(bus: int, wires: SMBus) -> None:
    wires.write_byte_data(ADDRESS, c.CHIP_ID_ADDR, 0x58)  # a BMP280
    with pytest.raises(DeviceNotFoundError, match="CHIP ID") as told:
        nose(f"i2c:{bus}").open()
    assert told.value.hint == f"i2cdetect -y {bus}"
    note("another chip at its address", Refused(told.value))


def test_no_such_bus(bus: int) -> None:
    with pytest.raises(DeviceNotFoundError, match="there is no I2C bus 9") as told:
        nose("i2c:9").open()
    assert "ls /dev/i2c-*" in told.value.hint


def test_this_user_is_not_in_the_group(bus: int, wires: SMBus) -> None:
    subprocess.run(["chmod", "660", f"/dev/i2c-{bus}"], check=True)

    told = as_nobody(nose(f"i2c:{bus}").open)
    assert isinstance(told, DevicePermissionError)
    assert str(told) == f"this user may not open /dev/i2c-{bus}"
    assert told.hint == "sudo usermod -aG i2c $USER, then log in again"
    note("permission denied: this user is not in the group", Refused(told))


def note(what: str, seen: Seen) -> None:
    fault_row("BME688 (i2c-stub, emulated)", what, seen, family="Noses on USB and I2C")
