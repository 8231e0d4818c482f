"""A nose on a pty: its clock is measured, kept, and begun with the next time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thymos.devices import open_uri
from thymos.errors import ConfigError
from thymos_calibration.clock import measure
from thymos_calibration.store import CalibrationStore
from thymos_drivers.enose import SerialNose


def test_a_file_that_is_no_clock(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", '{"clock": 3}', '{"clock": {"version": 99}}', "[" * 100_000):
        path = tmp_path / "x.json"
        path.write_text(text)
        with pytest.raises(ConfigError) as wrong:
            open_uri("enose", f"serial:/dev/none?clock={path}")
        assert wrong.value.hint
    with pytest.raises(ConfigError, match="cannot read"):
        open_uri("enose", "serial:/dev/none?clock=/nowhere")


def test_from_measuring_to_a_warm_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "drivers"))
    import helpers_noses as noses

    monkeypatch.setattr("thymos_calibration.clock.MIN_SECONDS", 2.0)  # the skew is not the point
    monkeypatch.setattr("thymos_calibration.clock.MAX_SKEW_SD_PPM", 1e5)
    with noses.Board(noses.Own(), hz=50.0) as board:
        with SerialNose(board.port) as nose:
            result = measure(nose, seconds=3)
            assert result.quality["readings"] > 50
        path = CalibrationStore(tmp_path).save(result)
        learnt = json.loads(path.read_text())["clock"]
        again = open_uri("enose", f"serial:{board.port}?clock={path}")
        assert isinstance(again, SerialNose)
        with again:
            assert again.read(5.0) is not None
            assert again.clock is not None
            assert again.clock.skew_ppm == pytest.approx(learnt["skew_ppm"], abs=1.0)
