"""What a file of a nose holds, in numbers: the library behind `thymos smell check`."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thymos.smell.check import Checker
from thymos.smell.formats.base import AIR, Damage, FormatError
from thymos.smell.formats.bme_config import Settings
from thymos.smell.formats.uci_drift import FeatureTable
from thymos.smell.frame import Fault, Nose, SmellFrame, TimeSource
from thymos.smell.validity import Validity

MOST_GAPS = 20_000
MOST_LABELS = 100
MOST_NOSES = 1000
NS = 1_000_000_000


@dataclass(slots=True)
class ChannelSummary:
    """One channel.

    Attributes:
        name, unit: As in `frame.Channel`.
        read: How often it was read at all.
        invalid: How many of these may not be used, by reason.
    """

    name: str
    unit: str
    read: int = 0
    invalid: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of its readings that may not be used, 0 to 1."""
        return sum(self.invalid.values()) / self.read if self.read else 0.0


@dataclass(slots=True)
class NoseSummary:
    """One nose of a file.

    Attributes:
        model, serial, air: As in `frame.Nose`.
        rows: Its readings.
        channels: Of gas, then of the air.
        declared_hz, measured_hz: Readings a second; 0 if unknown.
        seconds: From its first to its last reading.
        first_ns, last_ns: Their times.
        backwards: How often its time fell back.
    """

    model: str
    serial: str
    air: tuple[str, ...]
    channels: list[ChannelSummary]
    rows: int = 0
    declared_hz: float = 0.0
    measured_hz: float = 0.0
    seconds: float = 0.0
    first_ns: int = 0
    last_ns: int = 0
    backwards: int = 0


@dataclass(slots=True)
class Summary:
    """A whole file.

    Attributes:
        path, format, title: Which file, of which kind.
        rows: Readings, exposures or (settings) 0.
        noses: Each nose in it.
        labels: Known odours and how many rows have them.
        warnings: What a user of the file should know.
        errors: What is wrong with it.
        left_out: Damaged rows that were left out (salvage).
        damage: The first of them, in words.
        features: Features a row, of a table of features.
    """

    path: str
    format: str
    title: str
    rows: int = 0
    noses: list[NoseSummary] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    left_out: int = 0
    damage: list[str] = field(default_factory=list)
    features: int = 0

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


class _Watch:
    """Collects what is known of one nose; constant memory."""

    def __init__(self, nose: Nose) -> None:
        channels = [ChannelSummary(c.name, c.unit) for c in nose.channels]
        air = [ChannelSummary(name, "air") for name in nose.air]
        self.summary = NoseSummary(
            nose.model, nose.serial, nose.air, channels + air, declared_hz=nose.rate_hz
        )
        self._gas = len(channels)
        units = [c.unit for c in nose.channels]
        names = tuple(c.name for c in nose.channels)
        self._whole = Validity(names, units, nose.air)
        self._single = [Validity((n,), u) for n, u in zip(names, units, strict=True)]
        self._gaps: list[int] = []

    def add(self, frame: SmellFrame) -> None:
        told = self.summary
        if told.rows:
            gap = frame.t_ns - told.last_ns
            told.backwards += gap < 0
            if gap > 0 and len(self._gaps) < MOST_GAPS:
                self._gaps.append(gap)
        else:
            told.first_ns = frame.t_ns
        told.rows += 1
        told.last_ns = frame.t_ns
        for channel, fault in zip(told.channels, self._faults(frame), strict=True):
            if fault is None:
                continue
            channel.read += 1
            if fault is not Fault.NONE:
                channel.invalid[fault.value] = channel.invalid.get(fault.value, 0) + 1

    def _faults(self, frame: SmellFrame) -> list[Fault | None]:
        """What is wrong with each channel; None where it was not this channel's turn."""
        missing = [fault is Fault.MISSING for fault in frame.faults]
        rotating = self._gas > 1 and sum(missing) == self._gas - 1
        air = [getattr(frame, AIR[name]) for name in frame.nose.air]
        if rotating:  # one heater step a reading
            turn = missing.index(False)
            self._single[turn].check(frame.values[turn : turn + 1])
            found: list[Fault | None] = [None] * self._gas
            found[turn] = _worse(frame.faults[turn], self._single[turn].faults[0])
            return found + self._judged_air(frame, air)
        self._whole.check(np.array([*frame.values, *air]))
        gas = zip(frame.faults, self._whole.faults[: self._gas], strict=True)
        return [*(_worse(*pair) for pair in gas), *self._whole.faults[self._gas :]]

    def _judged_air(self, frame: SmellFrame, air: list[float]) -> list[Fault | None]:
        self._whole.check(np.array([*frame.values, *air]))
        return [*self._whole.faults[self._gas :]]

    def finish(self) -> NoseSummary:
        told = self.summary
        told.seconds = (told.last_ns - told.first_ns) / NS
        gap = statistics.median(self._gaps) if self._gaps else 0
        told.measured_hz = NS / gap if gap > 0 else 0.0
        return told


