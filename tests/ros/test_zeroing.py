"""The nose node: clean air on a running stream, and a device that is surely closed afterwards."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (pip install 'thymos[ros]')")
pytest.importorskip("std_srvs", reason="std_srvs is not installed (pip install 'thymos[ros]')")
pytest.importorskip("thymos_msgs", reason="the messages are not built (make setup)")

from ros_testing import wait_until
from thymos.config import PerceiveConfig
from thymos.errors import CalibrationError
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec
from thymos_calibration.store import Calibration, CalibrationStore, read
from thymos_nodes.zeroing import Zeroing

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

SPEC = StreamSpec(
    "enose", Kind.GAS, 10.0, (2,), "ohm", ("NO2", "CO"), device="nose", extra={"serial": "A1"}
)


def reading(at_s: float, factor: float = 1.0, flags: Flag = Flag.OK) -> Sample:
    values = np.array([1e4, 2e4]) * factor * (1 + 0.001 * np.sin(at_s))
    t_ns = round(at_s * NS_PER_S)
    return Sample("enose", round(at_s * 10), t_ns, t_ns, values, flags)


def fill(
    zeroing: Zeroing, begin_s: float, end_s: float, factor: float = 1.0, flags: Flag = Flag.OK
) -> list[bool]:
    """Ten readings a second; whether each ended a measurement."""
    times = np.arange(round(begin_s * 10), round(end_s * 10)) / 10
    return [zeroing.take(reading(float(t), factor, flags)) for t in times]


@pytest.fixture
def zeroing(tmp_path: Path) -> Zeroing:
    return Zeroing(SPEC, 60.0, 300.0, CalibrationStore(tmp_path))


def test_the_last_minute_becomes_the_baseline_and_perception_finds_it_by_serial_number(
    zeroing: Zeroing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(zeroing, 0, 361)
    made = read(zeroing.zero())
    assert made.device == "A1"
    assert made.quality["seconds"] == pytest.approx(60, abs=0.2)
    assert made.quality["seconds_watched_before"] == pytest.approx(300, abs=1)
    assert made.values["channels"]["CO"]["baseline"] == pytest.approx(2e4, rel=0.002)
    assert "measured" in zeroing.result
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    smell = SmellPerceiver(PerceiveConfig(clean_air="stored"))
    smell.start(SPEC)
    assert smell.baseline is not None
    assert smell.baseline.values == pytest.approx([1e4, 2e4], rel=0.002)
    other = StreamSpec("enose", Kind.GAS, 10.0, (2,), "ohm", ("NO2", "CO"), device="other")
    with pytest.raises(CalibrationError, match="'other' has no calibration"):
        SmellPerceiver(PerceiveConfig(clean_air="stored")).start(other)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(0, 100, 1.0, Flag.OK)], "has run for 100 s; 300 s of warm-up"),
        ([(0, 370, 1.0, Flag.WARMUP)], "still warming up"),
        ([(0, 330, 1.0, Flag.OK), (330, 380, 1.4, Flag.OK)], "not still"),
        ([(0, 200, 1.0, Flag.OK), (200, 210, 0.5, Flag.OK), (210, 400, 1.0, Flag.OK)], "130 s be"),
        ([(0, 400, 1.0, Flag.OK), (500, 550, 1.0, Flag.OK)], "has run for 50 s"),  # was away
        ([], "sent nothing"),
    ],
)
def test_it_is_refused_for_the_reasons_of_the_command(
    zeroing: Zeroing, tmp_path: Path, parts: list[tuple[float, float, float, Flag]], words: str
) -> None:
    for part in parts:
        fill(zeroing, *part)
    with pytest.raises(CalibrationError, match=words):
        zeroing.zero()
    assert zeroing.refused
    assert not list(tmp_path.rglob("*.json"))


def test_a_measurement_from_now_on_waits_for_the_warm_up_and_is_made_once(
    zeroing: Zeroing,
) -> None:
    fill(zeroing, 0, 10)
    assert zeroing.begin() == pytest.approx(350, abs=0.2)
    with pytest.raises(CalibrationError, match="is being measured"):
        zeroing.begin()
    ready = fill(zeroing, 10, 400)
    assert sum(ready) == 1
    assert ready.index(True) == pytest.approx(3500, abs=2)
    assert zeroing.left_s is None
    assert zeroing.begin() == pytest.approx(60, abs=0.2)


# -- as a node


@pytest.fixture
def node(
    ros_environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: Any,
) -> Iterator[Any]:
    import rclpy

    from thymos_nodes.enose_node import EnoseNode

    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "store"))
    uri, *more = request.param
    if uri == "pty":
        uri = f"serial:{request.getfixturevalue('pty')}"
    given = [f'uri:="{uri}"', "autostart:=false", *more]
    rclpy.init(args=["--ros-args", *(part for g in given for part in ("-p", g))])
    made = EnoseNode()
    yield made
    made.release()
    made.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def pty() -> Iterator[str]:
    """A serial nose of label: value lines."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    path = os.ttyname(slave)
    os.close(slave)
    halt = threading.Event()

    def speak() -> None:
        while not halt.wait(0.05):
            with contextlib.suppress(OSError):
                os.write(master, b"NO2: 31 PPM\r\nCO: 1.2 PPM\r\n")

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    yield path
    halt.set()
    thread.join()
    os.close(master)


