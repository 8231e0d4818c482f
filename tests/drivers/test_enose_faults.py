"""The fault table of noses: what happened, what health said, readings lost = reported lost.

Bytes and times are made up here, so that each row is exact; the same faults on a real pty are in
`test_enose_pty` and `test_enose_serial`. With THYMOS_FAULT_TABLE set to a file, each row is added
to it as a line of JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from helpers_noses import (
    ALL,
    BOOT,
    Cyranose,
    DevKit,
    Firmware,
    Named,
    OpenSmellOld,
    Own,
    Parallel,
    RpiOdor,
    Seeed,
    SmellNet,
    Tue,
    note_down,
)

from thymos.samples import (
    NS_PER_S,
    Counters,
    Flag,
    Health,
    HealthReport,
    Kind,
    Sample,
    StreamSpec,
)
from thymos_drivers.enose.cyranose import CyranoseDecoder
from thymos_drivers.enose.decoder import Decoder
from thymos_drivers.enose.detect import Wish
from thymos_drivers.enose.intake import Intake
from witness import Witness

STEP_NS = 100_000_000
LEARN = 12
TOTAL = 60
AT = 40
NOISE = np.random.default_rng(3).integers(128, 256, 30, np.uint8).tobytes()
SCANS = (Seeed, Parallel, DevKit, RpiOdor, Named)
"""A reading of these has many lines: one that is lost leaves a hole in a reading."""

Fault = Callable[[bytes], bytes]


@dataclass
class Bench:
    """A nose in made up time, for a witness; also its clock."""

    spec: StreamSpec
    counters: Counters
    health: HealthReport = field(default_factory=lambda: HealthReport(Health.OK))
    live: bool = True
    ns: int = 0

    def now_ns(self) -> int:
        return self.ns


@dataclass
class Run:
    """What came out of one run."""

    samples: list[Sample]
    counters: Counters
    seen: Witness
    told: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        first = (s.payload[0] for s in self.samples)
        return [round(value) - 100 if np.isfinite(value) else -1 for value in first]

    @property
    def missing(self) -> int:
        """Readings the board made between the first and the last one that came through."""
        numbers = self.numbers
        return numbers[-1] - numbers[0] + 1 - len(numbers)


def play(
    firmware: Firmware, faults: dict[int, Fault], *, restart_at: int = -1, total: int = TOTAL
) -> Run:
    """Run the firmware in made up time against its decoder."""
    decoder = learn(firmware)
    names = (*decoder.names, *decoder.climate)
    spec = StreamSpec("enose", Kind.GAS, 0.0, (len(names),), decoder.unit, names, device="nose")
    bench = Bench(spec, Counters())
    run = Run([], bench.counters, Witness(bench, clock=bench))  # type: ignore[arg-type]
    intake = Intake("enose", decoder, run.counters, climate=decoder.climate)
    began = 0
    for n in range(LEARN, total):
        now_ns = n * STEP_NS
        data = b""
        if n == restart_at:
            began, data = n, firmware.boot
            if isinstance(firmware, Own):
                firmware.base = n
        if firmware.polled:
            question = decoder.due(now_ns)
            row = firmware.told(question, 100 * (n - began)) if question else b""
        else:
            row = firmware.row(n, 100 * (n - began))
        data += faults.get(n, lambda row: row)(row)
        samples = intake.feed(data, now_ns + 3_000_000)
        run.samples += samples
        bench.ns = now_ns + 3_000_000
        if samples:
            bench.health = intake.health()
            reason = bench.health.reason
            if reason and reason not in run.told:
                run.told.append(reason)
        for sample in samples or [None]:
            run.seen.look(sample)
    return run


def learn(firmware: Firmware) -> Decoder:
    """As when listening: all decoders hear the first readings, the first to understand is it."""
    if isinstance(firmware, Tue):
        firmware.runs = True
    decoders = Wish().passive()
    if isinstance(firmware, Cyranose):
        decoders = [CyranoseDecoder(STEP_NS // 2)]
    now_ns = -LEARN * STEP_NS
    data = b"\n" + firmware.boot
    for n in range(LEARN):
        now_ns = n * STEP_NS
        for decoder in decoders:
            if firmware.polled:
                data += firmware.told(decoder.due(now_ns), 100 * n)
            else:
                data = data + firmware.row(n, 100 * n) if decoder is decoders[0] else data
        for decoder in decoders:
            decoder.feed(data, now_ns + 3_000_000)
        data = b""
    return next(d for d in decoders if d.learnt and d.good > d.noise)


def tell(kind: type[Firmware], what: str, run: Run) -> None:
    note_down(kind.name, what, run.seen, lost=run.missing, reported=run.counters.dropped)


def middle(row: bytes) -> int:
    return len(row) // 2 + 1


FAULTS: dict[str, Fault] = {
    "a reading cut short": lambda row: row[: middle(row)] + b"\r\n",
    "half a line, its end lost": lambda row: row[: middle(row)],
    "binary garbage before a reading": lambda row: NOISE + row,
    "a line of garbage between readings": lambda row: NOISE + b"\n" + row,
    "a flipped bit": lambda row: row[:-4] + bytes([row[-4] ^ 0x80]) + row[-3:],
}


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_damage_loses_what_it_hits_and_says_so(kind: type[Firmware], what: str) -> None:
    firmware = kind()
    polled = kind is Cyranose  # a second passes before it is asked again
    total = TOTAL + 20 * polled
    run = play(firmware, {AT: FAULTS[what]}, total=total)
    tell(kind, what, run)
    numbers = run.numbers
    whole = [n for n in numbers if n >= 0]
    assert set(whole) <= set(range(total)), "a reading that was never made"
    assert whole == sorted(set(whole))
    assert run.samples[-1].payload.shape == run.samples[0].payload.shape
    assert len(whole) >= TOTAL - LEARN - 3 or polled
    if kind in SCANS:
        holes = [s for s in run.samples if np.isnan(s.payload).any()]
        assert len(holes) <= 2
        assert all("no value" in s.note for s in holes)
        assert run.counters.dropped <= 1
    else:
        assert run.missing == run.counters.dropped
    after = [s for s in run.samples if s.flags & Flag.GAP_BEFORE]
    assert bool(after) == bool(run.counters.dropped)
    assert run.samples[-1].seq - run.samples[0].seq + 1 == len(run.samples) + run.counters.dropped


@pytest.mark.parametrize("kind", [Tue, Own], ids=lambda kind: kind.name)
def test_readings_that_vanish_whole_are_counted(kind: type[Firmware]) -> None:
    run = play(kind(), {n: lambda _: b"" for n in (30, 31, 32, 45)})
    tell(kind, "four whole readings lost", run)
    assert run.missing == run.counters.dropped == 4


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_a_restart_is_told_and_costs_nothing_else(kind: type[Firmware]) -> None:
    run = play(kind(), {}, restart_at=AT)
    tell(kind, "clock reset: the micro-controller restarts", run)
    assert [n for n in run.numbers if n >= 0] == list(range(run.numbers[0], TOTAL))
    assert run.counters.dropped == 0
    knows = kind().ticks or BOOT in kind().boot or kind is Cyranose
    assert ("the nose restarted by itself" in run.told) == knows
    assert [s.flags & Flag.GAP_BEFORE for s in run.samples].count(Flag.GAP_BEFORE) == knows
    stamps = [s.t_ns for s in run.samples]
    assert stamps == sorted(stamps)


def test_boot_text_between_readings_is_no_reading() -> None:
    run = play(OpenSmellOld(), {AT: lambda row: BOOT + row})
    tell(OpenSmellOld, "boot text between readings", run)
    assert run.missing == run.counters.dropped == 0
    assert run.counters.corrupt == 0


@pytest.mark.parametrize("kind", [OpenSmellOld, SmellNet, Own, Tue, Cyranose])
def test_much_damage_is_a_degraded_nose(kind: type[Firmware]) -> None:
    # The TU/e nose has no checksum: there a flipped bit is a wrong value nobody can see.
    what = "a reading cut short" if kind is Tue else "a flipped bit"
    run = play(kind(), dict.fromkeys(range(30, 50, 3), FAULTS[what]), total=90)
    tell(kind, "every third reading damaged", run)
    assert run.missing == run.counters.dropped == 7
    assert any("unreadable" in reason for reason in run.told)


def swapped(old: bytes, new: bytes) -> Fault:
    return lambda row: row.replace(old, new)


@pytest.mark.parametrize(
    ("kind", "what", "fault", "reason"),
    [
        (SmellNet, "sentinel", swapped(b",17,", b",4294967295,"), "stands for no reading"),
        (SmellNet, "rail", swapped(b",818,", b",1023,"), "end of its range"),
        (
            SmellNet,
            "air at its stop",
            swapped(b",38.72,", b",100.00,"),
            "outside what it can measure",
        ),
        (SmellNet, "empty cell", swapped(b",67,", b",,"), "no value"),
        (Parallel, "gas not valid", swapped(b"b0, 1", b"90, 1"), "no value"),
        (Parallel, "stuck", lambda row: row.split(b"\r\n")[0] + b"\r\n", "no value"),
    ],
)
def test_values_that_are_none(kind: type[Firmware], what: str, fault: Fault, reason: str) -> None:
    run = play(kind(), dict.fromkeys(range(20, 55), fault))
    tell(kind, what, run)
    bad = [s for s in run.samples if reason in s.note]
    assert len(bad) >= 30
    assert all(np.isnan(s.payload).any() for s in bad)
    assert not any(s.flags & Flag.INVALID for s in bad)
    assert np.isfinite(run.samples[-1].payload).all()
    assert run.counters.dropped == 0
    if what != "air at its stop":
        assert any(reason in text for text in run.told)


def test_a_resistance_that_never_moves_is_stuck() -> None:
    class Stuck(Own):
        def row(self, n: int, ms: int) -> bytes:
            return self.wire.data(n, ms, (100 + n, 20_000.0, 21.5))

    run = play(Stuck(), {}, total=80)
    tell(Stuck, "stuck sensor", run)
    assert "CO: stuck at 20000" in run.samples[-1].note
    assert np.isnan(run.samples[-1].payload[1])
    assert any("CO: stuck" in reason for reason in run.told)


def test_an_answer_that_never_comes_is_one_reading_lost() -> None:
    run = play(Cyranose(), {n: lambda _: b"" for n in (30,)}, total=80)
    tell(Cyranose, "no answer", run)
    assert run.counters.dropped == run.counters.corrupt == 1
    assert run.samples[-1].seq == len(run.samples)


def test_the_clock_of_the_nose_gives_the_time_and_survives_its_restart() -> None:
    run = play(Own(), {}, restart_at=AT)
    ideal = np.array([STEP_NS * n for n in run.numbers]) + 3_000_000
    error = np.array([s.t_ns for s in run.samples]) - ideal
    assert np.abs(error).max() < 1_000_000
    (jump,) = [s for s in run.samples if s.flags & Flag.TIME_JUMP]
    assert jump.payload[0] == AT + 100


def test_a_fault_the_nose_reports_is_told_once() -> None:
    class Osm(OpenSmellOld):
        def row(self, n: int, ms: int) -> bytes:
            fault = b"ERR,6,fan stands still\n" if n == AT else b""
            return fault + super().row(n, ms)

    run = play(Osm(), {})
    tell(Osm, "it reports a fault", run)
    assert run.told == ["the nose reports: 6,fan stands still"]
    assert run.counters.dropped == 0
    assert Health.DEGRADED  # the state that goes with a reason
    assert run.samples[-1].t_ns - run.samples[0].t_ns < 10 * NS_PER_S
