"""Controls of a V4L2 camera by the kernel's own calls, on vivid, against v4l2-ctl."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from thymos.devices import open_uri
from thymos.errors import DeviceError
from thymos.samples import Controlled
from thymos_drivers import listing
from thymos_drivers.v4l2_controls import V4l2Controls

LINE = re.compile(r"^ *(\w+) 0x\w+ \((int|bool|menu|intmenu)\) *:(.*)$", re.M)


def said(vivid: Path, *options: str) -> str:
    command = ["v4l2-ctl", "-d", str(vivid), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_all_that_v4l2_ctl_lists_is_told_alike(vivid: Path) -> None:
    ours = {c.name: c for c in V4l2Controls(str(vivid)).all()}
    theirs = {
        name: (kind, dict(re.findall(r"(\w+)=(-?\d+)", facts)))
        for name, kind, facts in LINE.findall(said(vivid, "--list-ctrls"))
        if "write-only" not in facts
    }
    assert {"brightness", "contrast", "hue"} <= set(ours)
    assert set(theirs) == set(ours)
    for name, (kind, facts) in theirs.items():
        control = ours[name]
        if kind != "bool":
            assert (control.low, control.high) == (int(facts["min"]), int(facts["max"])), name
        assert control.default == int(facts["default"]), name
        assert control.switch == (kind == "bool")
        assert bool(control.choices) == (kind in ("menu", "intmenu")), name


def test_they_are_changed_while_pictures_come_and_after_it_was_opened_again(vivid: Path) -> None:
    source = open_uri("camera", "v4l2:vivid?size=320x180&fps=15&set=contrast:33")
    assert isinstance(source, Controlled)
    with source:  # type: ignore[attr-defined]
        assert source.read(60.0) is not None  # type: ignore[attr-defined]
        source.set_control("brightness", 77)
        assert said(vivid, "-C", "brightness,contrast").split()[1::2] == ["77", "33"]
        with pytest.raises(DeviceError, match="brightness=256: it goes from 0 to 255"):
            source.set_control("brightness", 256)
        with pytest.raises(DeviceError, match="no such control"):
            source.set_control("zest", 1)
        assert source.read(60.0) is not None  # type: ignore[attr-defined]
    said(vivid, "-c", "brightness=5")
    with source:  # type: ignore[attr-defined]
        assert {c.name: c.value for c in source.controls()}["brightness"] == 77


def test_they_are_listed(vivid: Path) -> None:
    (found,) = [c for c in listing.cameras() if c.uri]
    assert any(re.match(r"brightness \d+ \(0 to 255\)", text) for text in found.controls)
