"""`thymos smell teach NAME`, `taught`, `forget`: odours that this nose learns from a person."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from thymos.cli.options import EnoseOption, JsonOption
from thymos.cli.output import stderr, stop_on_signals
from thymos.errors import CalibrationError, ConfigError
from thymos.samples import EndOfStream, Origin, Sample, Source, StreamSpec, each, serial_number

if TYPE_CHECKING:
    from thymos.smell.recognise.store import TaughtStore
    from thymos.smell.recognise.taught import TaughtOdour, TaughtSniff
    from thymos.smell.recognise.teach import Teacher

MIN_SNIFFS = 3
POLL_S = 0.2
SILENT_S = 30.0
NOTHING = "–"

Nose = Annotated[
    str, typer.Option("--nose", help="Serial number or name of the nose, as `taught` shows it.")
]


def teach(
    name: Annotated[str, typer.Argument(help="What it is called: 'green tea'.")],
    means: Annotated[
        str,
        typer.Option("--means", metavar="CLASS", help="What it is: smoke, gas, solvent, coffee …"),
    ] = "",
    enose: EnoseOption = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="Learn from recordings instead; repeat it."),
    ] = None,
    nose: Nose = "",
    sniffs: Annotated[int, typer.Option(min=MIN_SNIFFS, max=10, help="How many sniffs.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=15.0, max=300.0, help="How long to hold each.")
    ] = 25.0,
    json: JsonOption = False,
) -> None:
    """Teach a nose an odour with three to five sniffs; what it knew before stays as it was.

    It says what to do: clean air, now hold it to the nose, away again. Sniffs that would teach
    something wrong are refused with the reason. A name that was taught before gets more sniffs.

    With --means it stands for a row of the odour table (docs/smell-meaning.md): one that stands for
    a danger warns people, as built-in ones do. Without --enose and --from, --means says so of an
    odour that was taught before.

    With --from, a recording must begin in clean air, with any number of sniffs after it; a file of
    SmellNet is one sniff as a whole.
    """
    from thymos.smell.meaning.table import row_of
    from thymos.smell.recognise.embed import BIN_S, bin_length
    from thymos.smell.recognise.guess import odour_name
    from thymos.smell.recognise.load import base_model
    from thymos.smell.recognise.store import TaughtStore, device_of, now
    from thymos.smell.recognise.taught import TaughtOdour

    called = odour_name(name)
    row = row_of(means).name if means else ""
    store = TaughtStore()
    if row and enose is None and not files:
        device = _who_knows(store, called, nose, f"teach {called!r} --means {row!r}")
        path = store.mean(device, called, row)
        _tell_taught(store, device, called, path, [], json=json)
        return
    if (enose is None) == (not files):
        raise ConfigError(
            "where from: a nose or recordings?",
            hint=f"thymos smell teach {called!r} --enose serial:  (or --from FILE, repeated)",
        )

    def known(spec: StreamSpec) -> TaughtOdour | None:
        taught = store.load(nose or device_of(spec))
        return taught.known(called, _gas_names(spec), spec.unit)

    if files:
        spec, taken, refused = _from_files(files, nose, seconds)
    else:
        spec, taken, refused = _live(enose, sniffs, seconds, known)
    device, before = nose or device_of(spec), known(spec)
    have = len(taken) + (len(before.sniffs) if before else 0)
    if have < MIN_SNIFFS:
        raise CalibrationError(
            f"{have} good sniff{'s are' if have != 1 else ' is'} too few (at least {MIN_SNIFFS})"
            + (f"; refused: {refused[-1]}" if refused else ""),
            hint="give more recordings of the odour, or teach it live: --enose serial:",
        )
    channels = _gas_names(spec)
    whole = base_model(spec) is not None
    length = BIN_S if whole else bin_length(spec.rate_hz)
    odour = TaughtOdour(called, channels, spec.unit, tuple(taken), now(), length, row)
    path = store.teach(device, odour)
    _tell_taught(store, device, called, path, refused, json=json)


def taught(nose: Nose = "", json: JsonOption = False) -> None:
    """List the odours that noses were taught, and what they mean."""
    from thymos.report.html import clean
    from thymos.smell.recognise.store import TaughtStore

    store = TaughtStore()
    found = [store.load(nose)] if nose else store.all(_warn)
    rows = [(each_nose.device, odour) for each_nose in found for odour in each_nose.odours]
    if json:
        typer.echo(jsonlib.dumps([_facts(d, o) for d, o in rows], ensure_ascii=False))
        return
    if not rows:
        stderr.print("nothing was taught yet: thymos smell teach NAME --enose serial:")
        return
    table = Table("nose", "odour", "stands for", "sniffs", "taught at (UTC)", box=None)
    for device, odour in rows:
        count = str(len(odour.sniffs))
        table.add_row(clean(device), odour.name, _meaning(odour), count, clean(odour.taught_at))
    Console(highlight=False, markup=False).print(table)


def forget(
    name: Annotated[str, typer.Argument(help="The odour.")],
    nose: Nose = "",
    json: JsonOption = False,
) -> None:
    """Erase a taught odour with all its sniffs."""
    from thymos.report.html import clean
    from thymos.smell.recognise.guess import odour_name
    from thymos.smell.recognise.store import TaughtStore

    called, store = odour_name(name), TaughtStore()
    device = _who_knows(store, called, nose, f"forget {called!r}")
    path = store.forget(device, called)
    if json:
        typer.echo(jsonlib.dumps({"forgotten": called, "nose": device, "file": str(path)}))
    else:
        stderr.print(f"{clean(device)} has forgotten '{called}'", markup=False, soft_wrap=True)


def _warn(error: CalibrationError) -> None:
    stderr.print(f"left out: {error}; {error.hint}", markup=False, soft_wrap=True)


def _who_knows(store: TaughtStore, name: str, nose: str, command: str) -> str:
    """The nose that was taught an odour: the one that is named, else the only one.

    Raises:
        CalibrationError: None was.
        ConfigError: Several were.
    """
    from thymos.report.html import clean

    found = [t.device for t in store.all(_warn) if any(o.name == name for o in t.odours)]
    if not nose and not found:
        raise CalibrationError(f"no nose was taught '{name}'", hint="thymos smell taught")
    if not nose and len(found) > 1:
        raise ConfigError(
            f"several noses know '{name}': {', '.join(map(clean, found))}",
            hint=f"thymos smell {command} --nose {found[0]!r}",
        )
    return nose or found[0]


def _find(store: TaughtStore, device: str, name: str) -> TaughtOdour | None:
    return next((o for o in store.load(device).odours if o.name == name), None)


def _tell_taught(
    store: TaughtStore, device: str, name: str, path: Path, refused: list[str], *, json: bool
) -> None:
    """What a nose knows now of an odour."""
    from thymos.report.html import clean

    odour = _find(store, device, name)
    if odour is None:  # somebody else had it forgotten meanwhile
        raise CalibrationError(f"'{name}' was forgotten meanwhile", hint="thymos smell taught")
    count = len(odour.sniffs)
    if json:
        told = {"odour": name, "nose": device, "sniffs": count, "refused": refused}
        told |= _meaning_facts(odour) | {"file": str(path)}
        typer.echo(jsonlib.dumps(told, ensure_ascii=False))
        return
    typer.echo(str(path))
    meaning = _meaning(odour)
    also = f"; it stands for {meaning}" if meaning != NOTHING else ""
    stderr.print(
        f"{clean(device)} now knows '{name}' ({count} sniffs){also}", markup=False, soft_wrap=True
    )


def _meaning_facts(odour: TaughtOdour) -> dict[str, str]:
    """Its row of the odour table, said or by its own name, and the class of danger."""
    from thymos.smell.meaning.table import meaning_of

    row = meaning_of(odour.means or odour.name)
    return {"means": row.name, "danger": row.danger}


def _meaning(odour: TaughtOdour) -> str:
    from thymos.smell.meaning.table import meaning_of

    row = meaning_of(odour.means or odour.name)
    return f"{row.name} (warns people)" if row.dangerous else row.name or NOTHING


def _facts(device: str, odour: TaughtOdour) -> dict[str, Any]:
    return {
        "nose": device,
        "odour": odour.name,
        **_meaning_facts(odour),
        "sniffs": len(odour.sniffs),
        "channels": list(odour.channels),
        "unit": odour.unit,
        "taught_at": odour.taught_at,
    }


def _gas_names(spec: StreamSpec) -> tuple[str, ...]:
    from thymos.samples import gas_channels

    return tuple(spec.channels[i] for i in gas_channels(spec))


Found = tuple[StreamSpec, "list[TaughtSniff]", list[str]]


def _live(
    uri: str | None, sniffs: int, seconds: float, check: Callable[[StreamSpec], object]
) -> Found:
    """Guide the person through the sniffs.

    Args:
        uri: Of the nose.
        sniffs: How many.
        seconds: Each.
        check: Called before the lesson; what it raises ends it before anybody has sniffed.

    Raises:
        CalibrationError: The nose ended, was stopped, or too many sniffs were refused.
    """
    from thymos.cli.smell_live import open_nose
    from thymos.smell.recognise.embed import bin_length
    from thymos.smell.recognise.teach import Step, taught_by

    with stop_on_signals() as stop, open_nose(uri or "serial:") as source, _guide() as tell:
        check(source.spec)

        def samples() -> Iterator[Sample]:
            silent_s = 0.0
            while True:
                if stop.is_set():
                    raise CalibrationError("stopped; nothing was taught")
                if silent_s > max(SILENT_S, 4 * bin_length(source.spec.rate_hz)):
                    raise CalibrationError("the nose sends nothing", hint="thymos devices")
                try:
                    sample = source.read(POLL_S)
                except EndOfStream:
                    return
                silent_s = 0.0 if sample is not None else silent_s + POLL_S
                if sample is not None:
                    yield sample

        teacher = taught_by(source.spec, samples(), sniffs=sniffs, sniff_s=seconds, tell=tell)
        if teacher.step is not Step.DONE:
            raise CalibrationError(
                f"the nose ended after {len(teacher.sniffs)} of {sniffs} sniffs: nothing taught",
                hint="thymos devices",
            )
        return source.spec, teacher.sniffs, teacher.refused


@contextmanager
def _guide() -> Iterator[Callable[[Teacher], None]]:
    """What to do now and how far it is, on stderr; a line for each step and each refusal."""
    from thymos.smell.recognise.teach import Step

    columns = (*Progress.get_default_columns()[:2], TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("", total=1.0, note="")
        said: tuple[str, int] = ("", 0)
        refusals = 0

        def tell(teacher: Teacher) -> None:
            nonlocal said, refusals
            for why in teacher.refused[refusals:]:
                bar.console.print(f"refused: {why}", markup=False)
            refusals = len(teacher.refused)
            now = (teacher.step.value, len(teacher.sniffs))
            if now != said:
                said = now
                number = now[1] if teacher.step in (Step.AWAY, Step.DONE) else now[1] + 1
                bar.console.print(f"sniff {max(1, number)}: {now[0]}", markup=False)
            bar.update(task, completed=teacher.share, description=now[0], note=teacher.note)

        yield tell


def _from_files(files: list[Path], nose: str, seconds: float) -> Found:
    """Sniffs out of recordings of one nose.

    Raises:
        ConfigError: They are of different noses, or do not say of which.
        CalibrationError: One holds no sniff.
    """
    from thymos.cli.smell_live import open_nose

    taken: list[TaughtSniff] = []
    refused: list[str] = []
    spec: StreamSpec | None = None
    if len({path.resolve() for path in files}) < len(files):
        raise ConfigError("a recording is given twice", hint="each sniff must be one of its own")
    for path in files:
        with open_nose(f"file:{path}") as source:
            mine = source.spec
            if not nose and not serial_number(mine) and mine.origin is Origin.RECORDED:
                raise ConfigError(
                    f"'{path.name}' does not say which nose it is from",
                    hint="say it: --nose SERIAL (thymos devices shows it)",
                )
            if spec is not None and _which(mine, nose) != _which(spec, nose):
                raise ConfigError(
                    f"'{path.name}' is from another nose than '{files[0].name}'",
                    hint="teach each nose with its own recordings",
                )
            spec = mine
            some, why = _sniffs_of(source, seconds)
            taken += some
            refused += [f"{path.name}: {reason}" for reason in why]
    assert spec is not None  # noqa: S101
    return spec, taken, refused


def _which(spec: StreamSpec, nose: str) -> tuple[str, str, tuple[str, ...]]:
    """What recordings of one nose have in common; its name counts unless the person says it."""
    from thymos.smell.recognise.store import device_of

    return nose or device_of(spec), spec.unit, spec.channels


def _sniffs_of(source: Source, seconds: float) -> tuple[list[TaughtSniff], list[str]]:
    from thymos.smell.recognise.load import base_model
    from thymos.smell.recognise.taught import MAX_SNIFFS
    from thymos.smell.recognise.teach import taught_by, whole_recording

    if base_model(source.spec) is not None:
        return [whole_recording(source.spec, each(source))], []
    teacher = taught_by(source.spec, each(source), sniffs=MAX_SNIFFS, sniff_s=seconds, hurry=False)
    return teacher.sniffs, teacher.refused
