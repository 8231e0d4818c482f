"""Odour memory: what usually accompanies a smell in this place. Off unless asked for.

Kept are counts, nothing else: for each odour of the odour table, how often it was smelt, and with
which kinds of sounds and which emotion class it came. No faces, voices, words, names, pictures,
times or identities; an odour that somebody taught under a name of their own is not kept, for the
name is theirs. Counts fade as new ones come. The file is on this machine, readable by its owner
alone, bounded, and `thymos smell memory` shows and erases it.

Only a live run learns. A replay reads the file if the settings say so, and never writes to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thymos.contract import EMOTIONS, Cue, WindowReport
from thymos.errors import ConfigError
from thymos.smell.meaning.table import CLEAN_AIR, meaning_of

MEMORY = "odour_memory"
"""Name of the cue."""
SCHEMA = "thymos.smell-memory/1"
MAX_BYTES = 1_000_000
MAX_ODOURS = 128
MAX_COUNT = 1e6
FADE = 0.95
"""What an odour's counts keep at each new episode: about the last 20 of them matter."""
LEAST_EPISODES = 3.0
LEAST_SHARE = 0.6
"""`Usually`: in so many of at least so many episodes (of which older ones count less)."""
MAX_CONFIDENCE = 0.3
SURE = 0.5
"""Odours recognised less surely are not remembered."""
KINDS: dict[str, str] = {
    "sound:singing": "somebody singing",
    "sound:music": "music",
    "sound:bang": "a sudden loud sound",
    **{f"mood:{emotion}": f"a mood of {emotion}" for emotion in EMOTIONS if emotion != "neutral"},
}
"""All that can be remembered beside an odour, with its words."""
ABSENT_WINDOWS = 2
"""An episode ends when the odour is not recognised in so many windows in a row."""


class Odour(BaseModel):
    """Counts of one odour; both fade."""

    model_config = ConfigDict(extra="forbid")

    episodes: float = Field(ge=0.0, le=MAX_COUNT)
    came_with: dict[str, float] = Field(default_factory=dict, max_length=len(KINDS))

    @field_validator("came_with")
    @classmethod
    def _known(cls, came_with: dict[str, float]) -> dict[str, float]:
        if not set(came_with) <= set(KINDS):
            raise ValueError("it names what is never remembered")
        if not all(0.0 <= count <= MAX_COUNT for count in came_with.values()):  # NaN is none
            raise ValueError("a count is none")
        return came_with


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: str = Field(alias="schema")
    odours: dict[str, Odour] = Field(default_factory=dict, max_length=MAX_ODOURS)


@dataclass(slots=True)
class _Episode:
    """An odour that is there, and what came with it so far."""

    name: str
    came_with: set[str] = field(default_factory=set)
    absent: int = 0


def default_file() -> Path:
    """Where the memory is if the settings name no file."""
    from platformdirs import user_data_path

    return user_data_path("thymos") / "smell-memory.json"


