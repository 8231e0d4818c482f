"""The nose driver on a USB serial adapter (FTDI) whose far end is in the same machine."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from hil_guest import modprobe, wait_for
from thymos.devices import open_uri
from thymos.samples import Sample
from thymos_drivers import listing

PORT = Path("/dev/ttyUSB0")


class FarEnd:
    """The micro-controller: writes lines to the other end of the line until it is stopped."""

    def __init__(self) -> None:
        (name,) = [p for p in Path("/sys/class/virtio-ports").iterdir()
                   if (p / "name").read_text().strip() == "nose"]  # fmt: skip
        self._fd = os.open(f"/dev/{name.name}", os.O_WRONLY)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.sent = 0

    def _work(self) -> None:
        while not self._stop.is_set():
            n = self.sent
            os.write(self._fd, f"{200 + n % 50},{300 + n % 7},{400},{500}\r\n".encode())
            self.sent += 1
            time.sleep(0.1)

    def __enter__(self) -> FarEnd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._fd)


@pytest.fixture(scope="module")
def port() -> Path:
    modprobe("xhci_pci")
    modprobe("ftdi_sio")
    wait_for(PORT.exists)
    return PORT


def test_it_is_listed_with_its_chip_and_serial_number(port: Path) -> None:
    (found,) = [n for n in listing.enoses() if n.uri]
    assert found.usable
    assert "FTDI" in found.detail or "QEMU" in found.name


def test_readings_arrive_whole_and_in_order(port: Path) -> None:
    source = open_uri("enose", f"serial:{port}")
    assert source is not None
    with FarEnd(), source:
        got: list[Sample] = []
        deadline = time.monotonic() + 60
        while len(got) < 20:
            assert time.monotonic() < deadline, source.health
            sample = source.read(2.0)
            if sample is not None:
                got.append(sample)
    firsts = [int(s.payload[0]) for s in got]
    steps = {(b - a) % 50 for a, b in pairwise(firsts)}
    assert steps == {1}, "every line once"
    assert all(b.t_ns > a.t_ns for a, b in pairwise(got))
