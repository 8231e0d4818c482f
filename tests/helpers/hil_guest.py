"""The emulated machine of `make hil`: kernel modules, buttons, patience."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

VIVID = ("vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0")


def modprobe(*what: str) -> None:
    subprocess.run(["modprobe", *what], check=True)


def remove(module: str) -> None:
    """Pull the device out: as soon as nobody has it open any more."""
    gone = ["modprobe", "-r", module]
    wait_for(lambda: subprocess.run(gone, capture_output=True, check=False).returncode == 0)


def wait_for(there: Callable[[], bool], seconds: float = 60.0) -> None:
    """Emulation is slow: what appears in milliseconds elsewhere takes seconds here."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, f"not there after {seconds} s"
        time.sleep(0.05)


def control(device: Path, setting: str) -> None:
    """Press one of vivid's buttons: disconnect, injected errors."""
    subprocess.run(["v4l2-ctl", "-d", str(device), "-c", setting], check=True)


def as_nobody(work: Callable[[], str]) -> str:
    """Run `work` in a child that has no rights and no groups; what it returns."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = work()
        except BaseException as err:
            said = f"{type(err).__name__}: {err}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said
