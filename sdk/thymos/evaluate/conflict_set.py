"""The conflict set: pseudo-multimodal clips put together from real unimodal ones of known label.

A row names a face, a voice and, in the second set, a line of words. None of the models heard or saw
these people in training: FER2013's test groups, RAVDESS read by the head that was fitted without
the speaker, EMO-DB, the test parts of GoEmotions and MELD. Nothing is copied: a row holds file
names, labels and what is done to the clip; `thymos.evaluate.conflict_readings` opens the files.

**Truth.** As in CA-MER (arXiv 2508.01181) a clip belongs to one of three subsets by which modality
carries the label of the whole: `video` (the face does, what is heard says something else), `audio`
(the reverse), `consistent` (all say the same). In real recordings annotators decide it. Here it is
decided by construction: the misleading side is *damaged* (its lower part hidden, lit from one side,
out of focus, moving; drowned in noise, cut to 0.6 s, clipped, in an echoing room; half of the words
lost), the aligned side is as recorded. So truth can be recovered in
principle, from the signals alone: the damaged side carries less about its own label, and the damage
can be seen and heard. In `consistent` rows one side, drawn by lot, is damaged in the same ways, so
damage does not tell the subset.

`open` rows are conflicts that nobody can decide: both sides are as recorded and differ. There the
truth is the set of both labels, for the set metric only.
"""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar, get_args

import numpy as np

from thymos.contract import EMOTIONS, Emotion, Modality
from thymos.errors import MediaError
from thymos.train.data import EKMAN, FACE_LABELS, emodb, goemotions, part_of, ravdess

Subset = Literal["video", "audio", "consistent", "open"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)
Kind = Literal["face+voice", "face+voice+words"]
KINDS: tuple[Kind, ...] = get_args(Kind)

DAMAGE: dict[str, tuple[str, ...]] = {
    "face": ("hidden", "shaded", "blurred", "moved"),
    "voice": ("noise", "short", "clipped", "echo"),
    "words": ("half",),
}
"""What is done to a misleading clip, by modality; see `conflict_readings`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clip:
    """One unimodal clip.

    Attributes:
        modality: Which sense.
        source: Data set.
        item: File below the data folder, and after `#` the row in it.
        person: Speaker, group of equal pictures, or line: what is drawn whole in a bootstrap.
        label: Its published label; calm counts as neutral.
        damage: One of `DAMAGE`, or empty.
    """

    modality: Modality
    source: str
    item: str
    person: str
    label: Emotion
    damage: str = ""

    @property
    def key(self) -> str:
        """Names the clip with its damage."""
        return "|".join((self.modality, self.item, self.damage))


@dataclass(frozen=True, slots=True)
class Row:
    """One pseudo-multimodal clip.

    Attributes:
        id: Kind, subset, fold and number: the same in a shorter set.
        kind: Which senses it has.
        subset: See the module text.
        truth: Label of the whole; of an `open` row the label of the face.
        fold: 0 or 1; no person is in both.
        clips: Face, voice and perhaps words.
    """

    id: str
    kind: Kind
    subset: Subset
    truth: Emotion
    fold: int
    clips: tuple[Clip, ...]

    @property
    def labels(self) -> frozenset[Emotion]:
        """The true set: one label, or both of an `open` row."""
        if self.subset == "open":
            return frozenset(c.label for c in self.clips)
        return frozenset({self.truth})

    @property
    def speaker(self) -> str:
        """Whose voice: the unit of the bootstrap, for there are fewest speakers."""
        return next(c.person for c in self.clips if c.modality == "voice")


def faces(data: Path) -> list[Clip]:
    """List the faces of FER2013's test groups.

    Raises:
        MediaError: The archives are not there.
    """
    made = []
    for path in sorted((data / "face/fer2013").glob("*.npz")):
        with np.load(path, allow_pickle=False) as held:
            labels, groups = held["labels"], held["group"]
        for k, (label, group) in enumerate(zip(labels, groups, strict=True)):
            if part_of(int(group)) == "test":
                item = f"{path.relative_to(data)}#{k}"
                made.append(
                    Clip("face", "fer2013", item, f"fer-{group}", _emotion(FACE_LABELS[label]))
                )
    if not made:
        raise MediaError(f"no FER2013 in {data}", hint="give the folder that holds the data")
    return made


def voices(data: Path) -> list[Clip]:
    """List RAVDESS, to be read by the heads of the folds, and EMO-DB without boredom."""
    found = [("emodb", c) for c in emodb(data) if c.label in EMOTIONS]
    found += [("ravdess", c) for c in ravdess(data)]
    return [
        Clip("voice", source, str(c.path.relative_to(data)), f"{source}-{c.speaker}",
             _emotion(c.label))
        for source, c in found
    ]  # fmt: skip


def _emotion(label: str) -> Emotion:
    wanted = "neutral" if label == "calm" else label
    return next(e for e in EMOTIONS if e == wanted)


def lines(data: Path) -> list[Clip]:
    """List lines of text with one label: the test parts of GoEmotions (Reddit) and MELD (dialogue).

    Raises:
        MediaError: MELD is not there.
    """
    texts = goemotions(data, "test")
    single = np.flatnonzero(texts.ekman.sum(axis=1) == 1)
    made = [
        Clip("words", "goemotions", f"text/goemotions/test.tsv.gz#{k}", f"go-{k}",
             _emotion(EKMAN[int(texts.ekman[k].argmax())]))
        for k in single
    ]  # fmt: skip
    path = data / "text/meld/test_sent_emo.csv"
    if not path.is_file():
        raise MediaError(f"no {path.name} in {path.parent}", hint="give the data folder")
    with path.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    made += [
        Clip("words", "meld", f"text/meld/{path.name}#{k}", f"meld-{r['Speaker']}",
             _emotion(r["Emotion"]))
        for k, r in enumerate(rows)
    ]  # fmt: skip
    return made


def text_of(data: Path, clip: Clip) -> str:
    """The line of a clip of words."""
    name, _, number = clip.item.partition("#")
    return _texts(data / name)[int(number)]


@functools.cache
def _texts(path: Path) -> list[str]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
            return [r[0] for r in csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]
    with path.open(encoding="utf-8", newline="") as f:
        return [r["Utterance"] for r in csv.DictReader(f)]


def damage_of(clip: Clip) -> str:
    """What is done to a clip where it has to mislead: always the same, so it is read once."""
    kinds = DAMAGE[clip.modality]
    return kinds[hashlib.sha256(clip.item.encode()).digest()[1] % len(kinds)]


def fold_of(person: str) -> int:
    """0 or 1, by person."""
    return hashlib.sha256(person.encode()).digest()[0] % 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a set is drawn.

    Attributes:
        each: Rows of each subset, kind and fold.
        seed: Of the draws.
    """

    each: int = 80
    seed: int = 5