def holds(path: str) -> bool:
    """Whether this process has the device open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(fd.readlink()))
    return path in found


def call(service: str) -> Any:
    """Ask as another node would."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from std_srvs.srv import Trigger

    asker = rclpy.create_node("asker")
    executor = SingleThreadedExecutor()
    executor.add_node(asker)
    client = asker.create_client(Trigger, service)
    assert client.wait_for_service(30.0)
    future = client.call_async(Trigger.Request())
    executor.spin_until_future_complete(future, timeout_sec=30.0)
    asker.destroy_node()
    assert future.done()
    return future.result()


@pytest.fixture
def spun(node: Any) -> Iterator[Any]:
    """The node, spun on a thread as its process does."""
    from rclpy.executors import SingleThreadedExecutor

    executor, halt = SingleThreadedExecutor(), threading.Event()
    executor.add_node(node)

    def spin() -> None:
        while not halt.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    halt.set()
    thread.join()
    executor.remove_node(node)


@pytest.mark.parametrize("node", [("pty",)], indirect=True)
def test_transitions_open_and_close_the_device(node: Any, pty: str) -> None:
    for _ in range(2):  # and again: it was really let go
        assert not holds(pty)
        node.trigger_configure()
        assert holds(pty)
        node.trigger_activate()
        wait_until(lambda: node._rate.total > 3, "readings")
        node.trigger_deactivate()
        assert holds(pty)
        told = node._rate.total
        time.sleep(0.3)
        assert node._rate.total == told  # silent, but open
        node.trigger_cleanup()
    node.trigger_configure()
    node.trigger_shutdown()
    assert not holds(pty)


SIM = ("sim:?rate=100", "clean_air.seconds:=5.0", "clean_air.warm_up_s:=0.0")


@pytest.mark.parametrize("node", [SIM], indirect=True)
def test_services_zero_and_calibrate_while_the_stream_goes_on(spun: Any, tmp_path: Path) -> None:
    from rclpy.parameter import Parameter

    answer = call("/enose/zero")
    assert (answer.success, "not active" in answer.message) == (False, True)
    spun.trigger_configure()
    spun.trigger_activate()
    wait_until(lambda: spun._rate.total > 20, "readings")
    answer = call("/enose/zero")
    assert not answer.success
    assert "5 s of clean air are needed" in answer.message
    began = call("/enose/calibrate")
    assert began.success, began.message
    assert not call("/enose/calibrate").success  # one at a time
    before = spun._rate.total
    wait_until(lambda: list(tmp_path.rglob("*.json")), "a baseline")
    assert spun._rate.total - before > 100  # it was measured on the stream that everybody reads
    (file,) = tmp_path.rglob("*.json")
    assert read(file).kind == "enose-clean-air"
    answer = call("/enose/zero")
    assert answer.success, answer.message
    assert len(list(tmp_path.rglob("*.json"))) == 2
    clean = {task.name: task for task in spun.tasks()}["clean air"]
    assert clean.message.startswith("measured: ")
    longer, uri = (
        spun.set_parameters([Parameter(name, value=value)])[0]
        for name, value in (("clean_air.seconds", 6.0), ("qos", "reliable"))
    )
    assert longer.successful  # changes while it runs
    assert not uri.successful
    assert "takes effect on configure: clean up first" in uri.reason


def test_a_camera_takes_its_stored_calibration(
    ros_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rclpy

    from thymos_nodes.sensors import CameraNode

    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    eye = [90.0, 0.0, 32.0, 0.0, 90.0, 24.0, 0.0, 0.0, 1.0]
    model = {"distortion_model": "plumb_bob", "matrix": eye, "distortion": [0.0] * 5}
    values = {"width": 64, "height": 48, **model}
    CalibrationStore().save(Calibration("camera-intrinsics", "simulated camera", values, "by hand"))
    given = ('uri:="sim:?size=64x48"', "autostart:=false", "calibration:=stored")
    rclpy.init(args=["--ros-args", *(part for g in given for part in ("-p", g))])
    try:
        node = CameraNode()
        node.trigger_configure()
        assert node.problem is None
        assert list(node._calibration.k) == eye
        node.release()
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
