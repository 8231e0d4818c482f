"""The folder of a run: `windows.jsonl` and `latency.jsonl` as it goes, `report.html` at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import WindowReport
from thymos.errors import RecordingError, ThymosError
from thymos.events import Observer
from thymos.report.page import write_report
from thymos.report.pictures import PictureCollector
from thymos.report.smell_trace import SmellCollector
from thymos.report.traces import TraceCollector
from thymos.samples import Sample, StreamSpec

WINDOWS = "windows.jsonl"
LATENCY = "latency.jsonl"
REPORT = "report.html"
_OURS = re.compile(r"(windows|latency)\.jsonl(\.part)?|report\.html|answer-w\d{6,}\.wav")
MAX_KEPT = 600
"""Windows kept for the report; `windows.jsonl` has no limit."""


class Session(Observer):
    """Writes what a run gives into a folder, also when the run is stopped early.

    Use it as a context manager around the run and give it to the pipeline as an observer. Windows
    go to `windows.jsonl.part`, which gets its name when the run is over; a run that stopped early
    says so in the report. What depends on the wall clock goes to `latency.jsonl`, so that equal
    runs give equal windows. Results of an earlier run in the same folder are removed first.

    Args:
        folder: Created if it is not there.
        title: Heading of the report.
        statements: What a reader must know first.
        faces: Whether the report shows small camera frames.
        perceive: Settings of the run, for its nose.

    Raises:
        RecordingError: The folder cannot be written; from `__exit__`, the disk is full.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        title: str = "Thymos report",
        statements: Sequence[str] = (),
        faces: bool = False,
        perceive: PerceiveConfig | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.statements = list(statements)
        self._title = title
        self._traces = TraceCollector()
        self._smell = SmellCollector(perceive)
        self._pictures = PictureCollector() if faces else None
        self._reports: list[WindowReport] = []
        self._count = 0
        self._skipped = 0
        self._lines: IO[str] | None = None
        self._times: IO[str] | None = None
        self._fault: OSError | None = None

    def __enter__(self) -> Session:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.iterdir():
                if _OURS.fullmatch(old.name):
                    old.unlink()
            self._lines = (self.folder / f"{WINDOWS}.part").open("w", encoding="utf-8")
            self._times = (self.folder / f"{LATENCY}.part").open("w", encoding="utf-8")
        except OSError as err:
            raise unwritable(self.folder, err) from err
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        whole = self._fault is None
        self._close(self._lines, whole=whole)
        self._close(self._times, whole=whole)
        self._lines = self._times = None
        if self._fault is not None:
            raise unwritable(self.folder, self._fault) from value
        if kind is not None and not self._count:
            return
        if kind is not None:
            self.statements.append(_early(kind, value))
        self._write_report()

    @property
    def windows(self) -> int:
        """Windows written."""
        return self._count

    def on_stream(self, spec: StreamSpec) -> None:
        """A stream begins."""
        self._traces.on_stream(spec)
        if self._pictures:
            self._pictures.on_stream(spec)
        self._smell.on_stream(spec)

    def on_sample(self, sample: Sample) -> None:
        """Sum a sample up."""
        self._traces.on_sample(sample)
        if self._pictures:
            self._pictures.on_sample(sample)
        self._smell.on_sample(sample)

    def on_skip(self, window: Window) -> None:
        """Count a window that was passed over."""
        self._skipped += 1

    def on_report(self, report: WindowReport) -> None:
        """Write a window at once; a disk that is full is told at the end of the run."""
        if len(self._reports) < MAX_KEPT:
            self._reports.append(report)
        if self._lines is None or self._times is None or self._fault is not None:
            return
        try:
            self._lines.write(report.line())
            self._lines.flush()
            self._count += 1
            self._times.write(report.latency_line())
            self._times.flush()
        except OSError as err:
            self._fault = err

    def _close(self, lines: IO[str] | None, *, whole: bool) -> None:
        """Give a file its name; one of a run without a window is taken away."""
        if lines is None:
            return
        part = Path(lines.name)
        try:
            lines.close()
            if whole and self._count:
                part.replace(part.with_suffix(""))
            elif whole:
                part.unlink()
        except OSError as err:
            self._fault = self._fault or err

    def _write_report(self) -> None:
        said = {r.window.id: self.folder / r.response.spoken for r in self._reports}
        statements = list(self.statements)
        if self._skipped:
            statements.append(
                f"{self._skipped} windows were passed over because a newer one was ready."
            )
        if self._count > len(self._reports):
            statements.append(f"The first {MAX_KEPT} of {self._count} windows are shown.")
        write_report(
            self.folder / REPORT,
            self._reports,
            streams=self._traces.streams,
            traces=self._traces.traces,
            smell=self._smell.trace,
            title=self._title,
            statements=statements,
            audio={name: path for name, path in said.items() if path != self.folder},
            pictures=self._pictures.pictures(self._reports) if self._pictures else None,
        )


def unwritable(folder: Path, err: OSError) -> RecordingError:
    """The error for a folder that cannot be written."""
    return RecordingError(
        f"cannot write into '{folder}': {err.strerror or err}",
        hint="choose a folder you may write to with --out, or free some space",
    )


def _early(kind: type[BaseException], value: BaseException | None) -> str:
    if issubclass(kind, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        return "Stopped early by a person: what follows is complete up to there."
    why = str(value) if isinstance(value, ThymosError) else kind.__name__
    return f"The run ended early by a fault ({why}): what follows is complete up to there."
