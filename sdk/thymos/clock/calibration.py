"""What is worth remembering of a device clock: a plain value, for files and warm starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from thymos.errors import ConfigError

VERSION = 1
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ClockCalibration:
    """A device clock as measured once. Made by `ClockModel.calibration`.

    The skew belongs to the device and holds for months (crystals age by some ppm a year). The
    anchor belongs to one run of the device and one boot of the robot: it is used only while `boot`
    is the present boot, and dropped if the first readings contradict it.

    Attributes:
        device: Which device, for people (name, serial number).
        skew_ppm: Parts per million that one of its seconds is longer than one of ours.
        skew_uncertainty_ppm: Standard deviation of that.
        latency_ns: Constant delay between capture and earliest arrival, measured from outside.
        latency_uncertainty_ns: About 95 % bound of that.
        anchor_ticks: Counter of the device at the anchor; None without one.
        anchor_ns: Robot time of the earliest arrival of a reading with these ticks.
        anchor_uncertainty_ns: About 95 % bound of that.
        boot: Boot id of the robot when the anchor was taken.
        measured_at: When, ISO 8601, for people.
    """

    device: str
    skew_ppm: float
    skew_uncertainty_ppm: float
    latency_ns: int = 0
    latency_uncertainty_ns: int = 0
    anchor_ticks: int | None = None
    anchor_ns: int = 0
    anchor_uncertainty_ns: int = 0
    boot: str = ""
    measured_at: str = ""

    def as_json(self) -> dict[str, Any]:
        """All attributes and the version of this format, as plain JSON has them."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ClockCalibration:
        """Read what `as_json` gave.

        Raises:
            ConfigError: It is of another version, or not a clock calibration.
        """
        hint = "measure it again, or delete the file"
        if body.get("version") != VERSION:
            raise ConfigError(
                f"a clock calibration of version {VERSION} was expected, not {body.get('version')}",
                hint=hint,
            )
        known = {f.name: body[f.name] for f in fields(cls) if f.name in body}
        try:
            made = cls(**known)
            made._check()
        except (TypeError, ValueError) as err:
            raise ConfigError(f"this is no clock calibration: {err}", hint=hint) from err
        return made

    def _check(self) -> None:
        texts = (self.device, self.boot, self.measured_at)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("device, boot and measured_at are texts")
        times = (self.latency_ns, self.latency_uncertainty_ns)
        anchor = (self.anchor_ns, self.anchor_uncertainty_ns, self.anchor_ticks or 0)
        if not all(
            isinstance(value, int) and not isinstance(value, bool) for value in times + anchor
        ):
            raise ValueError("times in ns and ticks are whole numbers")
        if not (math.isfinite(self.skew_ppm) and abs(self.skew_ppm) < 1e5):
            raise ValueError(f"a skew of {self.skew_ppm} ppm is not possible")
        if not (math.isfinite(self.skew_uncertainty_ppm) and self.skew_uncertainty_ppm > 0):
            raise ValueError("the uncertainty of the skew is not positive")


def boot_id() -> str:
    """Identifies this boot of the machine (CLOCK_MONOTONIC begins with it); empty if unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
