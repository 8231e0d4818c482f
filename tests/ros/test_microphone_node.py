"""The microphone node: the stored av-sync to the camera that runs beside it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (pip install 'thymos[ros]')")
pytest.importorskip("thymos_msgs", reason="the messages are not built (make setup)")

from thymos_msgs.msg import SourceInfo

from ros_testing import wait_until
from stages import samples, spec
from thymos.samples import Kind
from thymos_calibration.store import Calibration, CalibrationStore
from thymos_drivers.testing import ListSource
from thymos_nodes import qos, sensors
from thymos_nodes.sensors import MicrophoneNode

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

SOUND = replace(spec(Kind.AUDIO, 1000), device="Headset")
CAMERA = SourceInfo(stream="camera", device="C920", origin=SourceInfo.LIVE, serial="5A2B")


def node(monkeypatch: pytest.MonkeyPatch, *more: str) -> MicrophoneNode:
    import rclpy

    rclpy.try_shutdown()
    given = [part for text in ("autostart:=false", *more) for part in ("-p", text)]
    rclpy.init(args=["--ros-args", *given])
    source = ListSource(SOUND, samples(SOUND, 1.0), live=True)
    monkeypatch.setattr(sensors, "open_uri", lambda *_: source)
    made = MicrophoneNode()
    made.trigger_configure()
    assert made.problem is None
    return made


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    made_at = dt.datetime.now(dt.timezone.utc).replace(microsecond=0) - dt.timedelta(days=3)
    values, quality = {"offset_ms": 170.0}, {"confidence": 0.89}
    CalibrationStore().save(
        Calibration("av-sync", "5A2B+Headset", values, "talking", quality, made_at=made_at)
    )


def moved_ms(made: MicrophoneNode) -> float:
    assert made._ears is not None
    sample = made._ears.read()
    assert sample is not None
    return (sample.t_ns - 20_000_000 * sample.seq) / 1e6


def test_it_is_applied_once_the_camera_has_told_who_it_is(
    ros: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rclpy

    made = node(monkeypatch)
    assert moved_ms(made) == 0
    other = rclpy.create_node("camera_of_the_test")
    other.create_publisher(SourceInfo, "camera/source", qos.LATCHED).publish(CAMERA)

    def told() -> bool:
        rclpy.spin_once(made, timeout_sec=0.05)
        return "offset_ms" in made.spec.extra

    wait_until(told, "the camera's word")
    assert moved_ms(made) == -170
    assert "av-sync of" in made.spec.extra["note"]
    other.destroy_node()
    made.release()
    made.destroy_node()


@pytest.mark.parametrize(
    ("parameter", "origin", "wanted"),
    [
        ("offset_ms:=-20.0", SourceInfo.LIVE, -20),
        ("av_sync:='off'", SourceInfo.LIVE, 0),
        ("av_sync:=stored", SourceInfo.RECORDED, 0),
    ],
)
def test_by_hand_wins_and_recordings_are_left_alone(
    ros: None, monkeypatch: pytest.MonkeyPatch, parameter: str, origin: str, wanted: float
) -> None:
    made = node(monkeypatch, parameter)
    made._on_camera(SourceInfo(stream="camera", device="C920", origin=origin, serial="5A2B"))
    assert moved_ms(made) == wanted
    made.release()
    made.destroy_node()
