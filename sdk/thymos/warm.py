"""The stored calibration of a device's own clock, applied by itself in live runs.

`thymos calibrate clock` measures how fast the clock of a microphone or a nose runs. A live run
gives it to the device's driver when the device is found, so that stamps are good from the start.
What is given by hand (`?clock=FILE`, `?clock=off`) wins. Recordings are never touched: their stamps
are made.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol, runtime_checkable

from thymos.clock.calibration import ClockCalibration
from thymos.devices import stored_calibration
from thymos.errors import CalibrationError, ConfigError, MissingExtraError, NotCalibratedError
from thymos.samples import Source, StreamSpec, serial_number

KIND = "clock"


@runtime_checkable
class Clocked(Protocol):
    """A source whose device has a clock of its own."""

    def recall_clock(self, recall: Callable[[StreamSpec], ClockCalibration | None]) -> None:
        """Told before `open` whom to ask, once the device is found, what is known of its clock."""


def warm_clocks(sources: Iterable[Source], note: Callable[[str], object]) -> None:
    """Let live devices begin with what is stored of their clocks.

    Args:
        sources: Not yet open, and as their drivers made them.
        note: Told what was applied, or why not.
    """
    for source in sources:
        if source.live and isinstance(source, Clocked):
            source.recall_clock(partial(_recall, note))


def stored_clock(spec: StreamSpec) -> ClockCalibration | None:
    """The newest clock calibration of an open device, by serial number, else name; None: never.

    Raises:
        CalibrationError: There is one and it is not to be used: too old, damaged, or of another
            device.
    """
    try:
        path = stored_calibration(KIND, spec)
    except (NotCalibratedError, MissingExtraError):
        return None
    hint = f"thymos calibrate {KIND}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = ClockCalibration.from_json(data["clock"])
        made_at, devices = str(data["made_at"]), {data["device"], found.device}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ConfigError) as err:
        raise CalibrationError(f"'{path}' tells no clock: {err}", hint=hint) from err
    foreign = devices - {serial_number(spec), spec.device or spec.name}
    if foreign:
        raise CalibrationError(f"'{path}' is of another device: {min(foreign)}", hint=hint)
    return replace(found, measured_at=made_at)


def _recall(note: Callable[[str], object], spec: StreamSpec) -> ClockCalibration | None:
    try:
        found = stored_clock(spec)
    except CalibrationError as err:
        how = f" ({err.hint})" if err.hint else ""
        note(f"{spec.name}: the stored {KIND} is not applied: {err}{how}")
        return None
    if found is not None:
        age = dt.datetime.now(dt.timezone.utc) - dt.datetime.fromisoformat(found.measured_at)
        note(
            f"{spec.name}: its clock begins with {found.skew_ppm:+.1f} ± "
            f"{found.skew_uncertainty_ppm:.1f} ppm ({KIND} of {age.days} days ago)"
        )
    return found
