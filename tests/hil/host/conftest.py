"""A PulseAudio daemon of our own, with a microphone that hears what is played to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_pulse import ASOUND, Daemon


@pytest.fixture(scope="session")
def pulse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files; the variables that lead PortAudio there, set before it is loaded."""
    folder = tmp_path_factory.mktemp("pulse")
    (folder / "run/pulse").mkdir(parents=True, mode=0o700)
    (folder / "run").chmod(0o700)
    (folder / "home").mkdir()
    (folder / "asound.conf").write_text(ASOUND)
    os.environ.update(
        XDG_RUNTIME_DIR=str(folder / "run"),
        HOME=str(folder / "home"),
        PULSE_RUNTIME_PATH=str(folder / "run/pulse"),
        PULSE_SERVER=f"unix:{folder}/run/pulse/native",
        ALSA_CONFIG_PATH=str(folder / "asound.conf"),
    )
    return folder


@pytest.fixture
def daemon(pulse_folder: Path) -> Iterator[Daemon]:
    """A fresh daemon for each test."""
    made = Daemon(pulse_folder)
    made.start()
    yield made
    made.signal(signal.SIGCONT)
    made.kill()
