"""Calibration files: dated, whole, never overwritten, refused when damaged or old."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from thymos.errors import CalibrationError
from thymos_calibration.store import Calibration, CalibrationStore, read

THEN = dt.datetime(2026, 11, 23, 4, 55, tzinfo=dt.timezone.utc)


def result(
    value: float = 1.0, *, made_at: dt.datetime = THEN, device: str = "nose 7"
) -> Calibration:
    return Calibration(
        kind="enose-clean-air",
        device=device,
        values={"r0": {"CO": value}, "unit": "ohm"},
        method="median",
        quality={"cv": {"CO": 0.01}},
        made_at=made_at,
    )


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    path = store.save(result())
    assert path.name == "2026-11-23T045500Z.json"
    assert store.load("enose-clean-air", "nose 7") == result()
    assert json.loads(path.read_text())["schema"] == "thymos.calibration/1"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_nothing_is_overwritten_and_the_newest_counts(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    paths = [store.save(result(float(n))) for n in range(12)]
    assert len(set(paths)) == 12
    later = store.save(result(99.0, made_at=THEN + dt.timedelta(seconds=1)))
    assert store.load("enose-clean-air", "nose 7").values["r0"] == {"CO": 99.0}
    assert store.files("enose-clean-air", "nose 7") == [*paths, later]
    store.save(result(made_at=THEN - dt.timedelta(days=1)))
    assert store.load("enose-clean-air", "nose 7").values["r0"] == {"CO": 99.0}
    assert len(store.newest()) == 1


def test_age_is_checked(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    store.save(result(made_at=dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=40)))
    assert store.load("enose-clean-air", "nose 7").age_days() == pytest.approx(40, abs=0.1)
    with pytest.raises(CalibrationError, match="40 days old"):
        store.load("enose-clean-air", "nose 7", max_age_days=30)


def test_devices_are_kept_apart_and_stay_inside(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path / "in")
    for device in ("/dev/ttyUSB0", "dev_ttyUSB0", "../../evil", "..", "", "ナ"):
        path = store.save(result(device=device))
        assert path.resolve().is_relative_to(tmp_path / "in")
        assert store.load("enose-clean-air", device).device == device
    assert len(store.newest()) == 6


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError) as missing:
        CalibrationStore(tmp_path).load("camera-intrinsics", "C920")
    assert missing.value.hint == "make one: thymos calibrate camera"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": "thymos.calibration/9"}',
        '{"schema": "thymos.calibration/1"}',
        '{"schema": "thymos.calibration/1", "kind": "a", "device": "b", "method": "", "x": 3,'
        ' "quality": 3, "thymos_version": "1", "made_at": "2026-01-01T00:00:00+00:00"}',
        "[" * 100_000,
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(CalibrationError):
        read(path)


def test_values_must_be_json(tmp_path: Path) -> None:
    for values in ({"x": float("nan")}, {"x": object()}, {"kind": 1}):
        bad = Calibration("k", "d", values, "m")
        with pytest.raises(CalibrationError):
            CalibrationStore(tmp_path).save(bad)
    assert list(tmp_path.rglob("*.json")) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CalibrationError) as wrong:
        CalibrationStore(tmp_path / "file").save(result())
    assert wrong.value.hint
