"""The nose driver on a USB serial adapter (FTDI) whose far end is in the same machine.

The far end speaks Thymos' own protocol, which numbers its readings: what is lost is counted by the
test and by the driver, each for itself. Its plug is pulled and put back by the emulator.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fault_table import Seen, fault_row
from hil_guest import as_nobody, modprobe, monitor, virtual_port, wait_for
from thymos.clock import MonotonicClock
from thymos.devices import open_uri
from thymos.errors import DeviceError, DevicePermissionError
from thymos.samples import Flag, Health, Sample, Source
from thymos.supervise import Supervisor
from thymos_drivers import listing
from thymos_drivers.enose.wire import Description, WireEncoder
from witness import Refused, Witness

NUMBER = "NOSE42"
HZ = 10.0
PLUG = f"device_add usb-serial,chardev=nose,id=usb1,serial={NUMBER},bus=xhci.0,port="
CHANNELS = (("NO2", "ohm"), ("CO", "ohm"), ("temperature", "degC"))


class Nose:
    """The micro-controller: begins when it is plugged in, writes a reading ten times a second."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.sent = 0  # over all its lives; also the value of the first channel

    def start(self) -> None:
        """It has power."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """It has none."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        wire, began, first = (
            WireEncoder(Description(CHANNELS, 1_000_000, HZ)),
            time.monotonic(),
            self.sent,
        )
        fd = os.open(virtual_port("nose"), os.O_WRONLY)
        while not self._stop.is_set():
            if (self.sent - first) % 20 == 0:
                os.write(fd, wire.header())
            n = self.sent - first
            values = (1000.0 + self.sent, 2e4 + n % 7, 21.5)
            os.write(fd, wire.data(n, int(1000 * (time.monotonic() - began)), values))
            self.sent += 1
            self._stop.wait(1 / HZ)
        os.close(fd)


@pytest.fixture
def nose() -> Iterator[Nose]:
    """Plugged in at port 1 and running."""
    modprobe("xhci_pci")
    modprobe("ftdi_sio")
    if "usb1" not in monitor("info usb"):  # a test broke off while it was out
        put_in(1)
    wait_for(lambda: bool(ports()))
    made = Nose()
    made.start()
    yield made
    made.stop()


def ports() -> list[Path]:
    return sorted(Path("/dev").glob("ttyUSB*"))


def unplug(nose: Nose) -> None:
    """Pull the plug; the micro-controller has no power without it."""
    nose.stop()
    time.sleep(1.0)  # what it wrote has left the line
    assert monitor("device_del usb1") == ""


def plug(nose: Nose, port: int) -> None:
    """Put the plug in; returns when the kernel has seen it."""
    before = {p.name: p.stat().st_ctime_ns for p in ports()}
    put_in(port)
    wait_for(lambda: any(before.get(p.name) != p.stat().st_ctime_ns for p in ports()))
    nose.start()


def put_in(port: int) -> None:
    """What was pulled is given up a little later by the emulator: asked until it is free."""
    said = [""]

    def done() -> bool:
        said[0] = monitor(f"{PLUG}{port}")
        assert not said[0] or "in use" in said[0], said[0]
        return not said[0]

    wait_for(done)


def opened(uri: str) -> Source:
    source = open_uri("enose", uri)
    assert source is not None
    return source


def readings(source: Source, count: int) -> list[Sample]:
    got: list[Sample] = []
    deadline = time.monotonic() + 120
    while len(got) < count:
        assert time.monotonic() < deadline, source.health
        sample = source.read(1.0)
        if sample is not None:
            got.append(sample)
    return got


def numbers(samples: list[Sample]) -> list[int]:
    return [round(s.payload[0]) - 1000 for s in samples]


def test_it_is_listed_with_its_chip_and_serial_number(nose: Nose) -> None:
    (found,) = [n for n in listing.enoses() if n.uri.startswith("serial:")]
    assert found.usable
    assert found.uri == f"serial:{NUMBER}"
    assert "FTDI" in found.detail or "QEMU" in found.name


def test_readings_arrive_whole_and_in_order(nose: Nose) -> None:
    with opened("serial:/dev/ttyUSB0") as source:
        got = readings(source, 20)
        assert source.counters.dropped == 0
    steps = {b - a for a, b in pairwise(numbers(got))}
    assert steps == {1}, "every reading once"
    assert all(b.t_ns >= a.t_ns for a, b in pairwise(got))


