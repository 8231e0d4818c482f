"""`thymos eval …`: how good Thymos is on labelled clips of yours."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from thymos.cli.eval_enose import enose
from thymos.cli.options import BackendOption, ConfigOption, JsonOption
from thymos.cli.output import json_lines, progress_bar, stderr, stop_on_signals
from thymos.errors import ConfigError

if TYPE_CHECKING:
    from thymos.evaluate.runs.items import Item
    from thymos.evaluate.runs.run import Plan
    from thymos.evaluate.runs.score import Result

app = typer.Typer(
    help="How good it is: scores on labelled clips, with intervals and trivial baselines.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder of the clips.", show_default=False)
]
Labels = Annotated[
    Path | None,
    typer.Option(help="CSV: file,label[,group][,further columns]. Text: text,label[,group]."),
]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", help='JSON: {"their label": "our class", "left out": null}.'),
]
PresetName = Annotated[
    str | None,
    typer.Option(help="A public set that needs no CSV: ravdess, emodb, fer2013, goemotions, meld."),
]
Everything = Annotated[
    bool, typer.Option("--all", help="With a preset: also what the models were trained on.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for answers and result; else thymos-eval/TASK-NAME."),
]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Processes that work.")]
RayAt = Annotated[
    str,
    typer.Option("--ray", help="Share out on Ray: 'local', 'auto' or ray://host:10001."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")]
OpenSet = Annotated[
    bool, typer.Option("--open", help="Let answers name classes that the labels do not.")
]
Limit = Annotated[int, typer.Option(min=0, help="Only so many items, evenly spread; 0 is all.")]
Worst = Annotated[int, typer.Option(min=0, max=20, help="Wrong answers to list and explain.")]


@app.callback()
def evaluate() -> None:
    """How good it is: scores on labelled clips, with intervals and trivial baselines.

    A run that was stopped or killed goes on where it was when the same command is given again.
    """


@app.command()
def speech(
    folder: Folder,
    labels: Labels = None,
    map_file: MapFile = None,
    preset: PresetName = None,
    everything: Everything = False,
    condition: Annotated[
        str, typer.Option(help="Worsen each clip: quiet, noise, telephone or second.")
    ] = "",
    out: Out = None,
    jobs: Jobs = 1,
    ray: RayAt = "",
    open_set: OpenSet = False,
    limit: Limit = 0,
    worst: Worst = 5,
    fresh: Fresh = False,
    json: JsonOption = False,
) -> None:
    """The voice model on sound or video files."""
    from thymos.evaluate.runs.speech import CLASSES, Speech

    items = _items("speech", folder, labels, map_file, CLASSES, preset, everything, limit)
    name = _name(folder, preset, condition, "all" if everything else "")
    plan = _plan("speech", partial(Speech, condition), items, CLASSES, out, name, jobs, ray)
    _run(plan(8, open_set, fresh, condition=condition), json, worst)


@app.command()
def face(
    folder: Folder,
    labels: Labels = None,
    map_file: MapFile = None,
    preset: PresetName = None,
    everything: Everything = False,
    crops: Annotated[
        bool, typer.Option("--crops", help="Pictures are faces already cut out (npz always are).")
    ] = False,
    out: Out = None,
    jobs: Jobs = 1,
    ray: RayAt = "",
    open_set: OpenSet = False,
    limit: Limit = 0,
    worst: Worst = 5,
    fresh: Fresh = False,
    json: JsonOption = False,
) -> None:
    """The face model on pictures, npz archives of faces, or videos."""
    from thymos.contract import EMOTIONS
    from thymos.evaluate.runs.face import Face

    items = _items("face", folder, labels, map_file, EMOTIONS, preset, everything, limit)
    name = _name(folder, preset, "all" if everything else "")
    plan = _plan("face", partial(Face, crops), items, EMOTIONS, out, name, jobs, ray)
    _run(plan(64, open_set, fresh), json, worst)


@app.command()
def text(
    folder: Folder,
    labels: Labels = None,
    map_file: MapFile = None,
    preset: PresetName = None,
    fine: Annotated[
        bool, typer.Option("--fine", help="Score the 28 labels of GoEmotions.")
    ] = False,
    out: Out = None,
    jobs: Jobs = 1,
    ray: RayAt = "",
    open_set: OpenSet = False,
    limit: Limit = 0,
    worst: Worst = 5,
    fresh: Fresh = False,
    json: JsonOption = False,
) -> None:
    """The text model on lines: give the CSV or TSV as DIR (or as --labels), or a preset."""
    from thymos.contract import EMOTIONS
    from thymos.evaluate.runs.text import FINE_CLASSES, Text, finely

    classes = FINE_CLASSES if fine else EMOTIONS
    change = finely if fine and preset == "goemotions" else None
    items = _items("text", folder, labels, map_file, classes, preset, False, limit, change)
    name = _name(folder, preset, "fine" if fine else "")
    plan = _plan("text", partial(Text, fine), items, classes, out, name, jobs, ray)
    _run(plan(64, open_set, fresh), json, worst)


@app.command()
def explain(
    folder: Folder,
    labels: Labels = None,
    map_file: MapFile = None,
    backend: BackendOption = None,
    out: Out = None,
    jobs: Jobs = 1,
    ray: RayAt = "",
    open_set: OpenSet = False,
    limit: Limit = 0,
    worst: Worst = 5,
    fresh: Fresh = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The whole street on videos, sound files or recordings: what it says, and why."""
    from thymos.cli.settings import settings
    from thymos.contract import EMOTIONS
    from thymos.evaluate.runs.street import Street

    chosen = settings(config, reason={"backend": backend})
    items = _items("explain", folder, labels, map_file, EMOTIONS, None, False, limit)
    name = folder.resolve().name
    plan = _plan("explain", partial(Street, chosen), items, EMOTIONS, out, name, jobs, ray)
    _run(plan(1, open_set, fresh), json, worst)


