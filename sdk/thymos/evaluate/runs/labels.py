"""LABELS CSV and label maps.

    file,label[,group][,…]      `file` relative to DIR; `a.npz#17` is a picture in an archive
    text,label[,group][,…]      for text: the line itself

Several labels of a line of text are joined by `|`. `group` says whom a clip is from; every further
column is a tag (sex, device, room …) and gets scores of its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from thymos.errors import ConfigError
from thymos.evaluate.runs.items import Item

Map = Mapping[str, str | None]

USUAL: Map = {
    "angry": "anger", "ang": "anger", "mad": "anger",
    "disgusted": "disgust", "dis": "disgust",
    "fearful": "fear", "afraid": "fear", "fea": "fear", "scared": "fear",
    "happy": "joy", "happiness": "joy", "hap": "joy", "joyful": "joy",
    "neu": "neutral", "no emotion": "neutral",
    "sad": "sadness",
    "surprised": "surprise", "sur": "surprise", "surprize": "surprise",
}  # fmt: skip
"""What the classes are called elsewhere; nothing that needs a judgement."""

SEPARATOR = "|"


def read_labels(folder: Path, labels: Path, *, text: bool = False) -> list[Item]:
    """Read a LABELS CSV (or TSV).

    Args:
        folder: Where the clips are.
        labels: The CSV.
        text: Lines of text are asked for: there is a column `text` instead of `file`.

    Raises:
        ConfigError: It cannot be read, lacks a column, is empty or names a file twice.
    """
    first = "text" if text else "file"
    need = f"the first line names the columns: {first},label and, if known, group"
    rows = _rows(labels, need)
    if not rows or not {first, "label"} <= rows[0].keys():
        raise ConfigError(f"'{labels}' has no columns '{first}' and 'label'", hint=need)
    items = []
    for n, row in enumerate(rows):
        own = {key: (value or "").strip() for key, value in row.items() if key}
        label = own.pop("label")
        said = (
            tuple(p for part in label.split(SEPARATOR) if (p := part.strip())) if text else (label,)
        )
        group, what = own.pop("group", ""), own.pop(first)
        if not what or not any(said):
            raise ConfigError(f"'{labels}', line {n + 2}: no {first} or no label", hint=need)
        if text:
            key = f"{labels.name}#{n}"
            items.append(Item(key, "", said, group or key, own, text=what))
        else:
            name, index = split_key(what)
            items.append(Item(what, str(folder / name), said, group or what, own, index=index))
    _unique(items, labels)
    return items


def _rows(path: Path, need: str) -> list[dict[str, str | None]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
            return list(csv.DictReader(file, delimiter=delimiter))
    except OSError as err:
        raise ConfigError(f"cannot read the labels in '{path}': {err.strerror}", hint=need) from err
    except (UnicodeDecodeError, csv.Error) as err:
        raise ConfigError(f"'{path}' is no CSV in UTF-8: {err}", hint=need) from err


def _unique(items: Sequence[Item], labels: Path) -> None:
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise ConfigError(f"'{labels}' names '{item.key}' twice", hint="one line for each file")
        seen.add(item.key)


def split_key(key: str) -> tuple[str, int]:
    """Split `a.npz#17` into the file and the place inside; -1 if there is none."""
    name, mark, number = key.rpartition("#")
    if mark and name.endswith(".npz") and number.isdecimal():
        return name, int(number)
    return key, -1


def read_map(path: Path | None) -> Map:
    """Read labels.json: `{"their label": "our class", "left out": null}`.

    Raises:
        ConfigError: It cannot be read or is no such object.
    """
    if path is None:
        return {}
    hint = 'for example {"frustrated": "anger", "other": null}'
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as err:
        raise ConfigError(f"cannot read the map '{path}': {err.strerror}", hint=hint) from err
    except ValueError as err:
        raise ConfigError(f"'{path}' is not JSON: {err}", hint=hint) from err
    if not isinstance(data, dict) or not all(isinstance(v, str | None) for v in data.values()):
        raise ConfigError(f"'{path}' is no object of labels and classes", hint=hint)
    return {key.strip().lower(): value for key, value in data.items()}


def translate(items: Iterable[Item], given: Map, classes: Sequence[str]) -> list[Item]:
    """Bring the labels of items to our classes; items all of whose labels map to null are left out.

    Args:
        items: With labels as their set calls them.
        given: The user's map; it goes before the usual names.
        classes: What may be answered.

    Raises:
        ConfigError: A label is no class and nobody says which it is, or a map leads to no class.
    """
    known = {name.lower(): name for name in classes}
    usual = {label: to for label, to in USUAL.items() if to in classes}
    table: dict[str, str | None] = {**usual, **known, **given}
    wrong = sorted({to for to in given.values() if to is not None and to not in classes})
    if wrong:
        raise ConfigError(f"the map leads to {_list(wrong)}, which is no class", hint=_can(classes))
    items = list(items)
    strange = sorted({s for item in items for s in item.labels if s.lower() not in table})
    if strange:
        example = json.dumps(dict.fromkeys(strange[:3], classes[0]), ensure_ascii=False)
        raise ConfigError(
            f"{_list(strange)}: no class of this model",
            hint=f"write labels.json like {example} (null leaves a label out), give it with --map; "
            + _can(classes),
        )
    out = []
    for item in items:
        own = tuple(dict.fromkeys(to for s in item.labels if (to := table[s.lower()]) is not None))
        if own:
            out.append(replace(item, labels=own))
    if not out:
        raise ConfigError("the map leaves no item", hint="map at least one label to a class")
    return out


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(f"'{name}'" for name in names[:8]) + more


def _can(classes: Sequence[str]) -> str:
    return f"the classes are {', '.join(classes)}"
