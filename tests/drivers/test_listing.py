"""Listing what is plugged in never opens and never fails."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest

from thymos_drivers import listing


def test_every_role_can_be_listed() -> None:
    points = entry_points(group="thymos.listing")
    assert {"camera", "microphone", "enose"} <= set(points.names)
    for point in points:
        for device in point.load()():
            assert device.name
            assert device.usable or device.reason == device.detail


def test_a_camera_that_may_not_be_opened_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "video0"
    node.touch()
    monkeypatch.setattr(listing, "v4l2_names", lambda: {str(node): "C920", "/dev/gone": "old"})
    monkeypatch.setattr(listing, "_realsense", list)
    monkeypatch.setattr(listing.os, "access", lambda *_: False)
    mine, gone = listing.cameras()
    assert not mine.usable
    assert "usermod -aG video" in mine.remedy
    assert "missing" in gone.reason
    monkeypatch.setattr(listing.os, "access", lambda *_: True)
    assert listing.cameras()[0].usable


def test_microphones_are_listed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [
        {"name": "Speaker", "max_input_channels": 0, "default_samplerate": 48000.0},
        {"name": "USB Mic", "max_input_channels": 2, "default_samplerate": 44100.0},
    ]
    fake = SimpleNamespace(query_devices=lambda: devices, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    (mic,) = listing.microphones()
    assert mic.uri == "portaudio:USB Mic"
    assert mic.detail == "2 channels, 44100 Hz"


def test_serial_ports_on_usb_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "ttyUSB0"
    node.touch()
    port = SimpleNamespace(
        device=str(node), vid=0x1A86, pid=0x7523, product="USB Serial", description="",
        serial_number="A1",
    )  # fmt: skip
    board = SimpleNamespace(device="/dev/ttyS0", vid=None, serial_number=None)
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [board, port])
    monkeypatch.setattr(listing, "i2c_buses", list)
    (nose,) = listing.enoses()
    assert nose.uri == "serial:A1"  # found again wherever it is plugged in next time
    assert nose.detail == f"CH340 (ESP32, Arduino clones), {node}, serial A1"
    assert nose.usable
    assert listing.port_serial(str(node)) == "A1"
    twin = SimpleNamespace(**{**vars(port), "device": str(tmp_path / "ttyUSB1")})
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port, twin])
    assert listing.enoses()[0].uri == f"serial:{node}"  # two chips with one number: by path


def test_i2c_buses_are_listed_but_for_those_of_screens(tmp_path: Path) -> None:
    names = {"i2c-1": "bcm2835 (i2c@7e804000)\n", "i2c-2": "i915 gmbus dpb\n", "i2c-10": "tegra\n"}
    for bus, name in names.items():
        (tmp_path / bus).touch()
        (tmp_path / "class" / bus).mkdir(parents=True)
        (tmp_path / "class" / bus / "name").write_text(name)
    found = listing.i2c_buses(tmp_path, tmp_path / "class")
    assert [(b.uri, b.name) for b in found] == [
        ("i2c:1", "bcm2835 (i2c@7e804000)"),
        ("i2c:10", "tegra"),
    ]
