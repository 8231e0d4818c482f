"""The part of iceoryx2 that is used here; its errors become `SharedMemoryError`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from thymos.buffer.layout import HEAD, Layout
from thymos.buffer.place import SEE, SHM, Place
from thymos.buffer.presence import Presence, starting
from thymos.errors import MissingExtraError, SharedMemoryError

HEADROOM = 1 << 20  # for the small files of iceoryx2: connections, services, events
NODES_PER_READER = 3  # a dead reader takes a place until it is cleaned away


@cache
def library() -> Any:
    """The module iceoryx2, made quiet.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import iceoryx2
    except ImportError as err:
        raise MissingExtraError("iceoryx2", "shm") from err
    # What goes wrong is raised; IOX2_LOG_LEVEL shows more.
    iceoryx2.set_log_level_from_env_or(iceoryx2.LogLevel.Fatal)
    return iceoryx2


class HeadType(ctypes.Structure):
    """The head of a chunk as iceoryx2 sees it: so many bytes, aligned to words."""

    _fields_ = (("words", ctypes.c_uint64 * (HEAD.size // 8)),)

    @staticmethod
    def type_name() -> str:
        """Told to everybody who opens the service."""
        return "ThymosHead1"


def is_own(err: Exception) -> bool:
    """Whether an error was raised by iceoryx2."""
    return type(err).__module__.startswith("iceoryx2")


@contextmanager
def wrapped(doing: str, hint: str = "") -> Iterator[None]:
    """Errors of iceoryx2 as ours.

    Raises:
        SharedMemoryError: Something of iceoryx2 was raised within.
    """
    try:
        yield
    except Exception as err:
        raise ours(err, doing, hint) from err


def ours(err: Exception, doing: str, hint: str = "") -> Exception:
    """An error of iceoryx2 as ours; another one as it is."""
    return SharedMemoryError(f"{doing}: {err}", hint=hint) if is_own(err) else err


def need_room(nbytes: int) -> None:
    """Look whether /dev/shm has room.

    Raises:
        SharedMemoryError: It has not. Without this look the kernel would end the process (SIGBUS)
            at the first touch of a page that does not exist.
    """
    try:
        found = os.statvfs(SHM)
    except OSError as err:
        raise SharedMemoryError(f"there is no {SHM}: {err.strerror}") from err
    free = found.f_bavail * found.f_frsize
    if free < nbytes + HEADROOM:
        raise no_room(nbytes + HEADROOM, free)


def no_room(nbytes: int, free: int) -> SharedMemoryError:
    """The error of a full /dev/shm."""
    return SharedMemoryError(
        f"{SHM} is full: {nbytes / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free",
        hint="see `df -h /dev/shm` and `ls -l /dev/shm`; share fewer seconds, or enlarge it:"
        " mount -o remount,size=… /dev/shm (docker run --shm-size=…)",
    )


class Node:
    """This process as iceoryx2 knows it; whoever holds a view of its memory holds it too."""

    def __init__(self, node: Any, presence: Presence) -> None:
        self.raw = node
        self._presence = presence


def make_node(place: Place) -> Node:
    """A node of this process; what dead ones left behind is cleaned away.

    Raises:
        SharedMemoryError: It cannot be made.
    """
    iox = library()
    place.make()
    config = iox.config.default()
    config.global_cfg.root_path = iox.Path.new(str(place.root))
    config.global_cfg.prefix = iox.FileName.new(place.prefix)
    builder = iox.NodeBuilder.new().config(config)
    builder = builder.signal_handling_mode(iox.SignalHandlingMode.Disabled)
    with starting(place) as presence, wrapped("cannot use shared memory", SEE):
        need_room(0)
        node = builder.create(iox.ServiceType.Ipc)
    # iceoryx2 lets everybody write this one: it counts the nodes of all users. Ours have a prefix
    # of their own.
    for file in SHM.glob(f"{place.prefix}*.global_mgmt"):
        with suppress(OSError):
            file.chmod(0o600)
    return Node(node, presence)


def clean(node: Node) -> None:
    """Take away what dead processes left behind."""
    with suppress(Exception):
        node.raw.try_cleanup_dead_nodes()


def samples_service(node: Node, name: str, layout: Layout) -> Any:
    """Builder of the service that carries samples."""
    iox = library()
    return (
        node.raw.service_builder(iox.ServiceName.new(name))
        .publish_subscribe(iox.Slice[ctypes.c_uint64])
        .user_header(HeadType)
        .max_publishers(1)
        .max_subscribers(layout.readers)
        .max_nodes(1 + NODES_PER_READER * layout.readers)
        .history_size(layout.depth)
        .subscriber_max_buffer_size(layout.depth)
        .subscriber_max_borrowed_samples(layout.borrows)
        .enable_safe_overflow(True)
    )


def wake_service(node: Node, name: str, layout: Layout) -> Any:
    """Builder of the service that wakes readers."""
    iox = library()
    return (
        node.raw.service_builder(iox.ServiceName.new(name))
        .event()
        .max_notifiers(1)
        .max_listeners(layout.readers)
        .max_nodes(1 + NODES_PER_READER * layout.readers)
    )
