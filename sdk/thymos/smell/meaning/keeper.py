"""The odour memory at work in a pipeline: asked for each window, taught by live ones only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from thymos.config import SmellConfig
from thymos.contract import Cue, WindowReport
from thymos.errors import ThymosError
from thymos.smell.meaning.memory import OdourMemory


class Keeper:
    """Does nothing at all unless `smell.remember` is set.

    Args:
        config: Whether to remember, and where.
        note: Told in words when it cannot be kept.

    Attributes:
        learns: Whether windows are learnt; False in a replay, which never writes to the file.

    Raises:
        ConfigError: The file is no memory.
    """

    def __init__(self, config: SmellConfig, note: Callable[[str], None]) -> None:
        self._memory = OdourMemory(config.memory) if config.remember else None
        self._note = note
        self.learns = False

    def cues(self, found: Iterable[Cue]) -> list[Cue]:
        """What usually came with the odour among these cues."""
        return [] if self._memory is None else self._memory.cues(found)

    def notice(self, report: WindowReport) -> None:
        """Learn from a window, if this is a live run."""
        if self._memory is not None:
            self._try(lambda memory: memory.notice(report))

    def finish(self) -> None:
        """The run is over: the episode at hand is kept."""
        if self._memory is not None:
            self._try(OdourMemory.finish)

    def _try(self, work: Callable[[OdourMemory], None]) -> None:
        if self._memory is None or not self.learns:
            return
        try:
            work(self._memory)
        except ThymosError as err:
            self.learns = False
            self._note(f"smells are not remembered: {err} ({err.hint})")
