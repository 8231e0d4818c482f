"""What stands behind the fixture `thymos_replay`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from thymos.config import Config
from thymos.contract import WindowReport
from thymos.errors import ThymosError
from thymos.golden import Tolerance, as_json, compare, read_golden, write_golden


@dataclass(frozen=True, slots=True)
class Replayed:
    """The windows of a recording.

    Attributes:
        windows: One report a window, in order of time; assert on them as you like.
        folder: Where relative paths begin.
        update: Whether golden files are written instead of compared.
        wrote: Told the golden files that are written.
    """

    windows: tuple[WindowReport, ...]
    folder: Path
    update: bool = False
    wrote: Callable[[Path], object] = lambda _: None

    def matches(self, golden: str | Path, tolerance: Tolerance | None = None) -> Replayed:
        """Fail the test, with a readable diff, unless the windows are those of a golden file.

        Args:
            golden: A `windows.jsonl` of a good run; relative to the folder of the test.
            tolerance: How far numbers may be off, see `thymos.golden.Tolerance`.

        Returns:
            Itself, to go on with.
        """
        __tracebackhide__ = True
        path = _near(self.folder / golden)
        said = ""
        try:
            if self.update:
                write_golden(path, self.windows)
                self.wrote(path)
                return self
            found = compare(read_golden(path), [as_json(r) for r in self.windows], tolerance)
        except ThymosError as err:
            said = f"{err}\nnext: pytest --thymos-update writes it; look at it, then commit it"
        else:
            if not found.same:
                said = (
                    f"differs from {path}: {found.text()}\n"
                    "next: if this is how it should be now, pytest --thymos-update"
                )
        if said:  # out here, so that nothing stands above it
            pytest.fail(said, pytrace=False)
        return self


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays recordings, step by step: the same recording gives the same windows.

    Attributes:
        folder: Where relative paths begin: the folder of the test.
        update: Whether golden files are written instead of compared.
        wrote: Told the golden files that are written.
    """

    folder: Path
    update: bool = False
    wrote: Callable[[Path], object] = lambda _: None

    def __call__(
        self,
        recording: str | Path,
        *,
        enose: str | Path | None = None,
        backend: str | None = None,
        window: float | None = None,
        hop: float | None = None,
        config: Config | Path | str | None = None,
    ) -> Replayed:
        """Replay a recording; the options are those of `thymos replay`.

        Args:
            recording: Bag, `.mcap`, video or sound; relative to the folder of the test.
            enose: Nose readings (CSV) that begin when the recording does.
            backend: `auto`, `llama` or `rules`.
            window: Length of a window [s].
            hop: From window to window [s]; None is the length.
            config: Settings, or a YAML file of them.
        """
        __tracebackhide__ = True
        from thymos.explainer import explain

        said = ""
        made: tuple[WindowReport, ...] = ()
        try:
            chosen = self._settings(backend, window, hop, config)
            nose = None if enose is None else _near(self.folder / enose)
            made = tuple(explain(_near(self.folder / recording), enose=nose, config=chosen))
        except ThymosError as err:
            said = f"{err}" + (f"\nnext: {err.hint}" if err.hint else "")
        if said:
            pytest.fail(said, pytrace=False)
        return Replayed(made, self.folder, self.update, self.wrote)

    def _settings(
        self,
        backend: str | None,
        window: float | None,
        hop: float | None,
        config: Config | Path | str | None,
    ) -> Config:
        from thymos.cli.settings import overlaid
        from thymos.config import load_config

        base = config if isinstance(config, Config) else None
        if base is None:
            base = load_config(None if config is None else self.folder / str(config))
        return overlaid(
            base,
            reason={"backend": backend},
            window={"length_s": window, "hop_s": hop if hop is not None else window},
            respond={"speak": False},
        )


def _near(path: Path) -> Path:
    """As people would type it here."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