def _worse(told: Fault, found: Fault) -> Fault:
    return told if told is not Fault.NONE else found


def summarise(
    recording: Any, title: str = "", progress: Callable[[int], None] = lambda _: None
) -> Summary:
    """Read an open file to its end, and say what is in it.

    Args:
        recording: What `thymos.smell.formats.read` gave.
        title: Of its format, for people.
        progress: Told the number of rows now and then.

    Raises:
        FormatError: A row is damaged, and the file was opened strict.
    """
    path = str(recording.path or "-")
    summary = Summary(path, recording.format, title, warnings=list(recording.warnings))
    if isinstance(recording, Settings):
        return summary
    if isinstance(recording, FeatureTable):
        _features(recording, summary)
    else:
        _readings(recording.frames(), summary, progress)
    _tell_damage(recording.damage, summary)
    if recording.damage.cut:
        summary.warnings.append("the last line has no end: its last number may be cut off")
    return summary


def summarise_frames(
    frames: Iterable[SmellFrame],
    path: Path,
    title: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """The same for readings of our own files."""
    summary = Summary(str(path), "smellframe", title)
    _readings(frames, summary, progress)
    return summary


def _readings(
    frames: Iterable[SmellFrame], summary: Summary, progress: Callable[[int], None]
) -> None:
    watches: list[tuple[Nose, _Watch]] = []
    checker = Checker()
    labels: Counter[str] = Counter()
    by_row = False
    for frame in frames:
        _watch_of(frame.nose, watches).add(frame)
        checker.add(frame)
        by_row = by_row or frame.time_source is TimeSource.ROW
        for odorant in frame.odorants:
            if odorant.name in labels or len(labels) < MOST_LABELS:
                labels[odorant.name] += 1
        summary.rows += 1
        if summary.rows % 1000 == 0:
            progress(summary.rows)
    summary.noses = [watch.finish() for _, watch in watches]
    summary.labels = dict(labels)
    for nose in summary.noses:
        if nose.rows == 0 or by_row:
            nose.measured_hz = 0.0
    _leaks(summary)
    summary.warnings += _told_once(checker)


def _watch_of(nose: Nose, watches: list[tuple[Nose, _Watch]]) -> _Watch:
    """The watch of a nose; equal noses share one, however many objects tell of them."""
    found = next((watch for known, watch in watches if known is nose), None)
    found = found or next((watch for known, watch in watches if known == nose), None)
    if found is None and len(watches) >= MOST_NOSES:
        raise FormatError(Path("-"), f"more than {MOST_NOSES} noses", hint="look at parts of it")
    if found is None:
        found = _Watch(nose)
        watches.append((nose, found))
    return found


def _leaks(summary: Summary) -> None:
    air = dict.fromkeys(name for nose in summary.noses for name in nose.air)
    if air:
        use = "they tell the session, not the smell; never train or score on them"
        use = use if summary.labels else "they are there to compensate"
        summary.warnings.append(f"climate channels present ({', '.join(air)}): {use}")
    for nose in summary.noses:
        if nose.backwards:
            summary.warnings.append(f"{nose.model}: time falls back {nose.backwards} times")


def _told_once(checker: Checker) -> list[str]:
    """What contradicts the specification of SmellFrame; time is told elsewhere."""
    return [
        f"{words} ({count} readings, first {first})"
        for words, (first, count) in checker.found.items()
        if words != "time goes back"
    ]


def _features(table: FeatureTable, summary: Summary) -> None:
    labels: Counter[str] = Counter()
    for exposure in table.exposures():
        labels[exposure.gas] += 1
        summary.rows += 1
    summary.features = len(table.names)
    summary.labels = dict(labels)
    summary.warnings.append("features of exposures, not readings: no smell frames are in it")


def _tell_damage(damage: Damage, summary: Summary) -> None:
    summary.left_out = damage.rows
    summary.damage = list(damage.places)
    if damage.rows:
        summary.errors.append(f"{damage.rows} damaged rows were left out")
