"""`thymos smell check` and `thymos smell convert`: files of noses, ours and foreign."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr
from thymos.errors import MediaError, ThymosError
from thymos.report.html import clean

if TYPE_CHECKING:
    from thymos.smell.formats.summary import ChannelSummary, NoseSummary, Summary

SalvageOption = Annotated[
    bool, typer.Option("--salvage", help="Leave damaged rows out, and count them.")
]
_DATE_NS = 10**18
_MOST_CHANNELS = 24
_MOST_DAMAGE = 10
_MOST_WHOLE = 8


def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Files of noses, or folders of them.")
    ],
    salvage: SalvageOption = False,
    json: JsonOption = False,
) -> None:
    """Say what files of noses hold: nose, channels, time, rate, invalid values, traps.

    Of more than eight files each gets one line. The exit code is 1 if a file is damaged or of no
    known kind.
    """
    from thymos.smell.formats.convert import files_in

    every = [path for file in files for path in files_in(file)]
    told: list[dict[str, object]] = []
    wrong, brief = 0, len(every) > _MOST_WHOLE
    console = Console(highlight=False)
    with _progress() as advance:
        for file in every:
            try:
                found = _summary(file, not salvage, partial(advance, file.name))
            except ThymosError as err:
                wrong += 1
                told.append({"path": str(file), "errors": [str(err)], "hint": err.hint})
                if not json:
                    stderr.print("error:", str(err), style="red", markup=False, soft_wrap=True)
                    if err.hint:
                        stderr.print("next:", err.hint, markup=False, soft_wrap=True)
                continue
            wrong += bool(found.errors)
            told.append(found.plain())
            if not json:
                (_show_line if brief else _show)(console, found)
    if json:
        typer.echo(jsonlib.dumps(told, indent=2, ensure_ascii=False))
    elif brief:
        console.print(f"{len(every)} files, {wrong} with errors", style="bold")
    raise typer.Exit(1 if wrong else 0)


def _summary(file: Path, strict: bool, progress: Callable[[int], None]) -> Summary:
    from thymos.smell.formats import FORMATS
    from thymos.smell.formats.convert import OURS, open_source
    from thymos.smell.formats.summary import summarise, summarise_frames

    source = open_source(file, strict=strict)
    if source.format in OURS:
        return summarise_frames(source.frames(), file, f"smell frames ({source.format})", progress)
    return summarise(source.recording, FORMATS[source.format].title, progress)


def _say(console: Console, text: str, style: str = "") -> None:
    """A line with texts of files in it: they are untrusted."""
    console.print(Text(clean(text), style=style), soft_wrap=True)


def _show_line(console: Console, found: Summary) -> None:
    channels = [channel for nose in found.noses for channel in nose.channels]
    read = sum(channel.read for channel in channels)
    bad = sum(sum(channel.invalid.values()) for channel in channels)
    known = [nose.seconds for nose in found.noses if nose.measured_hz]
    seconds = f"{max(known):>9.1f} s" if known else "time unknown"
    told = f"{found.rows:>7} rows  {seconds:>12}  {bad / read if read else 0:>6.1%} invalid"
    marks = [f"{len(found.warnings)} notes"] if found.warnings else []
    marks += found.errors
    _say(console, f"{found.format:<18} {told}  {found.path}  {'; '.join(marks)}")


def _show(console: Console, found: Summary) -> None:
    _say(console, f"{found.path}: {found.title}", "bold")
    if found.features:
        _say(console, f"  {found.rows} exposures, {found.features} features each")
    elif found.noses:
        _say(console, f"  {found.rows} readings")
    for nose in found.noses:
        _show_nose(console, nose)
    if found.labels:
        shown = ", ".join(f"{name} {count}" for name, count in found.labels.items())
        _say(console, f"  odours: {shown}")
    for words in found.warnings:
        _say(console, f"  note: {words}", "yellow")
    for words in found.errors:
        _say(console, f"  error: {words}", "red")
    for words in found.damage[:_MOST_DAMAGE]:
        _say(console, f"    {words}")


def _show_nose(console: Console, nose: NoseSummary) -> None:
    name = f"{nose.model} {nose.serial}".strip()
    rate = f"{nose.measured_hz:.3g} Hz measured" if nose.measured_hz else "rate unknown"
    declared = f", {nose.declared_hz:g} Hz declared" if nose.declared_hz else ""
    span = f"{nose.rows} readings over {nose.seconds:.1f} s{_date(nose)}"
    _say(console, f"  {name}: {span}, {rate}{declared}")
    bad = [channel for channel in nose.channels if channel.invalid]
    table = Table("channel", "unit", "read", "invalid", "why", box=None, pad_edge=False)
    for channel in (bad or nose.channels)[:_MOST_CHANNELS]:
        table.add_row(
            Text(clean(f"    {channel.name}")),
            Text(clean(channel.unit)),
            str(channel.read),
            f"{channel.share:.1%}",
            Text(_reasons(channel)),
        )
    if bad:
        console.print(table)
        good = len(nose.channels) - len(bad)
        _say(console, f"    {good} more channels without fault")
    else:
        _say(console, f"    no invalid value in {_listed(nose)}")


def _listed(nose: NoseSummary) -> str:
    """Channels in a line; a long row of steps by its ends."""
    units = dict.fromkeys(c.unit for c in nose.channels)
    parts = []
    for unit in units:
        names = [c.name for c in nose.channels if c.unit == unit]
        shown = names if len(names) <= 8 else [names[0], "…", names[-1]]
        parts.append(f"{' '.join(shown)} [{unit}]")
    return ", ".join(parts)


def _reasons(channel: ChannelSummary) -> str:
    return ", ".join(f"{why} {count}" for why, count in channel.invalid.items())


def _date(nose: NoseSummary) -> str:
    if not _DATE_NS < nose.first_ns < 8 * _DATE_NS:
        return ""
    begin = datetime.fromtimestamp(nose.first_ns // 10**9, timezone.utc)
    return f" from {begin:%Y-%m-%d %H:%M:%S} UTC"


def convert(
    files: Annotated[
        list[Path], typer.Argument(metavar="IN… OUT", help="Files of noses, then the new file.")
    ],
    to: Annotated[
        str | None,
        typer.Option(help="Kind of the new file, where its name does not tell: exchange, csv, …"),
    ] = None,
    ohms: Annotated[
        bool, typer.Option("--ohms", help="Convert to ohm by the formula of the data set.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    salvage: SalvageOption = False,
    json: JsonOption = False,
) -> None:
    """Convert files of noses: to smell frames (.jsonl, .parquet, .mcap), CSV, exchange, and back.

    OUT is a file, or a folder for one file each (with --to).
    """
    from thymos.smell.formats.convert import OURS, open_source, target_of
    from thymos.smell.formats.convert import convert as turn

    if len(files) < 2:
        raise MediaError("an input and an output are needed", hint="thymos smell convert IN OUT")
    *inputs, out = files
    kind = target_of(out, to)
    pairs = _pairs(inputs, out, kind, several=kind in OURS)
    _refuse_to_replace(pairs, force)
    told = []
    with _progress() as advance:
        for some, place in pairs:
            sources = [open_source(path, strict=not salvage, ohms=ohms) for path in some]
            done = turn(sources, place, kind, replace=force, progress=partial(advance, place.name))
            told.append(
                {
                    "out": str(done.path), "format": done.format, "readings": done.rows,
                    "not_kept": done.lost, "left_out": done.left_out,
                }
            )  # fmt: skip
            if json:
                continue
            count = "" if done.rows < 0 else f", {done.rows} rows"
            stderr.print(f"wrote {place}: {kind}{count}", markup=False, soft_wrap=True)
            for words in done.lost:
                stderr.print(f"not kept: {words}", markup=False, soft_wrap=True)
            if done.left_out:
                stderr.print(f"left out: {done.left_out} damaged rows", markup=False)
    if json:
        typer.echo(jsonlib.dumps(told, indent=2, ensure_ascii=False))


def _pairs(
    inputs: list[Path], out: Path, kind: str, *, several: bool
) -> list[tuple[list[Path], Path]]:
    """Which inputs go into which file."""
    from thymos.smell.formats import FORMATS
    from thymos.smell.formats.convert import OURS, stem_of

    if out.is_dir() and not (several and list(out.glob("*.parquet"))):
        ending = OURS.get(kind) or FORMATS[kind].suffixes[0]
        places = [out / (stem_of(path) + ending) for path in inputs]
        twice = next((p for p in places if places.count(p) > 1), None)
        if twice is not None:
            raise MediaError(f"two inputs would become '{twice}'", hint="convert them one by one")
        return [([path], place) for path, place in zip(inputs, places, strict=True)]
    if len(inputs) > 1 and not several:
        raise MediaError(
            f"{len(inputs)} inputs do not fit into one '{kind}'",
            hint="give a folder as the output, or a name that ends in .jsonl or .parquet",
        )
    return [(inputs, out)]


def _refuse_to_replace(pairs: list[tuple[list[Path], Path]], force: bool) -> None:
    for some, place in pairs:
        if place.exists() and not force:
            raise MediaError(f"'{place}' exists", hint="--force replaces it")
        same = [path for path in some if place.exists() and path.exists() and path.samefile(place)]
        if same:
            raise MediaError(f"'{place}' is the input itself", hint="choose another name")


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """A line of progress on stderr that goes when it is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    quiet = not stderr.is_terminal
    with Progress(*columns, console=stderr, transient=True, disable=quiet) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda name, rows: bar.update(task, description=f"{name}: {rows:,} rows")
