"""A perception node knows a nose by its path alone and still finds what was stored by number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from thymos.devices import stored_calibration
from thymos.errors import CalibrationError
from thymos.samples import Kind, StreamSpec
from thymos_calibration.store import Calibration, CalibrationStore, identity

pytest.importorskip("serial", reason="pyserial is not installed (pip install 'thymos[enose]')")


def spec(device: str, **extra: str) -> StreamSpec:
    return StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm", ("CO",), device=device, extra=extra)


def test_the_port_of_a_chip_with_a_serial_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = SimpleNamespace(device="/dev/ttyUSB7", serial_number="A1")
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    opened = spec("/dev/ttyUSB3", serial_number="A1")  # where it was when it was calibrated
    made = CalibrationStore().save(Calibration("enose-clean-air", identity(opened), {}, "by hand"))
    assert stored_calibration("enose-clean-air", spec("/dev/ttyUSB7")) == made
    with pytest.raises(CalibrationError, match="/dev/ttyUSB3"):
        stored_calibration("enose-clean-air", spec("/dev/ttyUSB3"))
