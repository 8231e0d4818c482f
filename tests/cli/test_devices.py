from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from thymos.cli import devices as module
from thymos.cli.devices import find_devices
from thymos.devices import without_password
from thymos.errors import MissingExtraError
from thymos_calibration.store import Known


@dataclass
class Found:
    uri: str
    name: str
    detail: str = ""
    usable: bool = True
    remedy: str = ""
    controls: tuple[str, ...] = ()


class Point:
    """An entry point whose function is at hand."""

    def __init__(self, name: str, function) -> None:
        self.name = name
        self._function = function

    def load(self):
        if isinstance(self._function, Exception):
            raise self._function
        return self._function


def missing():
    raise MissingExtraError("sounddevice", "microphone")


def broken():
    raise RuntimeError("no bus \x1b[2J")


POINTS = [
    Point("enose", broken),
    Point("microphone", missing),
    Point("camera.realsense", ImportError("pyrealsense2")),
    Point(
        "camera",
        lambda: [
            Found(
                "v4l2:/dev/video0",
                "Cam [red]x[/red]\x1b[31m",
                "640x480",
                controls=("gain 10 (0 to 255)\x1b[31m",),
            ),
            Found("v4l2:/dev/video1", "Other", usable=False, remedy="sudo usermod -aG video you"),
        ],
    ),
]


def test_every_listing_is_asked_and_faults_are_rows() -> None:
    found = find_devices(POINTS)
    assert [d.role for d in found] == ["camera", "camera", "camera", "microphone", "enose"]
    assert found[0].uri == "v4l2:/dev/video0"
    assert "\x1b" not in "".join(d.name + d.detail for d in found)
    assert [d.usable for d in found] == [True, False, False, False, False]
    assert found[3].remedy == "pip install 'thymos[microphone]'"
    assert "no bus" in found[4].detail


KNOWN = [
    Known("/dev/video0", "camera-intrinsics", 3.2, False),
    Known("/dev/video0+Headset", "av-sync", 400.0, True, "not applied"),
    Known("/dev/video9", "camera-intrinsics", 3.2, False),
]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    known = SimpleNamespace(load=lambda: lambda: KNOWN)
    monkeypatch.setattr(
        module, "entry_points", lambda group: POINTS if group == module.GROUP else [known]
    )
    app = typer.Typer()
    app.command()(module.devices)
    return app


def test_json_and_table(command: typer.Typer) -> None:
    runner = CliRunner()
    rows = json.loads(runner.invoke(command, ["--json"]).stdout)
    assert rows[1]["remedy"] == "sudo usermod -aG video you"
    assert rows[0]["calibrations"] == ["camera-intrinsics 3 d", "av-sync 400 d, old (not applied)"]
    text = runner.invoke(command, [], env={"COLUMNS": "200"}).stdout
    assert "v4l2:/dev/video0" in text
    assert "av-sync 400 d, old (not applied)" in text
    assert "[red]x[/red]" in text
    assert "gain 10 (0 to 255)" in text
    assert rows[0]["controls"] == ["gain 10 (0 to 255)[31m"]  # without the escape character
    assert "sudo usermod -aG video you" in text
    assert "no microphone is plugged in" in text


def test_nothing_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: [])
    app = typer.Typer()
    app.command()(module.devices)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert "no camera is plugged in; without one: file:PATH or sim:" in result.stdout


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://anna:s3cr%40et@cam.local:554/stream?x=1", "rtsp://cam.local:554/stream?x=1"),
        ("http://a:b@c@host/x", "http://host/x"),
        ("rtsp://cam/a@b", "rtsp://cam/a@b"),
        ("v4l2:/dev/video0?size=640x480", "v4l2:/dev/video0?size=640x480"),
        ("sim:", "sim:"),
    ],
)
def test_a_password_is_never_shown(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
