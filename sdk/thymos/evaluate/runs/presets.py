"""Public sets whose layout tells the labels: no LABELS CSV is needed.

By default only what the shipped weights were not trained on is taken (`held out`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from thymos.errors import ConfigError
from thymos.evaluate.runs.items import Item
from thymos.evaluate.runs.speech import FOLD_TAG
from thymos.evaluate.runs.text import FINE_TAG


@dataclass(frozen=True)
class Preset:
    """A public set.

    Attributes:
        task: Whom it is for.
        folder: How its folder ends, as `docs/evaluation.md` lays the data out.
        read: From the folder to the items; the second argument asks for all of them.
        left_out: Labels that are no class of the model.
        held_out: What is taken by default, in words.
    """

    task: str
    folder: str
    read: Callable[[Path, bool], list[Item]]
    left_out: tuple[str, ...] = ()
    held_out: str = "all of it"


def preset_items(name: str, task: str, folder: Path, *, everything: bool) -> list[Item]:
    """List the items of a preset.

    Raises:
        ConfigError: No such preset, it is for another task, or the folder is another one.
        MediaError: The folder lacks the files.
    """
    preset = PRESETS.get(name)
    if preset is None or preset.task != task:
        fit = ", ".join(n for n, p in PRESETS.items() if p.task == task)
        raise ConfigError(f"no preset '{name}' for {task}", hint=f"one of: {fit or 'none'}")
    place = folder.resolve()
    if not str(place).endswith(preset.folder):
        raise ConfigError(
            f"the preset '{name}' wants a folder …/{preset.folder}, not '{folder}'",
            hint=f"thymos eval {task} DATA/{preset.folder} --preset {name}",
        )
    return preset.read(place, everything)


def _ravdess(folder: Path, everything: bool) -> list[Item]:
    from thymos.perceive.learned.speech import fold_of
    from thymos.train.data import ravdess

    items = []
    for clip in ravdess(folder.parents[1]):
        item = _clip(folder, clip.path, clip.label, clip.speaker, clip.female)
        if not everything:
            item = replace(item, tags={**item.tags, FOLD_TAG: str(fold_of(clip.speaker))})
        items.append(item)
    return items


def _emodb(folder: Path, everything: bool) -> list[Item]:
    from thymos.train.data import emodb

    clips = emodb(folder.parents[1])
    return [_clip(folder, c.path, c.label, c.speaker, c.female) for c in clips]


def _clip(folder: Path, path: Path, label: str, speaker: str, female: bool) -> Item:
    sex = "female" if female else "male"
    key = path.relative_to(folder).as_posix()
    return Item(key, str(path), (label,), speaker, {"sex": sex})


def _fer2013(folder: Path, everything: bool) -> list[Item]:
    import numpy as np

    from thymos.evaluate.runs.media import reading
    from thymos.train.data import FACE_LABELS, part_of

    items = []
    for path in sorted(folder.glob("*.npz")):
        with reading(path), np.load(path, allow_pickle=False) as data:
            labels, groups = data["labels"], data["group"]
        items += [
            Item(f"{path.name}#{i}", str(path), (FACE_LABELS[label],), str(group), index=i)
            for i, (label, group) in enumerate(zip(labels.tolist(), groups.tolist(), strict=True))
            if everything or part_of(group) == "test"
        ]
    if not items:
        raise ConfigError(f"no npz in '{folder}'", hint="give the folder that holds the data")
    return items


def _goemotions(folder: Path, everything: bool) -> list[Item]:
    from thymos.train.data import EKMAN, goemotions

    part = goemotions(folder.parents[1], "test")
    rows = zip(part.texts, part.ekman, part.table, strict=True)
    items = []
    for n, (text, classes, labels) in enumerate(rows):
        ekman = tuple(name for name, yes in zip(EKMAN, classes, strict=True) if yes)
        fine = "|".join(name for name, yes in zip(part.labels, labels, strict=True) if yes)
        items.append(Item(f"test.tsv.gz#{n}", "", ekman, f"{n}", {FINE_TAG: fine}, text=text))
    return items


def _meld(folder: Path, everything: bool) -> list[Item]:
    path = folder / "test_sent_emo.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as err:
        raise ConfigError(
            f"cannot read '{path}': {err.strerror}", hint="give DATA/text/meld"
        ) from err
    return [
        Item(f"{path.name}#{n}", "", (r["Emotion"],), f"dialogue {r['Dialogue_ID']}",
             text=r["Utterance"])
        for n, r in enumerate(rows)
    ]  # fmt: skip


PRESETS: Mapping[str, Preset] = {
    "ravdess": Preset(
        "speech", "speech/ravdess", _ravdess, (), "each speaker by a head that never heard them"
    ),
    "emodb": Preset("speech", "speech/emodb", _emodb, ("boredom",), "all of it (another language)"),
    "fer2013": Preset("face", "face/fer2013", _fer2013, (), "the test tenth, by groups"),
    "goemotions": Preset("text", "text/goemotions", _goemotions, (), "the official test part"),
    "meld": Preset("text", "text/meld", _meld, (), "the official test part"),
}