@app.command()
def conflict(
    folder: Folder,
    labels: Labels = None,
    map_file: MapFile = None,
    backend: BackendOption = None,
    out: Out = None,
    jobs: Jobs = 1,
    ray: RayAt = "",
    limit: Limit = 0,
    worst: Worst = 5,
    fresh: Fresh = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Where picture and sound disagree (CA-MER): LABELS has file,label,video,audio.

    Without LABELS, DIR is the folder of the public sets, and the set is put together from them;
    --limit is then the number of rows of each subset, kind and half.
    """
    from thymos.cli.settings import settings
    from thymos.contract import EMOTIONS
    from thymos.evaluate.runs.conflicts import subsets
    from thymos.evaluate.runs.labels import read_map
    from thymos.evaluate.runs.street import Street

    if labels is None:
        _built_conflicts(folder, out, limit, json)
        return
    chosen = settings(config, reason={"backend": backend})
    items = _items("conflict", folder, labels, map_file, EMOTIONS, None, False, limit)
    name = folder.resolve().name
    plan = _plan("conflict", partial(Street, chosen), items, EMOTIONS, out, name, jobs, ray)
    subset = subsets(items, read_map(map_file))
    _run(replace(plan(1, True, fresh), subset=subset), json, worst)


def _built_conflicts(folder: Path, out: Path | None, limit: int, json: bool) -> None:
    from thymos.evaluate.conflict import run
    from thymos.evaluate.conflict_set import Recipe
    from thymos.evaluate.conflict_show import show

    with progress_bar("eval conflict") as advance:
        result = run(folder, recipe=Recipe(each=limit) if limit else None, progress=advance)
    content = jsonlib.dumps(result.data(), indent=1)
    place = out or Path("thymos-eval") / "conflict-built"
    place.mkdir(parents=True, exist_ok=True)
    (place / "result.json").write_text(content + "\n", "utf-8")
    if json:
        typer.echo(content)
    else:
        show(result, typer.echo)
    stderr.print("written:", str(place / "result.json"), markup=False, soft_wrap=True)


app.command()(enose)


@app.command()
def emer(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="text/emer: truth, wheels, explanations.")
    ],
    answers: Annotated[
        Path | None,
        typer.Option(help="Your system's: CSV name,openset (label lists) or name,english (text)."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Open-vocabulary labels: the EMER and MER2024 set metrics, with their baselines."""
    from thymos.evaluate.emer import lines, measure

    result = measure(folder, answers)
    if json:
        typer.echo(jsonlib.dumps(result))
        return
    for line in lines(result):
        typer.echo(line)


def _name(folder: Path, preset: str | None, *more: str) -> str:
    """What the data and the answers to them are called."""
    return "-".join([preset or folder.resolve().name, *filter(None, more)])


def _items(
    task: str,
    folder: Path,
    labels: Path | None,
    map_file: Path | None,
    classes: tuple[str, ...],
    preset: str | None,
    everything: bool,
    limit: int,
    change: Callable[[list[Item]], list[Item]] | None = None,
) -> list[Item]:
    from thymos.evaluate.runs.labels import read_labels, read_map, translate
    from thymos.evaluate.runs.presets import PRESETS, preset_items

    given = dict(read_map(map_file))
    if task == "text" and preset is None and folder.is_file():
        labels = labels or folder
    if preset is not None:
        items = preset_items(preset, task, folder, everything=everything)
        given = {**dict.fromkeys(PRESETS[preset].left_out), **given}
    elif labels is not None:
        items = read_labels(folder, labels, text=task == "text")
    else:
        raise ConfigError(
            "labels are missing",
            hint=f"thymos eval {task} {folder} --labels labels.csv "
            f"({'text' if task == 'text' else 'file'},label[,group] in its first line)",
        )
    asked = change(items) if change else items
    items = translate(asked, given, classes)
    if len(items) < len(asked):
        left_out = len(asked) - len(items)
        stderr.print(f"{left_out} of {len(asked)} items left out: their labels map to null")
    return items[:: max(1, len(items) // limit)][:limit] if limit else items


def _plan(
    task: str,
    make: Callable[[], Any],
    items: list[Item],
    classes: tuple[str, ...],
    out: Path | None,
    name: str,
    jobs: int,
    ray: str,
) -> Callable[..., Plan]:
    from thymos.evaluate.runs.run import Plan
    from thymos.evaluate.runs.work import Crew

    def finish(batch: int, open_set: bool, fresh: bool, **about: Any) -> Plan:
        return Plan(
            task=task,
            make=make,
            items=items,
            classes=classes,
            out=out or Path("thymos-eval") / f"{task}-{name}",
            crew=Crew(jobs, ray),
            batch=batch,
            open_set=open_set,
            fresh=fresh,
            about={"data": name, "open_set": open_set, **about},
        )

    return finish


def _run(plan: Plan, json: bool, worst: int) -> None:
    from thymos.evaluate.runs.run import explain_worst, run, write
    from thymos.evaluate.runs.show import render

    def go() -> Result:
        with stop_on_signals() as stop, progress_bar(f"eval {plan.task}") as advance:
            result = run(plan, advance, stop)
            explain_worst(result, worst)
        return result

    if json:
        with json_lines() as lines:
            result = go()
            lines.write(jsonlib.dumps(result, ensure_ascii=False) + "\n")
    else:
        result = go()
        Console(highlight=False).print(render(result, worst))
    made = write(result, plan.out)
    stderr.print("written:", ", ".join(map(str, made)), markup=False, soft_wrap=True)