def build(data: Path, recipe: Recipe) -> list[Row]:
    """Draw a conflict set; the same recipe gives the same rows.

    Truth is drawn evenly over the classes, a misleading label evenly over the others; then a
    person who has that label, then one of their clips.

    Raises:
        MediaError: Data are missing.
    """
    pools = {
        "face": faces(data),
        "voice": voices(data),
        "words": lines(data),
    }
    folds = _folds(pools["voice"])
    made: list[Row] = []
    for kind in KINDS:
        for fold in (0, 1):
            for subset in SUBSETS:
                # A longer set begins with the shorter one.
                place = (recipe.seed, KINDS.index(kind), fold, SUBSETS.index(subset))
                draw = _Draw(pools, fold, folds, np.random.default_rng(place))
                for n in range(recipe.each):
                    name = f"{kind}-{subset}-{fold}-{n:04d}"
                    made.append(draw.row(name, kind, subset))
    return made


def _folds(clips: Iterable[Clip]) -> dict[str, int]:
    """Speakers in turn: by lot so few might all fall into one fold."""
    names = sorted({c.person for c in clips})
    return {name: k % 2 for k, name in enumerate(names)}


class _Draw:
    """Draws rows of one fold."""

    def __init__(
        self,
        pools: dict[str, list[Clip]],
        fold: int,
        folds: dict[str, int],
        rng: np.random.Generator,
    ) -> None:
        self._fold, self._rng = fold, rng
        self._by: dict[tuple[str, str], dict[str, list[Clip]]] = {}
        for modality, clips in pools.items():
            for clip in clips:
                if folds.get(clip.person, fold_of(clip.person)) == fold:
                    # Lines of MELD and GoEmotions count alike, whoever speaks them.
                    unit = clip.source if modality == "words" else clip.person
                    here = self._by.setdefault((modality, clip.label), {})
                    here.setdefault(unit, []).append(clip)

    def row(self, name: str, kind: Kind, subset: Subset) -> Row:
        truth = self._one(self._shared)
        other = truth
        if subset != "consistent":
            other = self._one([e for e in self._shared if e != truth])
        heard: tuple[Modality, ...] = ("voice", "words") if "words" in kind else ("voice",)
        weak = {"video": "audio", "audio": "video", "open": ""}.get(subset) or (
            self._one(["video", "audio"]) if subset == "consistent" else ""
        )
        seen_label, heard_label = (other, truth) if subset == "audio" else (truth, other)
        clips = [self._clip("face", seen_label, damaged=weak == "video")]
        clips += [self._clip(m, heard_label, damaged=weak == "audio") for m in heard]
        return Row(name, kind, subset, truth, self._fold, tuple(clips))

    @property
    def _shared(self) -> list[Emotion]:
        """Classes that every sense has."""
        return [e for e in EMOTIONS if all((m, e) in self._by for m in ("face", "voice", "words"))]

    def _clip(self, modality: Modality, label: Emotion, *, damaged: bool) -> Clip:
        people = self._by[modality, label]
        clip = self._one(people[self._one(sorted(people))])
        return replace(clip, damage=damage_of(clip)) if damaged else clip

    def _one(self, choices: Sequence[T]) -> T:
        return choices[int(self._rng.integers(len(choices)))]


_CLIP = ("modality", "source", "item", "person", "label", "damage")
_ROW = ("id", "kind", "subset", "truth", "fold")


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write a set, a line for each clip of each row: names and labels, no data."""
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow([*_ROW, *_CLIP])
        for row in rows:
            head = [getattr(row, name) for name in _ROW]
            writer.writerows([*head, *(getattr(c, name) for name in _CLIP)] for c in row.clips)
