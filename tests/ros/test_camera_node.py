"""The camera node: controls of the device as parameters; depth; intrinsics of the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (pip install 'thymos[ros]')")
pytest.importorskip("thymos_msgs", reason="the messages are not built (make setup)")

from rclpy.parameter import Parameter

from stages import spec
from thymos.errors import DeviceError
from thymos.samples import Control, Kind, Sample, StreamSpec
from thymos_drivers.testing import ListSource
from thymos_nodes import sensors
from thymos_nodes.sensors import CameraNode

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]


class Camera(ListSource):
    """A third-party camera with controls."""

    def __init__(self) -> None:
        made = spec(Kind.VIDEO, 10)
        picture = np.zeros((48, 64, 3), np.uint8)
        super().__init__(made, [Sample(made.name, 0, 0, 0, picture)], live=True)
        self.knobs = {
            "gain": Control("gain", 10, 0, 255),
            "auto_exposure": Control(
                "auto_exposure", 3, 0, 3, choices={1: "Manual Mode", 3: "Aperture Priority Mode"}
            ),
            "white_balance_automatic": Control("white_balance_automatic", 1, 0, 1, switch=True),
        }
        self.set: list[tuple[str, int]] = []
        self.away = False

    def controls(self) -> list[Control]:
        if self.away:
            raise DeviceError("it is asleep")
        return list(self.knobs.values())

    def set_control(self, name: str, value: int) -> None:
        if why := self.knobs[name].wrong(value):
            raise DeviceError(f"it does not take {name}={value}: {why}")
        self.set.append((name, value))


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Camera:
    made = Camera()
    monkeypatch.setattr(sensors, "open_uri", lambda *_: made)
    return made


@pytest.fixture
def node(ros: None, camera: Camera) -> Iterator[CameraNode]:
    import rclpy

    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "autostart:=false", "-p", "control.gain:=20"])
    made = CameraNode()
    yield made
    made.release()
    made.destroy_node()


def turn(node: CameraNode, **values: Any) -> list[tuple[bool, str]]:
    new = [Parameter(f"control.{name}", value=value) for name, value in values.items()]
    return [(r.successful, r.reason) for r in node.set_parameters(new)]


def test_they_are_declared_with_limits_set_and_refused(node: CameraNode, camera: Camera) -> None:
    assert not node.has_parameter("control.gain")
    node.trigger_configure()
    assert node.problem is None
    assert camera.set == [("gain", 20)]  # of the parameter file
    limits = node.describe_parameter("control.gain").integer_range[0]
    assert (limits.from_value, limits.to_value) == (0, 255)
    assert "1 (Manual Mode)" in node.describe_parameter("control.auto_exposure").description
    camera.set.clear()
    assert turn(node, gain=99, white_balance_automatic=False, auto_exposure=1) == [(True, "")] * 3
    assert camera.set == [("gain", 99), ("white_balance_automatic", 0), ("auto_exposure", 1)]
    assert node.value("control.gain") == 99
    ((ok, why),) = turn(node, auto_exposure=2)
    assert not ok
    assert "it takes 1 (Manual Mode), 3 (Aperture Priority Mode)" in why
    assert node.value("control.auto_exposure") == 1
    ((ok, why),) = turn(node, gain=300)
    assert not ok
    assert why


def test_what_was_set_is_put_back_when_a_later_one_is_refused(
    node: CameraNode, camera: Camera
) -> None:
    node.trigger_configure()
    camera.set.clear()
    new = [Parameter("control.gain", value=50), Parameter("control.auto_exposure", value=2)]
    assert not node.set_parameters_atomically(new).successful
    assert camera.set == [("gain", 50), ("gain", 20)]
    assert node.value("control.gain") == 20


def test_they_go_with_the_device(node: CameraNode, camera: Camera) -> None:
    from rclpy.exceptions import ParameterNotDeclaredException

    node.trigger_configure()
    node.trigger_cleanup()
    assert not node.has_parameter("control.gain")
    with pytest.raises(ParameterNotDeclaredException):
        turn(node, gain=1)
    node.trigger_configure()
    assert node.has_parameter("control.gain")


def test_a_camera_that_does_not_tell_them_works_without(node: CameraNode, camera: Camera) -> None:
    camera.away = True
    node.trigger_configure()
    assert node.problem is None
    assert not node.has_parameter("control.gain")


class Depth(ListSource):
    """A depth camera that tells its intrinsics."""

    def __init__(self, **extra: str) -> None:
        made = StreamSpec("camera", Kind.DEPTH, 30.0, (2, 3), "mm", device="D435", extra=extra)
        far = np.arange(6, dtype=np.uint16).reshape(2, 3)
        super().__init__(made, [Sample("camera", 0, 0, 0, far)], live=True)


LENS = (
    '{"width": 3, "height": 2, "matrix": [60, 0, 1.5, 0, 61, 1, 0, 0, 1],'
    ' "distortion_model": "plumb_bob", "distortion": [0, 0, 0, 0, 0]}'
)


def configured(monkeypatch: pytest.MonkeyPatch, source: ListSource) -> CameraNode:
    import rclpy

    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "autostart:=false", "-p", "calibration:=device"])
    monkeypatch.setattr(sensors, "open_uri", lambda *_: source)
    made = CameraNode()
    made.trigger_configure()
    return made


def test_depth_goes_out_as_16uc1_with_the_device_s_camera_info(
    ros: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = configured(monkeypatch, Depth(lens=LENS))
    assert node.problem is None
    sent: list[Any] = []
    monkeypatch.setattr(node, "_wanted", lambda _: True)
    for publisher in (node._image, node._camera_info):
        monkeypatch.setattr(publisher, "publish", sent.append)
    node.publish_sample(Depth()._items[0], 5_000_000_007)  # type: ignore[arg-type]
    image, info = sent
    assert (image.encoding, image.step, image.height, image.width) == ("16UC1", 6, 2, 3)
    assert np.frombuffer(image.data, "<u2").tolist() == [0, 1, 2, 3, 4, 5]
    assert image.header == info.header
    assert (info.header.stamp.sec, info.header.stamp.nanosec) == (5, 7)
    assert (info.width, info.height, info.distortion_model) == (3, 2, "plumb_bob")
    assert list(info.p) == [60, 0, 1.5, 0, 0, 61, 1, 0, 0, 0, 1, 0]
    node.release()
    node.destroy_node()


@pytest.mark.parametrize("lens", [{}, {"lens": "{"}, {"lens": '{"matrix": [1]}'}])
def test_a_camera_that_tells_no_intrinsics_says_so(
    ros: None, monkeypatch: pytest.MonkeyPatch, lens: dict[str, str]
) -> None:
    node = configured(monkeypatch, Depth(**lens))
    assert "does not tell its intrinsics" in str(node.problem)
    node.destroy_node()
