"""`thymos calibrate enose` from a simulated nose to a file that perception can read."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from thymos.devices import open_uri
from thymos.errors import CalibrationError
from thymos.samples import Kind, StreamSpec
from thymos_calibration.av_observe import observe
from thymos_calibration.cli import app
from thymos_calibration.store import Calibration, CalibrationStore, known
from thymos_drivers.camera import camera_serial


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationStore:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    return CalibrationStore(tmp_path)


def made(kind: str, device: str, days_ago: float, value: float = 1.0) -> Calibration:
    then = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days_ago)
    return Calibration(kind, device, {"x": value}, "by hand", {"rms": 0.5}, made_at=then)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(app, [*args], env={"COLUMNS": "200"})


def test_the_list_tells_age_versions_and_damage(store: CalibrationStore) -> None:
    assert "no calibrations" in invoke("list").stdout
    store.save(made("clock", "nose", 40))
    store.save(made("clock", "nose", 31))
    store.save(made("av-sync", "cam+\x1b[31mmic", 2))
    bad = store.save(made("microphone", "desk", 1))
    bad.write_text("{")
    text = invoke("list").stdout
    assert "31 days, old" in text
    assert "2 days" in text
    assert "damaged" in text
    assert "\x1b[31mmic" not in text
    rows = json.loads(invoke("list", "--json").stdout)
    by_kind = {row.get("kind", "damaged"): row for row in rows}
    assert by_kind["clock"]["versions"] == 2
    assert by_kind["clock"]["old"] is True
    assert by_kind["av-sync"]["old"] is False
    assert by_kind["damaged"]["file"] == str(bad)
    told = {(one.kind, one.device): one for one in known()}
    assert told["clock", "nose"].old
    assert told["clock", "nose"].age_days == pytest.approx(31, abs=0.1)


def test_one_is_shown(store: CalibrationStore) -> None:
    store.save(made("clock", "nose", 3, 7.0))
    path = store.save(made("clock", "nose", 1, 8.0))
    for args in (("clock", "nose"), ("clock",), (str(path),)):
        text = invoke("show", *args).stdout
        assert '"x": 8.0' in text
        assert "trusted for 30 days" in text
    assert json.loads(invoke("show", "clock", "--json").stdout)["file"] == str(path)
    for wrong, word in (
        (("av-sync",), "no calibration"),
        (("clock", "other"), "no calibration"),
    ):
        run = invoke("show", *wrong, "--json")
        assert run.exit_code == 1
        assert word in json.loads(run.stdout)["refused"]
    store.save(made("clock", "second", 1))
    assert "2 devices" in str(invoke("show", "clock").exception)


def test_serial_number_first_then_name(store: CalibrationStore) -> None:
    spec = StreamSpec("enose", Kind.GAS, 1, (1,), "ohm", device="port", extra={"serial": "S"})
    store.save(made("clock", "port", 1, 1.0))
    assert store.load_for("clock", spec).values["x"] == 1.0
    store.save(made("clock", "S", 2, 2.0))
    assert store.load_for("clock", spec).values["x"] == 2.0
    with pytest.raises(CalibrationError, match="days old"):
        store.load_for("clock", spec, max_age_days=1)


def test_a_usb_camera_has_its_serial_number(tmp_path: Path) -> None:
    usb = tmp_path / "devices/usb1/1-1"
    (usb / "1-1:1.0").mkdir(parents=True)
    (usb / "serial").write_text("5A2B\n")
    (tmp_path / "video0").mkdir()
    (tmp_path / "video0/device").symlink_to(usb / "1-1:1.0")
    assert camera_serial("/dev/video0", tmp_path) == "5A2B"
    assert camera_serial("/dev/video1", tmp_path) == ""


def test_wrong_use_is_told(store: CalibrationStore) -> None:
    for args, word in (
        (("av-sync",), "name a recording"),
        (("av-sync", "--camera", "sim:"), "both"),
        (("av-sync", "nowhere.mp4"), "nowhere.mp4"),
        (("camera",), "name a camera"),
        (("camera", "x", "--board", "nine"), "no board"),
        (("clock", "nostril", "sim:"), "no kind of device"),
        (("clock", "camera", "sim:?pace=0&seconds=40"), "arrived|no clock"),
        (("microphone", "off"), "off"),
        (("enose-climate", "sim:?pace=0&seconds=60"), "does not measure|humidity"),
    ):
        run = invoke(*args, "--json")
        assert run.exit_code == 1, args
        said = json.loads(run.stdout)
        assert any(w in said["refused"] for w in word.split("|")), said
        assert said["hint"], said


def test_live_devices_are_watched_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live sources are read in threads and cut off after the time asked for."""
    camera, microphone = (open_uri(role, "sim:") for role in ("camera", "microphone"))
    assert camera is not None
    assert microphone is not None
    shares: list[float] = []
    seen = observe(camera, microphone, faces=False, seconds=2.0, progress=shares.append)
    assert 0.1 < (seen.frames_ns[-1] - seen.frames_ns[0]) / 1e9 < 30.0
    assert seen.voice is not None
    assert shares == sorted(shares)


def calibrate(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thymos", "calibrate", "enose", *args],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "200"},
    )


def test_a_baseline_is_measured_and_saved(tmp_path: Path) -> None:
    done = calibrate(tmp_path, "sim:?pace=0&seed=3", "--seconds", "30", "--warm-up", "10")
    assert done.returncode == 0, done.stderr
    saved = json.loads(Path(done.stdout.strip()).read_text())
    assert saved["kind"] == "enose-clean-air"
    assert "perceive.clean_air" in done.stderr


def test_an_odour_too_recent_is_refused(tmp_path: Path) -> None:
    done = calibrate(
        tmp_path, "sim:?pace=0", "--seconds", "30", "--warm-up", "0", "--since-odour", "60"
    )
    assert done.returncode == 1
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
