"""A BME680 or BME688 on an I2C bus, through the `bme680` library.

    i2c:                           bus 1, at 0x76 or 0x77
    i2c:1?address=0x77&rate=1&heater=200,300,400&duration=150

Each set-point of the heater is a channel (`gas_300C`, ohm), then temperature, humidity and
pressure. The chip measures when it is asked to: a reading is stamped with the middle between
asking and answer (TIME_ESTIMATED). A resistance counts only if the chip says that the gas
measurement is valid and the heater was stable. BSEC, Bosch's closed library, is not used.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from thymos.clock import midpoint
from thymos.errors import (
    ConfigError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Sample,
    StreamSpec,
    frozen,
)
from thymos.smell.frame import F64, Channel, Nose
from thymos.smell.validity import Validity
from thymos_drivers.base import BaseSource, need, number
from thymos_drivers.enose.told import tell, with_unstable

ADDRESSES = (0x76, 0x77)
DEFAULT_BUS = 1
MAX_STEPS = 10
_ATTEMPTS = 5
"""The library waits 0.1 s for an answer; with a long heater pulse one question is not enough."""
_GAS_VALID = 0x20
_AIR = ("temperature", "humidity", "pressure")
_USELESS = 10


class I2cNose(BaseSource):
    """One chip.

    Args:
        bus: Number of the bus: 1 is /dev/i2c-1.
        addresses: Where to look for it.
        stream: Stream name.
        heater: Set-points, degC, 200 to 400, at most ten; a reading runs through all of them.
        duration_ms: Length of each heater pulse.
        rate_hz: Readings a second at most.
        make_bus: Opens the bus; None for the real one. It returns what has the methods of
            `smbus2.SMBus` that the library uses.
    """

    live = True

    def __init__(
        self,
        bus: int = DEFAULT_BUS,
        addresses: tuple[int, ...] = ADDRESSES,
        *,
        stream: str = "enose",
        heater: tuple[int, ...] = (320,),
        duration_ms: int = 150,
        rate_hz: float = 1.0,
        make_bus: Callable[[int], Any] | None = None,
    ) -> None:
        names = tuple(f"gas_{degrees}C" for degrees in heater)
        if not 0 < len(names) <= MAX_STEPS or len(set(names)) < len(names):
            raise ConfigError(
                f"option heater takes 1 to {MAX_STEPS} different set-points, not {len(names)}",
                hint="write for example heater=200,300,400",
            )
        super().__init__(
            StreamSpec(
                stream,
                Kind.GAS,
                rate_hz,
                (len(names) + len(_AIR),),
                "ohm",
                names + _AIR,
                f"{stream}_frame",
                device=f"i2c:{bus}",
            )
        )
        self._bus_number, self._addresses = bus, addresses
        self._heater, self._duration_ms = heater, duration_ms
        self._names = names
        self._period_ns = int(NS_PER_S / rate_hz)
        self._make_bus = make_bus
        self._bus: Any = None
        self._chip: Any = None
        self._seq = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Ask the chip when the next reading is due.

        Raises:
            DeviceLostError: It does not answer on the bus any more.
        """
        self._check_open()
        wait_s = (self._next_ns - time.monotonic_ns()) / NS_PER_S
        if self._closed.wait(max(0.0, min(wait_s, timeout_s))):
            raise EndOfStream
        if wait_s > timeout_s:
            return None
        begin_ns = time.monotonic_ns()
        self._next_ns = max(self._next_ns + self._period_ns, begin_ns)
        raw, notes, unstable = self._measure()
        end_ns = time.monotonic_ns()
        values, note = self._checks.check(raw)
        gas = values[: len(self._names)]
        flags = Flag.TIME_ESTIMATED | (Flag.INVALID if np.isnan(gas).all() else Flag.OK)
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        self._judge()
        self._counters.received += 1
        sample = Sample(
            self._spec.name,
            self._seq,
            midpoint(begin_ns, end_ns).t_ns,
            end_ns,
            frozen(values),
            flags,
            "; ".join(filter(None, (*notes, note))),
        )
        self._seq += 1
        raw, faults = with_unstable(raw, self._checks.faults, unstable)
        return tell(sample, self._nose, raw, faults)

    def _measure(self) -> tuple[F64, list[str], dict[int, float]]:
        """One pulse for each set-point: ohm and the air, NaN with a reason where there is none.

        Beside them what the chip said of steps that it calls invalid, by their position.
        """
        gas: list[float] = []
        air, notes = [], []
        unstable: dict[int, float] = {}
        for step, name in enumerate(self._names):
            data, why = self._pulse(step)
            if data is None:
                gas.append(np.nan)
                notes.append(f"{name}: {why}")
                continue
            valid = bool(data.status & _GAS_VALID) and bool(data.heat_stable)
            gas.append(float(data.gas_resistance) if valid else np.nan)
            air.append((data.temperature, data.humidity, data.pressure))
            if not valid:
                unstable[step] = float(data.gas_resistance)
                notes.append(f"{name}: the heater was not stable")
        mean = np.mean(air, axis=0) if air else np.full(len(_AIR), np.nan)
        return np.array([*gas, *mean], dtype=np.float64), notes, unstable

    def _pulse(self, step: int) -> tuple[Any, str]:
        try:
            if len(self._names) > 1:
                self._chip.select_gas_heater_profile(step)
            for _ in range(_ATTEMPTS):
                if self._chip.get_sensor_data():
                    return self._chip.data, ""
        except OSError as err:
            if self._closed.is_set():
                raise EndOfStream from err
            self._say(Health.LOST, "the chip does not answer on the bus", "check its four wires")
            raise DeviceLostError(
                f"the nose on I2C bus {self._bus_number} went away: {err}",
                hint="check its four wires",
            ) from err
        except (ArithmeticError, ValueError, AttributeError) as err:
            # A division by zero: what the chip says about its own calibration is damaged.
            # A chip that is gone: the source was closed meanwhile.
            if self._closed.is_set():
                raise EndOfStream from err
            self._counters.corrupt += 1
            return None, f"what it answers cannot be used ({err})"
        return None, "no answer in time"

    def _judge(self) -> None:
        useless = self._checks.useless(_USELESS)
        self._say(
            Health.DEGRADED if useless else Health.OK, useless, "check the chip" * bool(useless)
        )

    # Opening and closing

    def _open(self) -> None:
        library = need("bme680", "enose")
        need("smbus2", "enose")
        self._bus = self._open_bus()
        self._chip, address = self._find(library)
        for step, degrees in enumerate(self._heater):
            try:
                self._chip.set_gas_heater_profile(degrees, self._duration_ms, nb_profile=step)
            except (OSError, ArithmeticError, ValueError) as err:
                raise DeviceError(
                    f"the heater of the chip at 0x{address:02x} cannot be set: {err}",
                    hint="check its wires; switch it off and on",
                ) from err
        self._chip.select_gas_heater_profile(0)
        high = getattr(self._chip, "_variant", 0) == 1
        self._checks = Validity(self._names, "ohm", _AIR)
        facts = {"model": "BME688" if high else "BME680", "address": f"0x{address:02x}"}
        facts |= {"heater_ms": str(self._duration_ms)}
        facts |= {f"unit.{name}": CLIMATE[name] for name in _AIR}
        self._spec = replace(self._spec, extra=facts)
        self._nose = self._describe(facts["model"], facts["address"])
        self._next_ns = time.monotonic_ns()
        self._say(Health.OK)

    def _describe(self, model: str, address: str) -> Nose:
        """One channel a heater step; the chip converts to ohm itself."""
        many = len(self._heater) > 1
        channels = tuple(
            Channel(
                name,
                "ohm",
                sensor_model=model,
                sensor_id=address,
                target="VOC",
                heater_profile="-".join(map(str, self._heater)) if many else "",
                heater_step=step if many else -1,
                heater_celsius=float(degrees),
                heater_ns=self._duration_ms * 1_000_000,
            )
            for step, (name, degrees) in enumerate(zip(self._names, self._heater, strict=True))
        )
        return Nose(
            model,
            "",  # the chip has no number that can be read
            channels,
            _AIR,
            rate_hz=self._spec.rate_hz,
            frame_id=self._spec.frame_id,
        )

    def _open_bus(self) -> Any:
        try:
            if self._make_bus is not None:
                return self._make_bus(self._bus_number)
            from smbus2 import SMBus

            return SMBus(self._bus_number)
        except PermissionError as err:
            raise DevicePermissionError(
                f"this user may not open /dev/i2c-{self._bus_number}",
                hint="sudo usermod -aG i2c $USER, then log in again",
            ) from err
        except OSError as err:
            raise DeviceNotFoundError(
                f"there is no I2C bus {self._bus_number}: {err}",
                hint="switch I2C on (Raspberry Pi: sudo raspi-config), then: ls /dev/i2c-*",
            ) from err

    def _find(self, library: Any) -> tuple[Any, int]:
        why = []
        for address in self._addresses:
            try:
                return library.BME680(address, i2c_device=self._bus), address
            except (RuntimeError, OSError, ArithmeticError) as err:
                why.append(str(err))
        where = " or ".join(f"0x{address:02x}" for address in self._addresses)
        raise DeviceNotFoundError(
            f"no BME680 or BME688 at {where} on I2C bus {self._bus_number}: {'; '.join(why)}",
            hint=f"i2cdetect -y {self._bus_number}",
        )

    def _close(self) -> None:
        bus, self._bus, self._chip = self._bus, None, None
        if bus is not None:
            with contextlib.suppress(OSError, AttributeError):
                bus.close()

    _next_ns: int
    _checks: Validity
    _nose: Nose


def open_i2c(
    rest: str,
    *,
    stream: str = "enose",
    address: str = "",
    rate: str = "1",
    heater: str = "320",
    duration: str = "150",
) -> I2cNose:
    """Make the source of `i2c:BUS?address=…`.

    Raises:
        ConfigError: An option is wrong.
    """
    bus = int(number("bus", rest, low=0, high=255)) if rest else DEFAULT_BUS
    try:
        addresses = (int(address, 16),) if address else ADDRESSES
    except ValueError as err:
        raise ConfigError(
            f"option address={address!r} is no I2C address", hint="write address=0x76"
        ) from err
    degrees = tuple(int(number("heater", cell, low=200, high=400)) for cell in heater.split(","))
    return I2cNose(
        bus,
        addresses,
        stream=stream,
        heater=degrees,
        duration_ms=int(number("duration", duration, low=1, high=4032)),
        rate_hz=number("rate", rate, low=0.01, high=20),
    )
