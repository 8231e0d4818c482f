"""The GStreamer camera, on GStreamer's own live test source (where the distribution has it)."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from thymos.errors import ConfigError, DeviceError, DeviceLostError, MissingExtraError
from thymos.samples import Flag, Health, Sample
from thymos_drivers.csi import GstCamera, gstreamer, open_csi

pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")  # PyGObject's own importer
LIVE = "videotestsrc is-live=true num-buffers={n} ! video/x-raw,width=62,height=48,framerate=50/1"


@pytest.fixture
def gst(monkeypatch: pytest.MonkeyPatch) -> None:
    """GStreamer of the system, which a virtual environment does not see."""
    system = Path("/usr/lib/python3/dist-packages")
    monkeypatch.setattr(sys, "path", [*sys.path, str(system)])
    try:
        gstreamer()
    except (MissingExtraError, ImportError) as err:
        pytest.skip(f"no GStreamer for this Python: {err}")


def read_all(camera: GstCamera) -> list[Sample]:
    got: list[Sample] = []
    while True:
        try:
            sample = camera.read(5.0)
        except DeviceLostError:
            return got
        if sample is not None:
            got.append(sample)


@pytest.mark.usefixtures("gst")
def test_frames_of_a_live_pipeline() -> None:
    with GstCamera("test", LIVE.format(n=40)) as camera:
        assert camera.spec.shape == (48, 62, 3)
        assert camera.spec.rate_hz == 50
        got = read_all(camera)
        assert camera.health.health is Health.LOST
        assert "it ended" in camera.health.reason
    # Bars of the test picture: white on the left, blue on the right. Rows of 62 pixels are padded.
    assert all(s.payload[5, 2].min() > 150 for s in got)
    assert all(s.payload[20, 60, 2] > s.payload[20, 60, 0] + 50 for s in got)
    assert got[-1].seq - got[0].seq + 1 == len(got) + camera.counters.dropped
    assert not any(s.flags & (Flag.TIME_ESTIMATED | Flag.INVALID) for s in got)
    assert all(
        b.t_ns - a.t_ns == pytest.approx(20e6 * (b.seq - a.seq), abs=2) for a, b in pairwise(got)
    )
    assert all(abs(s.t_recv_ns - s.t_ns) < 5e9 for s in got)  # the clock is ours


@pytest.mark.usefixtures("gst")
def test_without_the_board_it_says_what_is_missing() -> None:
    with pytest.raises(DeviceError, match="nvarguscamerasrc") as told:
        open_csi("0").open()
    assert "gst-launch-1.0" in told.value.hint


def test_without_gstreamer_it_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(MissingExtraError) as missing:
        open_csi("0").open()
    assert "python3-gst-1.0" in missing.value.hint


@pytest.mark.parametrize(
    ("rest", "options"), [("x", {}), ("0", {"size": "1"}), ("0", {"fps": "a"})]
)
def test_wrong_options(rest: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        open_csi(rest, **options)
