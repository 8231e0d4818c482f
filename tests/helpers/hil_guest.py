"""The emulated machine of `make hil`: kernel modules, buttons, patience."""

from __future__ import annotations

import os
import pickle
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from thymos.errors import ThymosError

VIVID = ("vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0")


def modprobe(*what: str) -> None:
    subprocess.run(["modprobe", *what], check=True)


def remove(module: str) -> None:
    """Pull the device out: as soon as nobody has it open any more."""
    gone = ["modprobe", "-r", module]
    wait_for(lambda: subprocess.run(gone, capture_output=True, check=False).returncode == 0)


def wait_for(there: Callable[[], bool], seconds: float = 120.0) -> None:
    """Emulation is slow: what appears in milliseconds elsewhere takes seconds here."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, f"not there after {seconds} s"
        time.sleep(0.05)


def control(device: Path, setting: str) -> None:
    """Press one of vivid's buttons: disconnect, injected errors."""
    subprocess.run(["v4l2-ctl", "-d", str(device), "-c", setting], check=True)


def virtual_port(name: str) -> Path:
    """The device file of a port that leads out of the emulated machine."""
    (found,) = [p for p in Path("/sys/class/virtio-ports").iterdir()
                if (p / "name").read_text().strip() == name]  # fmt: skip
    return Path("/dev", found.name)


def monitor(command: str) -> str:
    """Tell the emulator something (`device_del usb1`: the plug is pulled); what it answers."""
    fd = os.open(virtual_port("monitor"), os.O_RDWR | os.O_NONBLOCK)
    said, words = b"", command.encode()
    try:
        os.write(fd, words + b"\n")
        deadline = time.monotonic() + 60
        # After its greeting it echoes the command with the cursor's moves, answers, prompts again.
        while not (b"\r\n" in said.partition(words)[2] and said.rstrip().endswith(b"(qemu)")):
            assert time.monotonic() < deadline, said
            try:
                said += os.read(fd, 4096)
            except BlockingIOError:
                time.sleep(0.02)
    finally:
        os.close(fd)
    answer = said.partition(words)[2].partition(b"\r\n")[2]
    return answer.decode(errors="replace").strip().removesuffix("(qemu)").strip()


def as_nobody(open_it: Callable[[], object]) -> ThymosError | None:
    """Open a device in a child that has no rights and no groups; what is said about it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        told: object = None
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            open_it()
        except ThymosError as err:
            told = type(err), str(err), err.hint
        except BaseException as err:
            told = ThymosError, f"{type(err).__name__}: {err}", ""
        os.write(write, pickle.dumps(told))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pickle.loads(pipe.read())
    os.waitpid(pid, 0)
    if told is None:
        return None
    kind, text, hint = told
    return kind(text, hint=hint)
