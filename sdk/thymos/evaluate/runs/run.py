"""One run: items to answers (resumable) to a result, written beside the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thymos.evaluate.camer import Subset
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.journal import Journal
from thymos.evaluate.runs.score import Result, summarise
from thymos.evaluate.runs.work import Crew, Make, answers

Advance = Callable[[int, int], None]
"""Called with (answered, of how many) after each batch."""


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        task: Name for people.
        make: Makes the task; picklable.
        items: Labelled with classes of `classes`.
        classes: What may be answered, in order.
        out: Folder for answers.jsonl, result.json and the pictures.
        crew: Who works.
        batch: Items a worker gets at a time.
        open_set: Answers may name classes that the labels do not.
        fresh: Throw earlier answers in `out` away.
        subset: Which subset of CA-MER each clip is of (conflict).
        about: Further facts for the result (data, preset, condition).
    """

    task: str
    make: Make
    items: Sequence[Item]
    classes: Sequence[str]
    out: Path
    crew: Crew = field(default_factory=Crew)
    batch: int = 1
    open_set: bool = False
    fresh: bool = False
    subset: Mapping[str, Subset] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def run(plan: Plan, advance: Advance | None = None, stop: threading.Event | None = None) -> Result:
    """Run a plan, or the rest of it, and score all answers.

    Raises:
        ConfigError: The answers in `out` are of something else, or nothing could be read.
        ThymosError: The task cannot run here.
        KeyboardInterrupt: `stop` was set; what was answered so far is kept.
    """
    found, identity = _answered(plan, advance or (lambda done, total: None), stop)
    result: Result = {"task": plan.task, "made_by": identity, **plan.about}
    result.update(summarise(plan.items, found, plan.classes, open_set=plan.open_set))
    if plan.task in ("explain", "conflict"):
        from thymos.evaluate.runs.told import told

        result["told"] = told(plan.items, found, plan.classes, plan.open_set)
    if plan.subset:
        from thymos.evaluate.runs.conflicts import compared

        result["conflict"] = compared(plan.items, found, plan.subset)
    return result


def _answered(
    plan: Plan, advance: Advance, stop: threading.Event | None
) -> tuple[dict[str, Answer], dict[str, Any]]:
    path = plan.out / "answers.jsonl"
    if plan.fresh:
        path.unlink(missing_ok=True)
    task = plan.make()  # here too: it says what is lacking before any process is started
    identity = {**task.identity, "data": plan.about.get("data", "")}
    task.close()
    journal = Journal(path, identity)
    try:
        known = {key for key, answer in journal.answers.items() if not answer.error}
        todo = [item for item in plan.items if item.key not in known]  # a file may be mended
        done, total = len(plan.items) - len(todo), len(plan.items)
        advance(done, total)
        for part in answers(plan.make, todo, plan.crew, plan.batch):
            journal.append(part)
            done += len(part)
            advance(done, total)
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
        return journal.answers, identity
    finally:
        journal.close()


def write(result: Result, out: Path) -> list[Path]:
    """Write result.json, and the pictures where there is something to draw."""
    from thymos.report.svg import confusion_picture, reliability_picture

    title = f"thymos eval {result['task']}, {result['scored']} items"
    files = {"result.json": json.dumps(result, indent=1, ensure_ascii=False) + "\n"}
    if "confusion" in result:
        table = result["confusion"]
        files["confusion.svg"] = confusion_picture(
            title, result["classes"], table["columns"], table["rows"]
        )
    if result.get("calibration"):
        bins = [(b["share"], b["confidence"], b["accuracy"]) for b in result["calibration"]["bins"]]
        files["reliability.svg"] = reliability_picture(title, bins)
    made = []
    for name, content in files.items():
        made.append(out / name)
        made[-1].write_text(content, "utf-8")
    return made


def explain_worst(result: Result, most: int) -> None:
    """Let the street say in words what it saw and heard in the worst clips that lack a reason."""
    from thymos.config import Config, PerceiveConfig, ReasonConfig, RespondConfig
    from thymos.errors import ThymosError
    from thymos.evaluate.runs.face import PICTURES
    from thymos.evaluate.runs.street import tell

    config = Config(
        perceive=PerceiveConfig(words=False),
        reason=ReasonConfig(backend="rules"),
        respond=RespondConfig(speak=False, use_model=False),
    )
    for row in result.get("worst", [])[:most]:
        path = Path(row["path"])
        if row["why"] or not row["path"] or path.suffix.lower() in {*PICTURES, ".npz"}:
            continue
        try:
            row["why"] = tell(path, config).why
        except ThymosError as err:
            row["why"] = f"no explanation: {err}"
