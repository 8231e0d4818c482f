"""Devices with a clock of their own, which may begin with what was measured of it before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from thymos.clock.calibration import ClockCalibration
from thymos.errors import ConfigError
from thymos.samples import StreamSpec
from thymos_drivers.base import BaseSource

Recall = Callable[[StreamSpec], "ClockCalibration | None"]


class OwnClock(BaseSource):
    """A live source whose stamps come from the device's own counter.

    What is given by hand counts, else what is recalled, once: a device that comes back keeps it.
    """

    _warm: ClockCalibration | None = None
    _by_hand = False
    _recall: Recall | None = None

    def begin_clock(self, calibration: ClockCalibration | None) -> None:
        """Say by hand what the clock begins with, before `open`; None: with nothing."""
        self._warm, self._by_hand = calibration, True

    def recall_clock(self, recall: Recall) -> None:
        """Say who knows a calibration of this device, before `open`; see `thymos.warm`."""
        if not self._by_hand:
            self._recall = recall

    def _known_clock(self, spec: StreamSpec) -> ClockCalibration | None:
        """What is known of the clock of the device that was just found."""
        recall, self._recall = self._recall, None
        if recall is not None:
            self._warm = recall(spec)
        return self._warm

    def _clock_facts(self) -> dict[str, str]:
        """What to record of it; the same on any day."""
        if self._warm is None:
            return {}
        day = self._warm.measured_at[:10]
        return {"clock": f"began with {self._warm.skew_ppm:+.1f} ppm{day and f' of {day}'}"}


def set_clock(source: OwnClock, text: str) -> None:
    """Read the option `clock`: empty (what is stored counts), `off`, or a file.

    Raises:
        ConfigError: It is no file of `thymos calibrate clock`.
    """
    if text:
        source.begin_clock(None if text == "off" else _read(text))


def _read(path: str) -> ClockCalibration:
    hint = "make one: thymos calibrate clock enose serial:PORT"
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        body, made_at = data["clock"], data.get("made_at", "")
    except OSError as err:
        raise ConfigError(f"cannot read the clock '{path}': {err.strerror}", hint=hint) from err
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise ConfigError(f"'{path}' is no clock calibration", hint=hint) from err
    if not isinstance(body, dict):
        raise ConfigError(f"'{path}' is no clock calibration", hint=hint)
    return replace(ClockCalibration.from_json(body), measured_at=str(made_at))
