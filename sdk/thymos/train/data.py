"""The data the recipes read, and how it is split: by person or by group, never by item.

DATA/face/fer2013/*.npz          images [n,48,48] uint8, labels, group, classes
DATA/speech/ravdess/Actor_NN/*   RAVDESS, 16 kHz mono (WAV or FLAC), names as published
DATA/speech/emodb/**/*           EMO-DB, 16 kHz mono, names as published
DATA/text/goemotions/*.tsv.gz    GoEmotions train, dev, test; labels_original.txt, label_groups
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MediaError, MissingExtraError

FACE_LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
"""Class order of FER2013 (folders angry, disgust, fear, happy, neutral, sad, surprise)."""

RAVDESS_LABELS = (
    "neutral", "calm", "joy", "sadness", "anger", "fear", "disgust", "surprise",
)  # fmt: skip
"""Emotion codes 01 to 08 of RAVDESS."""

EMODB_LETTERS = {
    "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "joy", "T": "sadness",
    "N": "neutral",
}  # fmt: skip
"""The letter of the German emotion word in a file name of EMO-DB."""

EKMAN = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")

Part = Literal["train", "val", "test"]


def _need(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise MediaError(f"no {pattern} in {folder}", hint="give the folder that holds the data")
    return files


def part_of(unit: object) -> Part:
    """Return which part a unit (person, group) belongs to: a tenth test, a tenth val."""
    digit = int.from_bytes(hashlib.sha256(str(unit).encode()).digest()[:4], "big") % 10
    return "test" if digit == 0 else "val" if digit == 1 else "train"


@dataclass(frozen=True)
class Faces:
    """Grey faces [n, 48, 48] uint8 with labels (index into FACE_LABELS) and duplicate groups."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    def part(self, name: Part) -> Faces:
        """Return the faces of one part; equal pictures are all in the same part."""
        keep = np.array([part_of(int(g)) == name for g in self.groups])
        return Faces(self.images[keep], self.labels[keep], self.groups[keep])


def fer2013(data: Path) -> Faces:
    """Read the FER2013 archives.

    Raises:
        MediaError: There are none.
    """
    loaded = [np.load(f, allow_pickle=False) for f in _need(data / "face/fer2013", "*.npz")]
    return Faces(
        np.concatenate([d["images"] for d in loaded]),
        np.concatenate([d["labels"] for d in loaded]).astype(np.int64),
        np.concatenate([d["group"] for d in loaded]).astype(np.int64),
    )


@dataclass(frozen=True)
class Clip:
    """One acted utterance."""

    path: Path
    label: str
    speaker: str
    female: bool


def ravdess(data: Path) -> list[Clip]:
    """List the RAVDESS speech clips, ordered by name (MM-CC-EE-II-SS-RR-AA)."""
    clips = []
    for path in _need(data / "speech/ravdess", "Actor_*/*-*.*"):
        codes = path.stem.split("-")
        label = RAVDESS_LABELS[int(codes[2]) - 1]
        clips.append(Clip(path, label, codes[6], int(codes[6]) % 2 == 0))
    return clips


EMODB_WOMEN = frozenset({"08", "09", "13", "14", "16"})


def emodb(data: Path) -> list[Clip]:
    """List the EMO-DB clips, ordered by name (speaker, sentence, emotion letter, version)."""
    clips = []
    for path in _need(data / "speech/emodb", "**/[0-9][0-9]*.*"):
        speaker = path.stem[:2]
        clips.append(Clip(path, EMODB_LETTERS[path.stem[5]], speaker, speaker in EMODB_WOMEN))
    return clips


def read_pcm(path: Path) -> NDArray[np.float32]:
    """Read a mono 16 kHz clip as float32 in [-1, 1], shape [samples].

    Raises:
        MediaError: It is not mono 16 kHz.
        MissingExtraError: Neither PyAV nor soundfile is installed.
    """
    try:
        import av
    except ImportError:
        return _read_pcm_soundfile(path)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        if stream.rate != 16000 or stream.codec_context.channels != 1:
            raise MediaError(f"{path} is not mono 16 kHz", hint="resample the data first")
        chunks: list[Any] = []
        try:
            for frame in container.decode(stream):
                chunks.append(frame.to_ndarray().reshape(-1))
        except av.error.InvalidDataError as err:  # one EMO-DB file has bytes after its end
            if sum(map(len, chunks)) < (stream.duration or 1):
                raise MediaError(f"{path} is damaged: {err}") from err
    pcm = np.concatenate(chunks)
    scale = 1.0 if pcm.dtype.kind == "f" else float(np.iinfo(pcm.dtype).max) + 1.0
    return (pcm / scale).astype(np.float32)


def _read_pcm_soundfile(path: Path) -> NDArray[np.float32]:
    try:
        import soundfile
    except ImportError as err:
        raise MissingExtraError("av", "perceive") from err
    pcm, rate = soundfile.read(path, dtype="float32")
    if rate != 16000 or pcm.ndim != 1:
        raise MediaError(f"{path} is not mono 16 kHz", hint="resample the data first")
    return np.asarray(pcm, dtype=np.float32)


@dataclass(frozen=True)
class Texts:
    """Texts with their multi-label table [n, 28] in the order of `labels`, and its Ekman sum."""

    texts: list[str]
    table: NDArray[np.bool_]
    labels: tuple[str, ...]
    to_ekman: NDArray[np.int64]

    @property
    def ekman(self) -> NDArray[np.bool_]:
        """[n, 7], columns in the order of EKMAN: a text has a class if it has a label of it."""
        out = np.zeros((len(self.texts), len(EKMAN)), dtype=np.bool_)
        for column, target in enumerate(self.to_ekman):
            out[:, target] |= self.table[:, column]
        return out


def goemotions(data: Path, part: Literal["train", "dev", "test"]) -> Texts:
    """Read one official part of GoEmotions.

    Raises:
        MediaError: The files are not there.
    """
    folder = data / "text/goemotions"
    _need(folder, f"{part}.tsv.gz")
    labels = tuple((folder / "labels_original.txt").read_text("utf-8").split())
    groups = json.loads((folder / "label_groups.json").read_text("utf-8"))["ekman"]
    with gzip.open(folder / f"{part}.tsv.gz", "rt", encoding="utf-8", newline="") as f:
        rows = list(csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    table = np.zeros((len(rows), len(labels)), dtype=np.bool_)
    for i, row in enumerate(rows):
        table[i, [int(n) for n in row[1].split(",")]] = True
    to_ekman = np.array([EKMAN.index(groups[name]) for name in labels])
    return Texts([row[0] for row in rows], table, labels, to_ekman)


def trim(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence before and after: 40 dB under the loudest 10 ms, 0.1 s is left."""
    frames = len(pcm) // 160
    power = (pcm[: frames * 160].reshape(frames, 160) ** 2).mean(1)
    on = np.flatnonzero(power > power.max(initial=0.0) * 1e-4)
    if not len(on):
        return pcm
    return pcm[max(0, int(on[0]) - 10) * 160 : (int(on[-1]) + 11) * 160]
