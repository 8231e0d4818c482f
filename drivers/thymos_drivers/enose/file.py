"""Electronic-nose recordings as text tables: CSV of any kind, and what the archives have.

What a file is, and what its columns mean, is found out by `thymos.smell.formats`. Where there is no
time column the rate is what the caller says, else what the format declares, else 1 Hz, and each
stamp is flagged TIME_ESTIMATED. Bosch `.bmerawdata` is read by `bme_log`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from thymos.errors import MediaError
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Sample,
    StreamSpec,
    frozen,
)
from thymos.smell.formats import Recording
from thymos.smell.formats import read as read_file
from thymos.smell.formats.base import AIR
from thymos.smell.frame import F64, Fault, Nose, SmellFrame, TimeSource
from thymos.smell.validity import Validity
from thymos_drivers.base import BaseSource
from thymos_drivers.media_info import check_file

PREVIEW_ROWS = 200
MAX_LENGTH_NS = 10**9 * NS_PER_S
"""A stamp further away than this (32 years) is damaged."""


class NoseFile(BaseSource):
    """Readings from a file, streamed.

    Args:
        path: The file.
        stream: Stream name.
        rate_hz: Rate of a file without a time column; None for what it declares, or 1 Hz.
        origin: Recorded or simulated.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        stream: str = "enose",
        rate_hz: float | None = None,
        origin: Origin = Origin.RECORDED,
    ) -> None:
        spec = StreamSpec(
            stream, Kind.GAS, 0.0, (-1,), "adc", (), f"{stream}_frame", origin, Path(path).name
        )
        super().__init__(spec)
        self.path = Path(path)
        self._rate_hz = rate_hz
        self._recording: Recording | None = None
        self._frames: Iterator[SmellFrame] = iter(())

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next reading; rows that are damaged are counted."""
        self._check_open()
        while True:
            frame = next(self._frames, None)
            self._count_damage()
            if frame is None:
                if self._counters.corrupt:
                    self._say(Health.DEGRADED, f"{self._counters.corrupt} unreadable rows")
                raise EndOfStream
            sample = self._sample(frame)
            if sample is not None:
                self._counters.received += 1
                return sample
            self._lost += 1

    def _open(self) -> None:
        check_file(self.path)
        recording = read_file(self.path, strict=False)
        if not isinstance(recording, Recording) or len(recording.noses) != 1:
            raise MediaError(
                f"'{self.path}' holds no readings of one nose",
                hint="thymos smell check tells what it is, thymos smell convert may help",
            )
        first = list(islice(recording.frames(), PREVIEW_ROWS))
        nose = recording.noses[0]
        unit = nose.channels[0].unit
        # A resistance beside raw counts is a second instrument in another unit (SmellNet).
        self._shown = [i for i, channel in enumerate(nose.channels) if channel.unit == unit]
        self._nose = Nose(
            nose.model, nose.serial, tuple(nose.channels[i] for i in self._shown), nose.air,
            rate_hz=nose.rate_hz, frame_id=self._spec.frame_id,
            simulated=self._spec.origin in (Origin.SYNTHESISED, Origin.SIMULATED),
        )  # fmt: skip
        names = tuple(channel.name for channel in self._nose.channels)
        self._checks = Validity(names, unit, nose.air)
        self._lost, self._next_seq, self._last_ns = 0, 0, None
        self._recording, self._frames = recording, recording.frames()
        self._describe(first, nose, names, unit)

    def _describe(
        self, first: list[SmellFrame], nose: Nose, names: tuple[str, ...], unit: str
    ) -> None:
        """Find out the real rate from the first rows."""
        rate = self._rate_hz or nose.rate_hz
        self._by_row = not first or first[0].time_source is TimeSource.ROW
        facts = {"time": "from the file"}
        if self._by_row:
            gaps = [frame.t_ns for frame in first[1:2]]
            rate = rate or (NS_PER_S / gaps[0] if gaps and gaps[0] > 0 else 1.0)
            facts = {"time": f"assumed, {rate:g} Hz"}
        else:
            gap = float(np.median(np.diff([frame.t_ns for frame in first]))) if first[1:] else 0.0
            rate = NS_PER_S / gap if gap > 0 else rate or 1.0
        self._period_ns = int(NS_PER_S / rate)
        # Our own column counts from the start of the session, which others may share.
        own = self._recording is not None and "t_s" in self._recording.dialect.names
        self._first_ns = 0 if own else None
        self._spec = replace(
            self._spec,
            rate_hz=rate,
            shape=(len(names) + len(nose.air),),
            unit=unit,
            channels=names + nose.air,
            extra=facts
            | ({"model": nose.model} if nose.model != "unknown" else {})
            | {f"unit.{name}": CLIMATE[name] for name in nose.air},
        )
        self._say(Health.OK)

    def _close(self) -> None:
        self._frames, self._recording = iter(()), None

    def _count_damage(self) -> None:
        damaged = self._recording.damage.rows if self._recording is not None else 0
        self._counters.corrupt = damaged + self._lost

    def _sample(self, frame: SmellFrame) -> Sample | None:
        time = self._time(frame)
        if time is None:
            return None
        t_ns, flags = time
        flags |= Flag.GAP_BEFORE if frame.seq != self._next_seq else Flag.OK
        self._next_seq = frame.seq + 1
        gas = frame.values[self._shown]
        values, note = self._checks.check(
            np.array([*gas, *(getattr(frame, AIR[name]) for name in frame.nose.air)])
        )
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        flags |= Flag.INVALID if bool(np.isnan(values[: len(gas)]).all()) else Flag.OK
        smell = self._told(frame, gas, t_ns, flags, note)
        return Sample(
            self._spec.name, frame.seq, t_ns, t_ns, frozen(values), flags, note, smell=smell
        )

    def _told(self, frame: SmellFrame, gas: F64, t_ns: int, flags: Flag, note: str) -> SmellFrame:
        faults = self._checks.faults
        air = zip(frame.nose.air, faults[len(gas) :], strict=True)
        return replace(
            frame,
            nose=self._nose,
            t_ns=t_ns,
            t_recv_ns=t_ns,
            values=gas,
            faults=faults[: len(gas)],
            air_faults={name: fault for name, fault in air if fault is not Fault.NONE},
            flags=flags,
            note=note,
        )

    def _time(self, frame: SmellFrame) -> tuple[int, Flag] | None:
        """Time since the first row; a clock that falls back is continued and flagged."""
        if self._by_row:
            return frame.seq * self._period_ns, Flag.TIME_ESTIMATED
        self._first_ns = frame.t_ns if self._first_ns is None else self._first_ns
        t_ns = frame.t_ns - self._first_ns
        if abs(t_ns) > MAX_LENGTH_NS:
            return None
        flags = Flag.OK
        if self._last_ns is not None and t_ns <= self._last_ns:
            self._first_ns -= self._last_ns + self._period_ns - t_ns
            t_ns = self._last_ns + self._period_ns
            flags = Flag.TIME_JUMP | Flag.TIME_ESTIMATED
        self._last_ns = t_ns
        return t_ns, flags

    _first_ns: int | None
    _last_ns: int | None
