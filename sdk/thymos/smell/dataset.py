"""A folder of smell frames for others to learn from: Parquet files, sessions, and a dataset card.

    FOLDER/README.md              the card: licence, source, sensors, protocol, leaks (YAML head)
    FOLDER/sessions.csv           session, split, device, frames, first and last time, labels
    FOLDER/frames/train-00000.parquet, train-00001.parquet, test-00000.parquet …

A session belongs to one split: readings of one session resemble each other for reasons that are
not the smell, and a model that saw one of them knows the others.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from thymos.errors import FrameError, MediaError
from thymos.smell.frame import VERSION, SmellFrame
from thymos.smell.parquet import FrameFile, read_frames

CLIMATE_LEAK = (
    "Temperature, humidity and pressure tell the room and the day. They are no gas channels here; "
    "do not learn smells from them."
)
ROWS_PER_FILE = 200_000
MAX_SESSIONS = 1_000_000
_OPEN = 8
"""Files written at the same time; noses with other channels need another file."""
_COLUMNS = ("session", "split", "device", "frames", "first_ns", "last_ns", "labels")


@dataclass(frozen=True, slots=True)
class Card:
    """What a stranger must know before using a dataset.

    Attributes:
        title: Of the dataset.
        licence: SPDX identifier (`cc-by-4.0`), or `unknown`.
        source: Who took it, where, when, and where it was published.
        sensors: What nose: sensors, supply, flow.
        protocol: How a sniff went: baseline, exposure, recovery, how often, in which order.
        leaks: What else than the smell tells the classes apart.
        citation: How to cite it.
    """

    title: str
    licence: str
    source: str
    sensors: str
    protocol: str
    leaks: tuple[str, ...] = (CLIMATE_LEAK,)
    citation: str = ""


@dataclass(slots=True)
class Session:
    """One recording session."""

    name: str
    split: str
    devices: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    first_ns: int = 0
    last_ns: int = 0
    labels: Counter[str] = field(default_factory=Counter)


class DatasetWriter:
    """Writes a dataset, frame by frame, in bounded memory.

    Each file of frames is whole as soon as it is there: a crash loses the files that are being
    written (`*.part`, up to `rows_per_file` frames each) and the card, nothing else.

    Args:
        folder: New, or empty.
        card: What must be known.
        rows_per_file: Frames in one file.

    Raises:
        FrameError: The folder holds something, or cannot be written.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(
        self, folder: Path | str, card: Card, *, rows_per_file: int = ROWS_PER_FILE
    ) -> None:
        self.folder = Path(folder)
        self._card, self._rows_per_file = card, rows_per_file
        self._files: dict[tuple[str, tuple[str, ...]], FrameFile] = {}
        self._made: Counter[str] = Counter()
        self._sessions: dict[str, Session] = {}
        self._models: Counter[str] = Counter()
        try:
            (self.folder / "frames").mkdir(parents=True, exist_ok=True)
            held = [p for p in self.folder.rglob("*") if p.is_file()]
        except OSError as err:
            raise _cannot_write(self.folder, err) from err
        if held:
            raise FrameError(
                f"'{self.folder}' is not empty: '{held[0].relative_to(self.folder)}'",
                hint="choose a new folder",
            )

    def add(self, frame: SmellFrame, split: str = "train") -> None:
        """Take one frame.

        Raises:
            FrameError: Its session is in another split, or the disk is full.
        """
        session = self._sessions.get(frame.session)
        if session is None:
            if len(self._sessions) >= MAX_SESSIONS or not split.isidentifier():
                raise FrameError(f"split '{split}', session {len(self._sessions)}: not possible")
            session = self._sessions[frame.session] = Session(
                frame.session, split, first_ns=frame.t_ns, last_ns=frame.t_ns
            )
        if session.split != split:
            raise FrameError(
                f"session '{session.name}' is in '{session.split}' and cannot be in '{split}' too",
                hint="split by session: its readings are alike for other reasons than the smell",
            )
        self._file(split, tuple(channel.name for channel in frame.nose.channels)).add(frame)
        session.frames += 1
        session.first_ns = min(session.first_ns, frame.t_ns)
        session.last_ns = max(session.last_ns, frame.t_ns)
        session.devices[f"{frame.nose.model} {frame.nose.serial}".strip()] += 1
        session.labels.update(odorant.name for odorant in frame.odorants)
        self._models.update(c.sensor_model for c in frame.nose.channels if c.sensor_model)

    def close(self) -> None:
        """Finish all files and write the card.

        Raises:
            FrameError: It cannot be written; the files finished before are kept.
        """
        files, self._files = [*self._files.values()], {}
        try:
            while files:
                files.pop(0).close()
        finally:
            for file in files:
                file.discard()
        _write(self.folder / "sessions.csv", self._sessions_text())
        _write(self.folder / "README.md", self._card_text())

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        for file in self._files.values():
            file.discard()

    @property
    def sessions(self) -> dict[str, int]:
        """How many sessions each split has."""
        return dict(sorted(Counter(s.split for s in self._sessions.values()).items()))

    def _file(self, split: str, channels: tuple[str, ...]) -> FrameFile:
        key = (split, channels)
        file = self._files.pop(key, None)
        if file is not None and file.count >= self._rows_per_file:
            file.close()
            file = None
        if file is None:
            if len(self._files) >= _OPEN:
                self._files.pop(next(iter(self._files))).close()
            name = f"{split}-{self._made[split]:05d}.parquet"
            file = FrameFile(self.folder / "frames" / name, channels)
            self._made[split] += 1
        self._files[key] = file  # used last comes last
        return file

    def _sessions_text(self) -> str:
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for s in self._sessions.values():
            devices, labels = " + ".join(sorted(s.devices)), " + ".join(sorted(s.labels))
            rows.writerow((s.name, s.split, devices, s.frames, s.first_ns, s.last_ns, labels))
        return out.getvalue()

    def _card_text(self) -> str:
        card, sessions = self._card, self._sessions.values()
        splits = sorted({s.split for s in sessions})
        labels: Counter[str] = sum((s.labels for s in sessions), Counter())
        head = {
            "pretty_name": card.title,
            "license": card.licence,
            "tags": ["olfaction", "electronic-nose", "smellframe"],
            "smellframe": VERSION,
            "source": card.source,
            "sensors": card.sensors,
            "sensor_models": sorted(self._models),
            "protocol": card.protocol,
            "devices": sorted({name for s in sessions for name in s.devices}),
            "frames": sum(s.frames for s in sessions),
            "sessions": len(self._sessions),
            "labels": dict(sorted(labels.items())),
            "known_leaks": list(card.leaks),
            "configs": [
                {
                    "config_name": "default",
                    "data_files": [
                        {"split": split, "path": f"frames/{split}-*.parquet"} for split in splits
                    ],
                }
            ],
        }
        counts = "".join(
            f"| {split} | {sum(s.split == split for s in sessions)} "
            f"| {sum(s.frames for s in sessions if s.split == split)} |\n"
            for split in splits
        )
        return (
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"
            f"# {card.title}\n\n"
            f"Source: {card.source}\n\nSensors: {card.sensors}\n\nProtocol: {card.protocol}\n\n"
            f"| split | sessions | frames |\n|---|---|---|\n{counts}\n"
            "Splits go by session (`sessions.csv`): readings of one session are alike for other "
            "reasons than the smell.\n\n## Known leaks\n\n"
            + "".join(f"- {leak}\n" for leak in card.leaks)
            + (f"\n## Citation\n\n{card.citation}\n" if card.citation else "")
        )


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder that can be read.

    Attributes:
        folder: Where it is.
        card: The head of README.md; empty if there is none.
        files: Files of frames, in the order of their names.
        notes: What is missing.
    """

    folder: Path
    card: dict[str, Any]
    files: tuple[Path, ...]
    notes: tuple[str, ...]

    def frames(self, split: str = "") -> Iterator[SmellFrame]:
        """The frames of one split, or of all, one after the other.

        Raises:
            FrameError: There is no such split, or a file is damaged.
        """
        found = [p for p in self.files if not split or p.name.rpartition("-")[0] == split]
        if not found:
            there = sorted({p.name.rpartition("-")[0] for p in self.files})
            raise FrameError(
                f"'{self.folder}' has no split '{split}'", hint=f"there are: {', '.join(there)}"
            )
        for path in found:
            yield from read_frames(path)


def open_dataset(folder: Path | str) -> Dataset:
    """Look into a folder.

    Raises:
        MediaError: There is no such folder, or it holds no frames.
    """
    folder = Path(folder)
    files = tuple(sorted((folder / "frames").glob("*.parquet")))
    if not files:
        raise MediaError(
            f"'{folder}' is no dataset of smell frames: it has no frames/*.parquet",
            hint="docs/smellframe.md tells how a dataset is laid out",
        )
    notes = [f"{p.name} was not finished; its frames are lost" for p in _parts(folder)]
    card: dict[str, Any] = {}
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        found = yaml.safe_load(text.removeprefix("---\n").split("\n---\n")[0])
        card = found if isinstance(found, dict) else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        pass
    if not card:
        notes.append(
            "it has no card (README.md with a YAML head): licence and protocol are unknown"
        )
    return Dataset(folder, card, files, tuple(notes))


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / "frames").glob("*.parquet.part"))


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(path)
    except OSError as err:
        raise _cannot_write(path, err) from err


def _cannot_write(path: Path, err: OSError) -> FrameError:
    return FrameError(f"cannot write '{path}': {err.strerror or err}", hint="choose another place")
