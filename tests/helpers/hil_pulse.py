"""PulseAudio as a child process, with a sink whose monitor is the microphone (`make hil`)."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

ASOUND = """
</usr/share/alsa/alsa.conf>
pcm.vmic { type pulse device "vmic.monitor" hint { show on description "virtual mic" } }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
SINK = "module-null-sink sink_name=vmic rate=16000 channels=1 format=s16le norewinds=1"


class Daemon:
    """PulseAudio as a child that a test may kill, hang and start again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        runtime = self._folder / "run/pulse"
        for left in ("pid", "native"):
            (runtime / left).unlink(missing_ok=True)  # what a killed one leaves
        self._process = subprocess.Popen(
            ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n",
             "-L", "module-native-protocol-unix auth-anonymous=1", "-L", SINK],
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
