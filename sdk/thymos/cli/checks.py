"""What `thymos doctor` looks at: pure functions from a `Machine` to findings."""

from __future__ import annotations

import ctypes.util
import glob
import grp
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from thymos.cli.devices import Device
from thymos.models import FileCheck, RoleStatus

Level = Literal["ok", "warn", "fail"]
MIB = 2**20

MIN_SHM = 128 * MIB  # docker gives 64 MiB; Fast DDS keeps 32 MiB for each participant
MIN_FREE = 256 * MIB
WISH_FREE = 2048 * MIB
MIN_MEMORY = 1024 * MIB
WISH_MEMORY = 1536 * MIB

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*(?:;\s*extra\s*==\s*['\"]([^'\"]+))?")
_SKIPPED_EXTRAS = frozenset({"all", "dev", "train"})  # a robot does without
_NODES = (
    ("video", "/dev/video*", "camera"),
    ("audio", "/dev/snd/pcm*", "microphone"),
    ("dialout", "/dev/ttyUSB*", "serial nose"),
    ("dialout", "/dev/ttyACM*", "serial nose"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: Group it belongs to.
        name: What it is.
        level: `fail`: Thymos cannot work so; `warn`: something will be missing; `ok`.
        text: What was found.
        remedy: What to type, one line; empty if nothing.
    """

    area: str
    name: str
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of a computer; `Machine.here()` gathers them, tests make them up."""

    python: tuple[int, int, int] = (3, 11, 0)
    requires: Sequence[str] = ()
    version: Callable[[str], str | None] = lambda _: None
    has_module: Callable[[str], bool] = lambda _: False
    find_library: Callable[[str], str | None] = lambda _: None
    env: Mapping[str, str] = field(default_factory=dict)
    path: Sequence[str] = ()
    user: str = ""
    root: bool = False
    groups: frozenset[str] = frozenset()
    nodes: Callable[[str], Sequence[str]] = lambda _: ()
    may_open: Callable[[str], bool] = lambda _: True
    is_file: Callable[[str], bool] = lambda _: False
    shm_bytes: int | None = None
    free: Mapping[str, int] = field(default_factory=dict)
    cpus: int = 1
    memory: int | None = None
    available: int | None = None

    @staticmethod
    def here(folders: Mapping[str, Path]) -> Machine:
        """This computer; `folders` are those whose free space matters, by name."""
        total, available = _memory()
        return Machine(
            python=sys.version_info[:3],
            requires=_requires(),
            version=_version,
            has_module=lambda name: find_spec(name) is not None,
            find_library=ctypes.util.find_library,
            env=os.environ,
            path=tuple(sys.path),
            user=os.environ.get("USER") or "$USER",
            root=os.geteuid() == 0,
            groups=_groups(),
            nodes=lambda pattern: sorted(glob.glob(pattern)),  # noqa: PTH207  absolute patterns
            may_open=lambda path: os.access(path, os.R_OK | os.W_OK),
            is_file=lambda path: Path(path).is_file(),
            shm_bytes=_size("/dev/shm"),  # noqa: S108  looked at, never written
            free={name: _free(path) for name, path in folders.items()},
            cpus=len(os.sched_getaffinity(0)),
            memory=total,
            available=available,
        )


def check_python(machine: Machine) -> Iterator[Finding]:
    """Python 3.10 or newer; tested on 3.11 and 3.12."""
    text = ".".join(str(n) for n in machine.python)
    if machine.python < (3, 10):
        yield Finding("python", "version", "fail", f"{text} is too old", "install Python 3.11")
    elif machine.python < (3, 11):
        yield Finding(
            "python", "version", "warn", f"{text}: works, tested less than 3.11 and 3.12",
            "use Python 3.11 or 3.12 where you can",
        )  # fmt: skip
    else:
        yield Finding("python", "version", "ok", text)


def check_libraries(machine: Machine) -> Iterator[Finding]:
    """The core must be whole; an extra may be missing, and then says what is not there."""
    core, extras = _by_extra(machine.requires)
    gone = [name for name in core if machine.version(name) is None]
    if gone:
        remedy = "pip install --force-reinstall thymos"
        yield Finding("libraries", "core", "fail", f"missing: {', '.join(gone)}", remedy)
    elif core:
        yield Finding("libraries", "core", "ok", _versions(machine, core))
    for extra, names in extras.items():
        gone = [name for name in names if machine.version(name) is None]
        if gone:
            text = f"missing: {', '.join(gone)}"
            yield Finding("libraries", extra, "warn", text, f"pip install 'thymos[{extra}]'")
        else:
            yield Finding("libraries", extra, "ok", _versions(machine, names))
    if machine.version("sounddevice") and not machine.find_library("portaudio"):
        yield Finding(
            "libraries", "portaudio", "warn", "the PortAudio library is not installed",
            "sudo apt-get install libportaudio2",
        )  # fmt: skip


def check_permissions(machine: Machine) -> Iterator[Finding]:
    """Whether this user may open the device files that exist."""
    for group, pattern, what in _NODES:
        nodes = machine.nodes(pattern)
        shut = [node for node in nodes if not machine.may_open(node)]
        if shut and group in machine.groups:
            text = f"{', '.join(shut)} may not be opened although you are in '{group}'"
            yield Finding("permissions", group, "warn", text, f"ls -l {shut[0]}")
        elif shut:
            remedy = f"sudo usermod -aG {group} {machine.user}, then log in again"
            text = f"{', '.join(shut)} may not be opened ({what})"
            yield Finding("permissions", group, "warn", text, remedy)
        elif nodes:
            yield Finding("permissions", group, "ok", f"{', '.join(nodes)} can be opened")
    wanted = sorted({group for group, _, _ in _NODES} - machine.groups)
    if wanted and not machine.root:
        remedy = f"sudo usermod -aG {','.join(wanted)} {machine.user}, then log in again"
        text = (
            f"{machine.user} is not in {', '.join(wanted)}: a device plugged in later may be shut"
        )
        yield Finding("permissions", "groups", "warn", text, remedy)
    else:
        yield Finding("permissions", "groups", "ok", "root" if machine.root else "in all of them")


def check_devices(devices: Sequence[Device]) -> Iterator[Finding]:
    """What is plugged in; a robot without any is fine, there are files and simulations."""
    if not devices:
        yield Finding("devices", "none", "ok", "none is plugged in; files and sim: work without")
    for device in devices:
        level: Level = "ok" if device.usable else "warn"
        known = f"; calibrated: {'; '.join(device.calibrations)}" if device.calibrations else ""
        text = f"{device.name} {device.detail}".strip() + known
        yield Finding("devices", device.uri or device.role, level, text, device.remedy)


def check_models(
    status: Sequence[RoleStatus], optional: frozenset[str], checks: Sequence[FileCheck] = ()
) -> Iterator[Finding]:
    """Weights: what is missing is done without and said; what is damaged is a fault."""
    wrong = {check.role for check in checks if not check.ok}
    for role in status:
        if role.role in wrong:
            remedy = f"thymos models pull {role.role}"
            yield Finding("models", role.role, "fail", "the sha256 is wrong", remedy)
        elif role.state == "damaged":
            yield Finding("models", role.role, "fail", f"damaged: {role.path}", role.hint)
        elif role.state in ("present", "installed"):
            yield Finding("models", role.role, "ok", role.title)
        elif role.role not in optional:
            text = f"{role.state}: {role.title}"
            yield Finding("models", role.role, "warn", text, role.hint)


def check_ros(machine: Machine) -> Iterator[Finding]:
    """rclpy, our messages, the middleware and its settings; ROS is an option."""
    if not machine.has_module("rclpy"):
        alien = [p for p in machine.path if p.startswith("/opt/ros/")]
        text = "rclpy is not installed (only the ROS nodes need it)"
        remedy = "make setup-ros, or source /opt/ros/<distro>/setup.bash"
        if alien:
            text = f"{alien[0]} is on the path and is not for Python {_minor(machine.python)}"
            remedy = "use the Python of that ROS distribution"
        yield Finding("ros", "rclpy", "warn", text, remedy)
        return
    found = machine.version("rclpy") or machine.env.get("ROS_DISTRO", "")
    yield Finding("ros", "rclpy", "ok", found)
    if machine.has_module("thymos_msgs"):
        yield Finding("ros", "thymos_msgs", "ok", machine.version("thymos-msgs") or "importable")
    else:
        yield Finding(
            "ros", "thymos_msgs", "warn", "our messages are not built",
            "pip install ./interfaces/thymos_msgs, or colcon build and source install/setup.bash",
        )  # fmt: skip
    yield from _middleware(machine)


def _middleware(machine: Machine) -> Iterator[Finding]:
    rmw = machine.env.get("RMW_IMPLEMENTATION", "")
    yield Finding("ros", "middleware", "ok", rmw or "the default of rclpy")
    if rmw and "fastrtps" not in rmw:
        return
    keys = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    named = next((machine.env[k] for k in keys if machine.env.get(k)), "")
    if not named:
        yield Finding(
            "ros", "profile", "warn", "no Fast DDS profile: images lose frames over small segments",
            f"thymos graph up sets it; else export {keys[0]}=<thymos>/launch/config/fastdds.xml",
        )  # fmt: skip
    elif machine.is_file(named):
        yield Finding("ros", "profile", "ok", named)
    else:
        yield Finding("ros", "profile", "fail", f"'{named}' does not exist", f"unset {keys[0]}")


def check_resources(machine: Machine) -> Iterator[Finding]:
    """Processor, memory, shared memory, disk."""
    cores = f"{machine.cpus} for this process"
    few = machine.cpus < 2
    remedy = "choose --backend rules: one core is too little for a language model" if few else ""
    yield Finding("resources", "processors", "warn" if few else "ok", cores, remedy)
    if machine.memory is not None:
        free = machine.available if machine.available is not None else machine.memory
        text = f"{free // MIB} MiB of {machine.memory // MIB} MiB available"
        small: Level = "fail" if machine.memory < MIN_MEMORY else "warn"
        low = machine.memory < MIN_MEMORY or free < WISH_MEMORY
        hint = "close other programs, or use --backend rules" if low else ""
        yield Finding("resources", "memory", small if low else "ok", text, hint)
    if machine.shm_bytes is not None:
        low = machine.shm_bytes < MIN_SHM
        hint = "docker run --shm-size=512m, or mount -o remount,size=512m /dev/shm" if low else ""
        text = f"{machine.shm_bytes // MIB} MiB in /dev/shm"
        yield Finding("resources", "shared memory", "warn" if low else "ok", text, hint)
    for name, free in machine.free.items():
        level: Level = "fail" if free < MIN_FREE else "warn" if free < WISH_FREE else "ok"
        hint = "" if level == "ok" else "free some space: a minute of raw VGA video is 1.6 GB"
        yield Finding("resources", f"disk ({name})", level, f"{free // MIB} MiB free", hint)


def _by_extra(requires: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    core: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in requires:
        match = _REQUIREMENT.match(line)
        if match is None or match[2] in _SKIPPED_EXTRAS:
            continue
        (extras.setdefault(match[2], []) if match[2] else core).append(match[1])
    return core, extras


def _versions(machine: Machine, names: Sequence[str]) -> str:
    shown = [f"{name} {machine.version(name)}" for name in names[:4]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _minor(version: tuple[int, int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _requires() -> tuple[str, ...]:
    try:
        return tuple(metadata.requires("thymos") or ())
    except metadata.PackageNotFoundError:
        return ()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _groups() -> frozenset[str]:
    names = set()
    for gid in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(gid).gr_name)
        except KeyError:  # a group without a name, common in containers
            continue
    return frozenset(names)


def _size(path: str) -> int | None:
    try:
        return shutil.disk_usage(path).total
    except OSError:
        return None


def _free(path: Path) -> int:
    """Free bytes where `path` is or would be made."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def _memory() -> tuple[int | None, int | None]:
    """Total and available memory, bytes; a container's limit counts if it is smaller."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        facts = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    except (OSError, ValueError, IndexError):
        return None, None
    total, available = facts.get("MemTotal"), facts.get("MemAvailable")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return total, available
    if total is not None and limit < total:
        return limit, min(available or limit, limit - used)
    return total, available
