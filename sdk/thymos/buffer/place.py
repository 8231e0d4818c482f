"""Where the streams of one user and one robot are announced, and who writes them.

Everything lies in a folder of /dev/shm that only the user may enter. One file for each stream says
what it is and where its memory lies; a second is locked by the writer for as long as it lives (the
kernel lets go of the lock when the process dies, however it dies).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from thymos.buffer.layout import Layout
from thymos.errors import ConfigError, SharedMemoryError
from thymos.samples import Kind, Origin, StreamSpec

SHM = Path("/dev/shm")  # noqa: S108  not a temporary file: POSIX shared memory lives here
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
DOMAIN = re.compile(r"[A-Za-z0-9_\-]{1,24}")
FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux
FORMAT = 1
SEE = f"see `df -h {SHM}` and `ls -ld {SHM}`"


@dataclass(frozen=True, slots=True)
class Place:
    """Folder and prefix of one user and one domain.

    Attributes:
        domain: Keeps the streams of two robots, or two tests, on one machine apart.
    """

    domain: str

    @classmethod
    def of(cls, domain: str | None = None) -> Place:
        """The place of a domain; None takes ROS_DOMAIN_ID, else 0.

        Raises:
            ConfigError: A name with other characters than letters, digits, - and _.
        """
        domain = domain if domain is not None else os.environ.get("ROS_DOMAIN_ID") or "0"
        if not DOMAIN.fullmatch(domain):
            raise ConfigError(
                f"'{domain}' cannot name a domain of shared memory",
                hint="use up to 24 letters, digits, - and _",
            )
        return cls(domain)

    @property
    def home(self) -> Path:
        """Folder of the user."""
        return SHM / f"thymos-{os.geteuid()}"

    @property
    def root(self) -> Path:
        """Folder of the domain."""
        return self.home / self.domain

    @property
    def prefix(self) -> str:
        """First part of the names of all memory of the domain in /dev/shm."""
        return f"thymos-{os.geteuid()}-{self.domain}_"

    def make(self) -> None:
        """Make the folders, for this user alone.

        Raises:
            SharedMemoryError: There is no /dev/shm, it is full, or someone else was there first.
        """
        for folder in (self.home, self.root):
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
                found = folder.lstat()
            except OSError as err:
                raise SharedMemoryError(
                    f"cannot make the folder {folder}: {err.strerror}", hint=SEE
                ) from err
            if found.st_uid != os.geteuid() or found.st_mode & 0o170077 != 0o040000:
                raise SharedMemoryError(
                    f"{folder} is not a folder of this user alone",
                    hint=f"ask an administrator to remove it: sudo rm -r {folder}",
                )

    def announcement(self, name: str) -> Path:
        """File that says what a stream is."""
        return self.root / f"{checked(name)}.json"

    def lock(self, name: str) -> Path:
        """File that the writer of a stream holds locked."""
        return self.root / f"{checked(name)}.lock"


def checked(name: str) -> str:
    """A stream name that can be part of a file name.

    Raises:
        ConfigError: It cannot.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"'{name}' cannot name a shared stream",
            hint="use up to 100 letters, digits, '.', '-' and '_'",
        )
    return name


def lock_file(fd: int, kind: int) -> bool:
    """Lock an open file without waiting; False if somebody else has it.

    An open-file lock: two openings in one process count as two, and the kernel lets go of it when
    the process dies.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


class Lock:
    """Says that this process writes a stream.

    Raises:
        SharedMemoryError: Another writer lives; its process number is in the message.
    """

    def __init__(self, place: Place, name: str) -> None:
        path = place.lock(name)
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as err:
            raise SharedMemoryError(f"cannot make {path}: {err.strerror}", hint=SEE) from err
        try:
            if not lock_file(self._fd, fcntl.F_WRLCK):
                pid = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise SharedMemoryError(
                    f"process {pid} already writes the stream '{name}' to shared memory",
                    hint=f"end it (`ps {pid}`), or give one of the two another name or domain",
                )
            # Always of one length: it must also be possible when /dev/shm is full.
            os.pwrite(self._fd, f"{os.getpid():<19}\n".encode(), 0)
        except OSError as err:
            self.release()
            raise SharedMemoryError(f"cannot write {path}: {err.strerror}", hint=SEE) from err
        except SharedMemoryError:
            self.release()
            raise

    def release(self) -> None:
        """Let another writer in. Twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def writer_of(place: Place, name: str) -> int | None:
    """Process that writes the stream, None if no living one does; looks only, takes no lock."""
    try:
        fd = os.open(place.lock(name), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked)
        pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
    finally:
        os.close(fd)
    locked = FLOCK.unpack(answer)[0] != fcntl.F_UNLCK
    return int(pid) if locked and pid.isdigit() else None


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a reader must know to attach.

    Attributes:
        service: Name of the memory; every start of a writer makes a new one.
        pid: The writer.
        layout: Sizes.
        spec: The stream.
    """

    service: str
    pid: int
    layout: Layout
    spec: StreamSpec

    def publish(self, place: Place, name: str) -> None:
        """Write the file, whole or not at all.

        Raises:
            SharedMemoryError: It cannot be written.
        """
        path = place.announcement(name)
        fresh = path.with_suffix(".new")
        plain = replace(self, spec=replace(self.spec, extra=dict(self.spec.extra)))
        text = json.dumps({"format": FORMAT, **asdict(plain)})
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(path)
        except OSError as err:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise SharedMemoryError(f"cannot write {path}: {err.strerror}", hint=SEE) from err

    @classmethod
    def read(cls, place: Place, name: str) -> Announcement | None:
        """What is announced by a living writer; None if nothing is, or nothing that makes sense."""
        try:
            text = place.announcement(name).read_text(encoding="utf-8")
            data = json.loads(text)
            if data.get("format") != FORMAT:
                return None
            spec = spec_of(data["spec"])
            found = cls(data["service"], int(data["pid"]), Layout(**data["layout"]), spec)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        # A file that a dead writer left says nothing of the next one, who holds the lock already.
        return found if writer_of(place, name) == found.pid else None


def spec_of(data: dict[str, Any]) -> StreamSpec:
    """A stream as `dataclasses.asdict` and JSON leave it."""
    made = {**data, "kind": Kind(data["kind"]), "origin": Origin(data["origin"])}
    return StreamSpec(
        **{**made, "shape": tuple(data["shape"]), "channels": tuple(data["channels"])}
    )
