"""Controls of V4L2 cameras, against a kernel that is played; the real one: tests/hil/guest."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from thymos.errors import ConfigError, DeviceError
from thymos.samples import Control, Controlled
from thymos_drivers import listing, v4l2_controls
from thymos_drivers.camera import V4l2Camera, read_controls
from thymos_drivers.v4l2_controls import V4l2Controls

NEXT = 0x80000000
READ_ONLY, GRABBED, INACTIVE = 4, 2, 0x10


@dataclass
class Kernel:
    """Plays the four calls, byte by byte as linux/videodev2.h lays them out."""

    controls: dict[int, tuple[int, bytes, int, int, int, int, int]]  # type, name, …, flags
    menus: dict[tuple[int, int], bytes] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    refuse: int = 0
    calls: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, handle: int, request: int, data: bytearray) -> int:
        assert handle > 2
        assert (request >> 16 & 0x3FFF) == len(data)  # the size that the number of a call holds
        number = request & 0xFF
        (key,) = struct.unpack_from("=I", data)
        if number == 36:
            assert key & NEXT
            after = sorted(k for k in self.controls if k > key & ~NEXT)
            if not after:
                raise OSError(errno.EINVAL, "Invalid argument")
            kind, name, low, high, step, default, flags = self.controls[after[0]]
            struct.pack_into(
                "=II32s4iI", data, 0, after[0], kind, name, low, high, step, default, flags
            )
        elif number == 37:
            _, index = struct.unpack_from("=II", data)
            if (key, index) not in self.menus:
                raise OSError(errno.EINVAL, "Invalid argument")
            struct.pack_into("=32s", data, 8, self.menus[key, index])
        elif number == 27:
            struct.pack_into("=i", data, 4, self.values.get(key, 0))
        else:
            assert number == 28
            if self.refuse:
                raise OSError(self.refuse, "Device or resource busy")
            value = struct.unpack_from("=Ii", data)[1]
            self.calls.append((key, value))
            self.values[key] = value
        return 0


def kernel() -> Kernel:
    return Kernel(
        {
            0x980001: (6, b"User Controls", 0, 0, 0, 0, 0),
            0x980900: (1, b"Brightness", -64, 64, 2, 0, 0),
            0x98090C: (2, b"White Balance, Automatic", 0, 1, 1, 1, 0),
            0x980918: (3, b"Power Line Frequency", 0, 2, 1, 1, READ_ONLY),
            0x98091F: (4, b"Reset", 0, 0, 0, 0, 0),
            0x980920: (1, b"Gone", 0, 1, 1, 0, 1),
            0x9A0901: (3, b"Auto Exposure", 0, 3, 1, 3, 0),
            0x9A0902: (1, b"Exposure Time, Absolute", 3, 2047, 1, 250, INACTIVE),
            0x9A0903: (9, b"Link Frequency", 0, 1, 1, 0, GRABBED),
        },
        {
            (0x980918, 0): b"Disabled",
            (0x980918, 1): b"50 Hz",
            (0x980918, 2): b"60 Hz",
            (0x9A0901, 1): b"Manual Mode",
            (0x9A0901, 3): b"Aperture Priority Mode",
            (0x9A0903, 0): struct.pack("=q", 456_000_000_000),
            (0x9A0903, 1): struct.pack("=q", 1),
        },
        {0x980918: 1, 0x98090C: 1, 0x9A0901: 3, 0x9A0902: 250},
    )


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


@pytest.fixture
def played(node: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = kernel()
    monkeypatch.setattr(v4l2_controls.V4l2Controls.__init__, "__defaults__", (made,))
    return made


def test_all_are_told_with_limits_choices_and_state(node: Path, played: Kernel) -> None:
    found = {c.name: c for c in V4l2Controls(str(node)).all()}
    assert list(found) == [
        "brightness",
        "white_balance_automatic",
        "power_line_frequency",
        "auto_exposure",
        "exposure_time_absolute",
        "link_frequency",
    ]
    assert found["brightness"] == Control("brightness", 0, -64, 64, 2, 0)
    assert found["white_balance_automatic"].switch
    assert found["auto_exposure"].choices == {1: "Manual Mode", 3: "Aperture Priority Mode"}
    assert found["link_frequency"].choices == {0: "456000000000", 1: "1"}
    assert str(found["auto_exposure"]) == (
        "auto_exposure 3 (1 (Manual Mode), 3 (Aperture Priority Mode))"
    )
    assert "cannot be changed" in found["power_line_frequency"].state
    assert "while it is used" in found["link_frequency"].state
    assert "automatic" in str(found["exposure_time_absolute"])


def test_they_are_set_in_order(node: Path, played: Kernel) -> None:
    wanted = read_controls("auto_exposure:1,exposure_time_absolute:157")
    V4l2Controls(str(node)).set(wanted)
    assert played.calls == [(0x9A0901, 1), (0x9A0902, 157)]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("zest", 1, "it has no such control"),
        ("reset", 1, "it has no such control"),
        ("gone", 1, "it has no such control"),
        ("brightness", 65, "it goes from -64 to 64"),
        ("brightness", 3, "it goes in steps of 2 from -64"),
        ("auto_exposure", 2, r"it takes 1 \(Manual Mode\), 3 \(Aperture Priority Mode\)"),
        ("white_balance_automatic", 2, "it goes from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    node: Path, played: Kernel, name: str, value: int, why: str
) -> None:
    with pytest.raises(DeviceError, match=f"does not take {name}={value}: {why}") as told:
        V4l2Controls(str(node)).set({name: value})
    assert "thymos devices" in told.value.hint
    assert played.calls == []


@pytest.mark.parametrize(
    ("name", "why"), [("brightness", "busy"), ("exposure_time_absolute", "automatic")]
)
def test_the_kernel_s_own_refusal_is_told(node: Path, played: Kernel, name: str, why: str) -> None:
    played.refuse = errno.EBUSY
    with pytest.raises(DeviceError, match=why):
        V4l2Controls(str(node)).set({name: 10})


def test_devices_without_controls_or_without_rights(tmp_path: Path, node: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be reached"):
        V4l2Controls(str(tmp_path / "video9")).all()
    assert V4l2Controls(str(node)).all() == []  # a plain file: ENOTTY, by the real kernel

    def gone(handle: int, request: int, data: bytearray) -> None:
        raise OSError(errno.ENODEV, "No such device")

    with pytest.raises(DeviceError, match="No such device"):
        V4l2Controls(str(node), gone).all()


@pytest.mark.parametrize("key", [0, 5])
def test_a_driver_that_does_not_count_on_ends_it(node: Path, key: int) -> None:
    def stuck(handle: int, request: int, data: bytearray) -> None:
        struct.pack_into("=II", data, 0, key, 1)

    assert len(V4l2Controls(str(node), stuck).all()) <= 1


def test_a_running_camera_is_set_and_set_again_when_it_is_back(
    node: Path, played: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (pip install 'thymos[camera]')")
    camera = V4l2Camera(str(node), stream="camera", options={}, controls={"auto_exposure": 1})
    graph = "testsrc2=size=64x48:rate=20,realtime"
    monkeypatch.setattr(camera, "_capture", lambda *_: av.open(graph, format="lavfi"))
    assert isinstance(camera, Controlled)
    with pytest.raises(DeviceError, match="not open"):
        camera.controls()
    with camera:
        assert camera.read(5.0) is not None
        camera.set_control("brightness", 10)
        assert {c.name: c.value for c in camera.controls()}["brightness"] == 10
        with pytest.raises(DeviceError, match="zest"):
            camera.set_control("zest", 1)
    played.calls.clear()
    with camera:
        pass
    assert played.calls == [(0x9A0901, 1), (0x980900, 10)]


@pytest.mark.parametrize("text", ["gain", "a=b:1", "gain:x", "gain:1e3"])
def test_wrong_texts(text: str) -> None:
    with pytest.raises(ConfigError):
        read_controls(text)


def test_they_are_listed(node: Path, played: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "v4l2_names", lambda: {str(node): "C920"})
    found = next(d for d in listing.cameras() if d.name == "C920")
    assert found.controls[0] == "brightness 0 (-64 to 64)"
    node.unlink()
    found = next(d for d in listing.cameras() if d.name == "C920")
    assert found.controls == ()
