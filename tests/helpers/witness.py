"""What `/diagnostics` and the terminal say while a device fails: by the code that says it.

The statuses come from `thymos_nodes.diagnostics`, as every sensor node publishes them; the lines
from `thymos.reading.Teller` through the view of `thymos run`, and from its last line for errors.
"""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from thymos.cli import main as cli
from thymos.cli.view import LiveView
from thymos.clock import MonotonicClock, RobotClock
from thymos.errors import ThymosError
from thymos.reading import Teller
from thymos.samples import Kind, Sample, Source
from thymos.supervise import Wrapper

sys.path.insert(0, str(Path(__file__).parents[2] / "nodes"))

_LEVELS = {b"\x00": "OK", b"\x01": "WARN", b"\x02": "ERROR", b"\x03": "STALE"}
_COUNTED = ("dropped", "corrupt", "duplicates", "reconnects")


def diagnostics() -> Any:
    """The nodes' own module; None where ROS is not installed."""
    try:
        from thymos_nodes import diagnostics
    except ImportError:
        return None
    return diagnostics


class Witness(Wrapper):
    """Stands between a source and its test, as a node and `thymos run` stand behind it.

    Args:
        source: Read through this; a `Supervisor` where the robot would have one.
        clock: Robot clock; a made up one for made up time.
        nominal_hz: Samples a second for the rate in /diagnostics; None takes what the source says,
            0 for a device that the test runs at another speed.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: RobotClock | None = None,
        nominal_hz: float | None = None,
    ) -> None:
        super().__init__(source)
        self._clock = clock or MonotonicClock()
        self._nominal_hz = nominal_hz
        self._paper = io.StringIO()
        self._view = LiveView(
            Console(file=self._paper, width=1000, force_terminal=False, highlight=False),
            now_s=lambda: self._clock.now_ns() / 1e9,
        )
        self._events: list[str] = []
        self._teller = Teller(source, self._clock, self._note)
        self._diagnostics = diagnostics()
        self._rate = self._diagnostics.Rate() if self._diagnostics else None
        self._statuses: list[tuple[bytes, str]] = []
        self._notes: list[str] = []
        self._begun = False

    def _note(self, text: str) -> None:
        self._events.append(text.partition(": ")[2])
        self._view.on_note(text)

    def events(self) -> list[str]:
        """All lines that a person was told so far, without the name of the stream."""
        return list(self._events)

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Read; then look as a node and a terminal do, also if it raises."""
        try:
            sample = self._source.read(timeout_s)
        except Exception:
            self.look(None)
            raise
        self.look(sample)
        return sample

    def look(self, sample: Sample | None) -> None:
        """Take down what is said now."""
        if not self._begun:
            self._begun = True
            self._view.on_stream(self.spec)
            self._paper.seek(0)
            self._paper.truncate()
        self._teller.look()
        if sample is not None:
            self._view.on_sample(sample)
            self._notes.append(sample.note)
        if self._rate is None:
            return
        now_ns = self._clock.now_ns()
        if sample is not None:
            self._rate.tick(now_ns)
        nominal_hz = self._nominal()
        if nominal_hz and self._rate.total < 2:
            return  # "no samples yet"
        task = self._diagnostics.of_source(
            self.health,
            self.counters,
            measured_hz=self._rate.hz(now_ns) if nominal_hz else 1.0,
            nominal_hz=nominal_hz,
            facts={},
        )
        self._keep(self._diagnostics.array("node", "device", [task], now_ns).status[0])

    def _nominal(self) -> float:
        if self._nominal_hz is not None:
            return self._nominal_hz
        frames = self.spec.shape[0] if self.spec.kind is Kind.AUDIO else 1
        return self.spec.rate_hz / frames if frames > 0 else 0.0

    def _keep(self, status: Any) -> None:
        """The newest of each wording; numbers in it go on changing."""
        said = (status.level, _words(status))
        plain = re.sub(r"[\d.]+", "", said[1])
        if self._statuses and re.sub(r"[\d.]+", "", self._statuses[-1][1]) == plain:
            self._statuses[-1] = said
        else:
            self._statuses.append(said)

    @property
    def samples(self) -> str:
        """What the samples themselves say of it (`Sample.note`)."""
        numberless = {re.sub(r"\d+", "", note): note for note in self._notes if note}
        return "; ".join(list(numberless.values())[:2])

    @property
    def diagnostics(self) -> str:
        """The worst that `/diagnostics` said, how it ended, and what it counted."""
        if self._diagnostics is None:
            return ""
        worst = max((level for level, _ in self._statuses), default=b"\x00")
        bad = [words for level, words in self._statuses if level == worst]
        last = self._statuses[-1] if self._statuses else (b"\x00", "OK: ok")
        said = list(dict.fromkeys(bad[-3:]))
        if last[0] != worst:
            said.append(last[1])
        counters = self.counters
        counted = [
            f"{name} {getattr(counters, name)}" for name in _COUNTED if getattr(counters, name)
        ]
        return "; ".join([" → ".join(said), *counted])

    @property
    def terminal(self) -> str:
        """The lines that `thymos run` printed, and how its table shows the stream now."""
        row = self._view._scene.streams[self.spec.name] if self._begun else None
        lines = [_lines(self._paper)]
        if row is not None:
            state, _ = row.state(self._clock.now_ns() / 1e9)
            lines.append(f"{state}, lost {row.lost}" if row.lost else state)
        return " / ".join(filter(None, lines))


class Refused:
    """What a device that cannot be opened says: to a node, and at the end of `thymos run`."""

    def __init__(self, err: ThymosError) -> None:
        with pytest.MonkeyPatch.context() as patch:
            paper = io.StringIO()
            patch.setattr(cli, "stderr", Console(file=paper, width=1000, highlight=False))
            cli._tell(str(err), err.hint)
        self.terminal = _lines(paper)
        self.diagnostics = self.samples = ""
        if (module := diagnostics()) is not None:
            task = module.of_lifecycle("unconfigured", err, active=False)
            status = module.array("node", "device", [task], time.time_ns()).status[0]
            self.diagnostics = _words(status)


class Recorded:
    """What a recorder says on the terminal; no node records, so /diagnostics has nothing of it."""

    diagnostics, samples = "no node records", ""

    def __init__(self) -> None:
        self._paper = io.StringIO()
        console = Console(file=self._paper, width=1000, force_terminal=False, highlight=False)
        self.on_note = LiveView(console).on_note

    @property
    def terminal(self) -> str:
        """The lines that were printed."""
        return _lines(self._paper)


def _lines(paper: io.StringIO) -> str:
    return " / ".join(filter(None, map(str.strip, paper.getvalue().splitlines())))


def _words(status: Any) -> str:
    """Level, message and remedy of a DiagnosticStatus."""
    remedy = next((v.value for v in status.values if v.key == "remedy"), "")
    return f"{_LEVELS[status.level]}: {status.message}" + f" ({remedy})" * bool(remedy)