class OdourMemory:
    """The counts, and the file that holds them.

    Args:
        path: The file; None: `default_file()`. It need not exist.

    Raises:
        ConfigError: The file is no memory, or cannot be read.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path).expanduser() if path else default_file()
        self.odours: dict[str, Odour] = {}
        self._stamp: tuple[int, int] | None = None
        self._episode: _Episode | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read the file anew if it changed: what was erased meanwhile is forgotten here too.

        Raises:
            ConfigError: The file is no memory, or cannot be read.
        """
        stamp = _stamp(self.path)
        if stamp != self._stamp:
            self.odours = _read(self.path) if stamp is not None else {}
            self._stamp = stamp

    # -- using it

    def cues(self, cues: Iterable[Cue]) -> list[Cue]:
        """What usually came with the odour that these cues name: at most one cue, never sure."""
        odour = _recognised(cues)
        if odour is None:
            return []
        usual = self.usual(meaning_of(str(odour.value)).name)
        if not usual:
            return []
        kind, share = usual[0]
        return [
            Cue(
                id="",
                modality="smell",
                name=MEMORY,
                value=kind,
                confidence=round(MAX_CONFIDENCE * share * odour.confidence, 3),
                t0_ns=odour.t0_ns,
                t1_ns=odour.t1_ns,
                text=f"in this place such a smell usually came with {KINDS[kind]} (remembered, "
                f"{share:.0%} of the times)",
            )
        ]

    def usual(self, name: str) -> list[tuple[str, float]]:
        """What usually came with an odour, with its share of episodes, most usual first."""
        known = self.odours.get(name)
        if known is None or known.episodes < LEAST_EPISODES * FADE**2:
            return []
        shares = [(kind, min(1.0, n / known.episodes)) for kind, n in known.came_with.items()]
        return sorted((s for s in shares if s[1] >= LEAST_SHARE), key=lambda s: (-s[1], s[0]))

    # -- learning

    def notice(self, report: WindowReport) -> None:
        """Follow the windows of a live run; an episode is learnt when it is over.

        Raises:
            ConfigError: The file cannot be read or written.
        """
        self.refresh()
        odour = _recognised(report.cues)
        name = meaning_of(str(odour.value)).name if odour is not None else ""
        episode = self._episode
        if episode is not None and name != episode.name:
            episode.absent += 1
            if name or episode.absent >= ABSENT_WINDOWS:
                self.finish()
        if not name:
            return
        if self._episode is None:
            self._episode = _Episode(name)
        self._episode.absent = 0
        self._episode.came_with |= _company(report)

    def finish(self) -> None:
        """End the episode at hand, if there is one, and keep it.

        Raises:
            ConfigError: The file cannot be written.
        """
        episode, self._episode = self._episode, None
        if episode is not None:
            with self._alone():
                self.learn(episode.name, episode.came_with)
                self._write()

    def learn(self, name: str, came_with: Iterable[str]) -> None:
        """Count one episode of an odour of the table."""
        known = self.odours.pop(name, Odour(episodes=0.0))
        kinds = {kind: n * FADE for kind, n in known.came_with.items()}
        for kind in set(came_with) & set(KINDS):
            kinds[kind] = kinds.get(kind, 0.0) + 1.0
        counts = {kind: round(kinds[kind], 4) for kind in sorted(kinds) if kinds[kind] > 0.05}
        episodes = round(known.episodes * FADE + 1.0, 4)
        while len(self.odours) >= MAX_ODOURS:  # dicts keep order: the first is the oldest
            self.odours.pop(next(iter(self.odours)))
        self.odours[name] = Odour(episodes=episodes, came_with=counts)

    # -- keeping and erasing

    def erase(self, name: str = "") -> int:
        """Forget an odour, or all; nothing of it is left in the file.

        Args:
            name: Of the odour, any of its labels; empty: everything, the file too.

        Returns:
            How many odours were forgotten.

        Raises:
            ConfigError: The file cannot be written.
        """
        if not name:
            count = len(self.odours)
            self.odours.clear()
            self._episode = None
            erase_file(self.path)
            self._stamp = None
            return count
        if not self.path.exists():
            return 0
        with self._alone():
            gone = self.odours.pop(meaning_of(name).name or name, None)
            if gone is not None:
                self._write()
        return int(gone is not None)

    def save(self) -> None:
        """Write the file, whole or not at all, for its owner only.

        Raises:
            ConfigError: It cannot be written.
        """
        with _alone(self.path):
            self._write()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and what was written or erased before is known."""
        with _alone(self.path):
            self.refresh()
            yield

    def _write(self) -> None:
        data = {
            "schema": SCHEMA,
            "odours": {name: odour.model_dump() for name, odour in self.odours.items()},
        }
        text = json.dumps(data, indent=1) + "\n"
        handle, new = tempfile.mkstemp(dir=self.path.parent, prefix=_prefix(self.path))  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(new).replace(self.path)
        finally:
            Path(new).unlink(missing_ok=True)
        self._stamp = _stamp(self.path)


def erase_file(path: Path) -> bool:
    """Remove a memory unread, and what a killed run left half written of it.

    Returns:
        Whether there was one.

    Raises:
        ConfigError: It cannot be removed.
    """
    if not os.path.isdir(path.parent):  # noqa: PTH112 (a folder nobody may read is no error here)
        return False
    with _alone(path):
        there = path.exists()
        path.unlink(missing_ok=True)
    return there


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written anew; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


_DAMAGED = (ValidationError, json.JSONDecodeError, UnicodeDecodeError)


def _read(path: Path) -> dict[str, Odour]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        held = _File.model_validate(data)
        if held.schema_ != SCHEMA:
            raise ValueError(f"it is of another kind ({held.schema_[:40]})")
    except FileNotFoundError:
        return {}
    except OSError as err:
        raise ConfigError(
            f"cannot read the odour memory '{path}': {err.strerror}",
            hint="set smell.memory to another file",
        ) from err
    except (ValueError, ValidationError, RecursionError) as err:
        plain = isinstance(err, ValueError) and not isinstance(err, _DAMAGED)
        raise ConfigError(
            f"'{path}' is no odour memory: {err if plain else 'it is damaged'}",
            hint=f"erase it: thymos smell memory --erase --file {shlex.quote(str(path))}",
        ) from err
    return {name: odour for name, odour in held.odours.items() if meaning_of(name).name == name}


def _prefix(path: Path) -> str:
    return f".{path.name}.new-"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time: the folder is locked, so that no file of a lock stays behind.

    Without it a robot that writes what it learnt just then would bring back what somebody erases.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a network disk may not lock folders
                fcntl.flock(folder, fcntl.LOCK_EX)
            for left in path.parent.iterdir():
                if left.name.startswith(_prefix(path)):  # of a writer that was killed
                    left.unlink(missing_ok=True)
            yield
        finally:
            os.close(folder)
    except OSError as err:
        raise ConfigError(
            f"cannot write the odour memory '{path}': {err.strerror}",
            hint="check who owns the folder, or set smell.memory to another file",
        ) from err


def _recognised(cues: Iterable[Cue]) -> Cue | None:
    """The odour that is surely recognised and in the table, clean air left out."""
    for cue in cues:
        if cue.name == "odour" and isinstance(cue.value, str) and cue.confidence >= SURE:
            meaning = meaning_of(cue.value)
            if meaning.known and meaning.family != CLEAN_AIR:
                return cue
    return None


def _company(report: WindowReport) -> set[str]:
    """Kinds of what came with a smell: sounds, and the emotion class if one is named."""
    found = {f"sound:{cue.value}" for cue in report.cues if cue.name == "event"}
    found |= {"sound:bang" for cue in report.cues if cue.name == "sudden_sound"}
    explained = report.explanation
    if not explained.abstained and explained.emotions:
        found.add(f"mood:{explained.emotions[0].level1}")
    return found & set(KINDS)


def shown(memory: OdourMemory) -> Sequence[tuple[str, float, list[tuple[str, float]]]]:
    """For people: odours by name, how many episodes still count, what came with each how often."""
    return [
        (
            name,
            odour.episodes,
            sorted(
                ((kind, min(1.0, n / odour.episodes)) for kind, n in odour.came_with.items()),
                key=lambda s: (-s[1], s[0]),
            ),
        )
        for name, odour in sorted(memory.odours.items())
        if odour.episodes > 0
    ]
