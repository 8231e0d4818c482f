"""`thymos eval enose`: noses under drift, on the public sets or on a folder of yours."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thymos.cli.options import JsonOption
from thymos.cli.output import json_lines, progress_bar, stderr
from thymos.errors import ConfigError

if TYPE_CHECKING:
    from thymos.evaluate.enose import EnoseResult, Progress
    from thymos.evaluate.enose_recognition import RecognitionResult

_UCI, _SMELLNET, _BME = "uci_drift", "smellnet", "bme688/gat3way"
PLACES = {
    "drift": _UCI, "folder": "", "smellnet": _SMELLNET, "few-shot": _SMELLNET,
    "taught-gases": _UCI, "bme688": _BME, "ppm": _UCI,
}  # fmt: skip
"""Each set, and where it lies below the folder of all noses."""
SETS = tuple(PLACES)


def enose(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of the data.", show_default=False)
    ],
    what: Annotated[
        str,
        typer.Option(
            "--set",
            help="drift (UCI), folder (yours), smellnet, few-shot, taught-gases, bme688, ppm.",
        ),
    ] = "drift",
    protocol: Annotated[
        str, typer.Option(help="Of --set folder: first, leave-one-out or previous.")
    ] = "first",
    by: Annotated[
        str,
        typer.Option(
            help="Of --set folder: the column that separates parts; else the first "
            "of batch, session, device."
        ),
    ] = "",
    orders: Annotated[int, typer.Option(min=1, max=1000, help="Seeded orders and draws.")] = 10,
    labels: Annotated[int, typer.Option(min=2, help="Labelled target samples of a draw.")] = 20,
    full: Annotated[
        bool,
        typer.Option("--full", help="Of drift: also other balances, abstention, alarms, devices."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result; else thymos-eval/enose-SET.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Electronic noses: how well smells are told under drift, on new days and new devices.

    Prints every method with the naive baselines beside it; docs/drift.md explains the protocol
    and how another lab runs it on its own data.
    """
    if what not in SETS:
        raise ConfigError(f"there is no set '{what}'", hint=f"one of: {', '.join(SETS)}")
    data = _folder_of(data, PLACES[what])
    place = out or Path("thymos-eval") / f"enose-{what}"
    if what not in ("drift", "folder"):
        _recognition(what, data, seed, place, json)
        return

    def go(progress: Progress) -> EnoseResult:
        from thymos.evaluate.enose import drift_set
        from thymos.evaluate.enose_parts import read_uci

        if what == "drift":
            parts = read_uci(data)
            return drift_set(
                parts, name=data.resolve().name, seed=seed, orders=orders, labels=labels,
                full=full, progress=progress,
            )  # fmt: skip
        from thymos.evaluate.enose_folder import folder_set

        return folder_set(
            data, protocol=protocol, by=by, seed=seed, orders=orders, labels=labels,
            progress=progress,
        )  # fmt: skip

    from thymos.evaluate.enose_show import lines, write

    with json_lines() as results:
        with progress_bar("eval enose") as advance:
            result = go(advance)
        text = jsonlib.dumps(result.data()) if json else "\n".join(lines(result))
        results.write(text + "\n")
    made = write(result, place)
    stderr.print("written:", ", ".join(map(str, made)), markup=False, soft_wrap=True)


def _folder_of(data: Path, place: str) -> Path:
    """The folder of a set: as given, or below the folder of all noses or of all data."""
    if not place or not data.is_dir():
        return data
    last = place.split("/", maxsplit=1)[-1]
    return next(
        (p for p in (data / "enose" / place, data / place, data / last) if p.is_dir()), data
    )


def _recognition(what: str, data: Path, seed: int, place: Path, json: bool) -> None:
    """The other sets: smells as they were learnt, not drifted."""
    score = _recognition_of(what)
    with json_lines() as results, progress_bar(f"eval enose {what}") as advance:
        result = score(data, seed=seed, progress=lambda share, _: advance(round(100 * share), 100))
        text = jsonlib.dumps(result.to_json())
        if not json:
            results.write("\n".join(_table(result)) + "\n")
        else:
            results.write(text + "\n")
    place.mkdir(parents=True, exist_ok=True)
    (place / "result.json").write_text(text + "\n", "utf-8")
    stderr.print("written:", str(place / "result.json"), markup=False, soft_wrap=True)


def _table(result: RecognitionResult) -> Iterator[str]:
    yield from (f"## {result.name}", "", "| what | value | 95 % | n | kind | aim |")
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in result.rows:
        aim = "" if row.aim is None else f"{row.aim:g}"
        yield (
            f"| {row.name} | {row.value:.3f} | {row.low:.3f} … {row.high:.3f} | {row.n} | "
            f"{row.kind} | {aim} |"
        )
    yield ""
    yield from (f"* {note}" for note in result.notes)


def _recognition_of(what: str) -> Callable[..., RecognitionResult]:
    if what == "smellnet":
        from thymos.evaluate.enose_recognition import evaluate_smellnet

        return evaluate_smellnet
    if what in ("few-shot", "taught-gases"):
        from thymos.evaluate.enose_taught import evaluate_few_shot, evaluate_taught_gases

        return evaluate_few_shot if what == "few-shot" else evaluate_taught_gases
    from thymos.evaluate.enose_scans import evaluate_bme688, evaluate_ppm

    return evaluate_bme688 if what == "bme688" else evaluate_ppm