def test_this_user_is_not_in_the_group(nose: Nose) -> None:
    port = ports()[0]
    port.chmod(0o660)
    told = as_nobody(opened(f"serial:{port}").open)
    assert isinstance(told, DevicePermissionError)
    assert "usermod -aG dialout" in told.hint
    note("permission denied: this user is not in the group", Refused(told))


def test_two_programs_on_one_nose(nose: Nose) -> None:
    with opened(f"serial:{ports()[0]}") as first:
        readings(first, 1)
        with pytest.raises(DeviceError, match="in use by another program") as told:
            opened(f"serial:{ports()[0]}").open()
        assert "fuser" in told.value.hint
        readings(first, 1)
    note("two programs on one device", Refused(told.value))


def test_unplugged_and_plugged_in_again(nose: Nose) -> None:
    guard = watched(f"serial:{NUMBER}")
    with guard:
        before = readings(guard, 10)
        path = guard.spec.extra["port"]
        unplug_and_plug(guard, nose, before, port=1)
        after = back(guard, before, "unplugged, plugged in again")
        assert guard.spec.extra["port"] == path
    assert after[0].t_ns > before[-1].t_ns


def test_plugged_in_elsewhere_it_has_another_number(nose: Nose) -> None:
    """The same chip is /dev/ttyUSB1 now, as somebody else still holds the old number."""
    holder = os.open(ports()[0], os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        guard = watched(f"serial:{ports()[0]}")
        with guard:
            before = readings(guard, 10)
            path = guard.spec.extra["port"]
            unplug_and_plug(guard, nose, before, port=2)
            what = "USB renumbering: unplugged, at another port with another number"
            back(guard, before, what)
            assert guard.spec.extra["port"] != path
    finally:
        os.close(holder)


def test_a_name_that_udev_gives_leads_to_the_new_number(nose: Nose, tmp_path: Path) -> None:
    """There is no udev in this machine: the test moves the link in /dev/serial/by-id."""
    link = tmp_path / "usb-QEMU_USB_SERIAL_NOSE42-if00-port0"
    link.symlink_to(ports()[0])
    holder = os.open(ports()[0], os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        guard = watched(f"serial:{link}")
        with guard:
            before = readings(guard, 10)
            old = link.resolve()
            unplug_and_plug(guard, nose, before, port=1)
            link.unlink()
            link.symlink_to(next(p for p in ports() if p != old))
            back(guard, before, "USB renumbering, opened by its name in /dev/serial/by-id")
    finally:
        os.close(holder)


def watched(uri: str) -> Witness:
    # Emulation is too slow for an even rate: that is not what is looked at here.
    return Witness(Supervisor(opened(uri), MonotonicClock()), nominal_hz=0.0)


def note(what: str, seen: Seen, **more: float | None) -> None:
    fault_row("USB serial (FTDI, emulated)", what, seen, family="Noses on USB and I2C", **more)  # type: ignore[arg-type]


def unplug_and_plug(guard: Source, nose: Nose, before: list[Sample], port: int) -> None:
    """Pull the plug while it is read; put it back when that was noticed."""
    pulling = threading.Thread(target=unplug, args=(nose,))
    pulling.start()
    deadline = time.monotonic() + 120
    while guard.health.health is not Health.RECOVERING:
        assert time.monotonic() < deadline, guard.health
        sample = guard.read(0.5)
        if sample is not None:
            before.append(sample)
    pulling.join()
    plug(nose, port)


def back(guard: Witness, before: list[Sample], what: str) -> list[Sample]:
    """Readings of the second life; both sides count what is missing."""
    plugged_ns = time.monotonic_ns()
    after = readings(guard, 10)
    again_s = (after[0].t_recv_ns - plugged_ns) / 1e9
    assert guard.counters.reconnects == 1
    assert after[0].flags & Flag.GAP_BEFORE
    assert any("went away" in event for event in guard.events())
    firsts, seconds = numbers(before), numbers(after)
    # What it says before anybody listens is no loss: it has begun anew.
    lost = sum(b - a - 1 for part in (firsts, seconds) for a, b in pairwise(part))
    reported = guard.counters.dropped
    note(what, guard, good_again_s=again_s, lost=lost, reported=reported)
    assert lost == reported
    return after
