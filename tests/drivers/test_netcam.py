"""Network cameras: a motion JPEG server in this process, over real HTTP on the loopback."""

from __future__ import annotations

import http.server
import io
import threading
import time
import traceback
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from helpers_rtsp import RATE, RtspCamera
from PIL import Image

from thymos.clock import MonotonicClock
from thymos.errors import ConfigError, DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import Flag, Health, Sample
from thymos.supervise import Supervisor
from thymos_drivers.netcam import NetworkCamera, open_http, open_rtsp


def picture(n: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), 8 * n, np.uint8)).save(data, "JPEG", quality=95)
    return data.getvalue()


class WebCamera(http.server.ThreadingHTTPServer):
    """Shows 20 pictures, then hangs up, or just hangs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Viewer)
        self.hangs = False
        self.asked: list[str] = []
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Viewer(http.server.BaseHTTPRequestHandler):
    server: WebCamera

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/secret") and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for n in range(20):
                data = picture(n)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(0.02)
            if self.server.hangs:
                self.server.over.wait(30)
        except OSError:
            pass  # the viewer has left

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def server() -> Iterator[WebCamera]:
    made = WebCamera()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


def read_until_lost(camera: NetworkCamera) -> tuple[list[Sample], DeviceLostError]:
    got: list[Sample] = []
    while True:
        try:
            sample = camera.read(5.0)
        except DeviceLostError as lost:
            return got, lost
        if sample is not None:
            got.append(sample)


def test_pictures_come_in_order_and_say_that_their_time_is_a_guess(server: WebCamera) -> None:
    with open_http(f"//127.0.0.1:{server.server_port}/video", channel="2") as camera:
        assert camera.spec.shape == (48, 64, 3)
        got, lost = read_until_lost(camera)
    assert server.asked == ["/video?channel=2"]
    levels = [int(s.payload[5, 5, 0]) // 8 for s in got]
    assert levels == list(range(levels[0], levels[0] + len(levels)))
    assert len(got) >= 15
    assert all(s.flags & Flag.TIME_ESTIMATED and s.t_ns == s.t_recv_ns for s in got)
    assert "went away" in str(lost)


def test_a_camera_that_hangs_is_lost_after_the_timeout(server: WebCamera) -> None:
    server.hangs = True
    with open_http(f"//127.0.0.1:{server.server_port}/video", timeout="1") as camera:
        _, lost = read_until_lost(camera)
        assert camera.health.health is Health.LOST
    assert "nothing for 1 s" in str(lost)


def test_rtsp_frames_lie_on_the_sender_s_grid_on_our_clock() -> None:
    with RtspCamera() as server:
        with open_rtsp(f"//127.0.0.1:{server.port}/live") as camera:
            assert camera.spec.shape == (48, 64, 3)
            assert camera.spec.extra["codec"] == "h264"
            got, _ = read_until_lost(camera)
        server.shutdown()
    numbers = [round((int(s.payload[5, 5, 0]) - 20) / 4) for s in got]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(got) >= 20
    steps = [b.t_ns - a.t_ns for a, b in pairwise(got)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1e9 / RATE, rel=0.02)
    assert all(s.flags & Flag.TIME_ESTIMATED for s in got)
    # Never before it was sent (the film is shown once; the clock may be a little off at first).
    late = [s.t_ns - server.sent_ns[n] for s, n in zip(got, numbers, strict=True)]
    assert min(late) > -30_000_000
    assert server.sent_ns[0] < got[0].t_recv_ns


def test_it_is_connected_to_again(server: WebCamera) -> None:
    guard = Supervisor(open_http(f"//127.0.0.1:{server.server_port}/video"), MonotonicClock())
    got: list[Sample] = []
    with guard:
        deadline = time.monotonic() + 30
        while len(got) < 30:
            assert time.monotonic() < deadline
            sample = guard.read(0.5)
            if sample is not None:
                got.append(sample)
        assert guard.counters.reconnects >= 1
    assert any(s.flags & Flag.GAP_BEFORE for s in got)
    assert all(b.seq > a.seq and b.t_ns > a.t_ns for a, b in pairwise(got))


def test_name_and_password_are_used_and_not_shown(server: WebCamera) -> None:
    address = f"127.0.0.1:{server.server_port}/secret"
    with pytest.raises(DeviceError, match="name or password") as refused:
        open_http(f"//{address}").open()
    assert refused.value.hint
    with open_http(f"//me:hush@{address}?token=abc") as camera:
        assert camera.spec.device == f"http://{address}"
        _, lost = read_until_lost(camera)
        assert "hush" not in str(lost) + str(camera.health) + str(camera.spec)


def test_nobody_there(server: WebCamera) -> None:
    word = "".join(["hu", "sh"])  # the lines of this file are in a traceback, too
    with pytest.raises(DeviceNotFoundError, match="refused") as none:
        open_rtsp(f"//me:{word}@127.0.0.1:1/stream").open()
    assert word not in "".join(traceback.format_exception(none.value))
    assert none.value.hint


def test_a_playlist_cannot_name_a_file(server: WebCamera) -> None:
    camera = open_http(f"//127.0.0.1:{server.server_port}/video")
    assert "file" not in camera._options["protocol_whitelist"].split(",")


@pytest.mark.parametrize(
    ("rest", "options"), [("", {}), ("/x", {}), ("//h/x", {"transport": "pigeon"})]
)
def test_wrong_addresses(rest: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        open_rtsp(rest, **options)
