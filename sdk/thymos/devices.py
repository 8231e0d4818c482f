"""From a URI to a source: drivers are found by entry point, never imported by name.

A URI is `scheme:rest`, for example `v4l2:/dev/video0`, `portaudio:default`,
`serial:/dev/ttyUSB0?baud=115200`, `file:talk.mp4`, `sim:` or `off`. The scheme names an entry
point in the group of the stream: `thymos.camera`, `thymos.microphone` or `thymos.enose`. The
entry point is a factory `(rest, stream=..., **options) -> Source`; options come from the query.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from thymos.errors import ConfigError, MissingExtraError
from thymos.samples import Source, StreamSpec

STORED = "thymos.stored"
"""Entry points that find calibrations: functions `(kind, *specs) -> Path`."""

StreamRole = Literal["camera", "microphone", "enose"]
ROLES: tuple[StreamRole, ...] = ("camera", "microphone", "enose")

SourceFactory = Callable[..., Source]


@dataclass(frozen=True, slots=True)
class Uri:
    """A parsed source URI.

    Attributes:
        scheme: Driver name.
        rest: What the driver opens: a path, a device name, or nothing.
        options: From the query string.
    """

    scheme: str
    rest: str
    options: dict[str, str]


def without_password(uri: str) -> str:
    """The URI as it may be shown: name and password of an address are left out."""
    return re.sub(r"//[^/?#]*@", "//", uri)


def parse_uri(text: str) -> Uri:
    """Split `scheme:rest?key=value&…`.

    Raises:
        ConfigError: There is no scheme.
    """
    if text == "off":
        return Uri("off", "", {})
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(
            f"'{text}' is not a source URI (scheme:rest)",
            hint="for a file write file:PATH; see `thymos devices` for what there is",
        )
    # A file may hold any character, a '?' too: only device URIs carry options after it.
    path, mark, query = rest.partition("?") if scheme != "file" else (rest, "", "")
    return Uri(scheme, path, dict(parse_qsl(query, keep_blank_values=True)) if mark else {})


def schemes(role: StreamRole) -> dict[str, EntryPoint]:
    """Drivers that are installed for one kind of stream, by scheme."""
    return {point.name: point for point in entry_points(group=f"thymos.{role}")}


def open_uri(role: StreamRole, text: str, *, stream: str | None = None) -> Source | None:
    """Make (not yet open) the source that a URI names; None for `off`.

    Raises:
        ConfigError: Unknown scheme, or options the driver does not know.
        MissingExtraError: The driver needs a library that is not installed.
    """
    uri = parse_uri(text)
    if uri.scheme == "off":
        return None
    known = schemes(role)
    if uri.scheme not in known:
        raise ConfigError(
            f"no driver '{uri.scheme}' for the {role} (in '{text}')",
            hint=f"known: {', '.join(sorted(known)) or 'none'}, off",
        )
    factory: SourceFactory = known[uri.scheme].load()
    try:
        return factory(uri.rest, stream=stream or role, **uri.options)
    except TypeError as err:
        raise ConfigError(f"the driver '{uri.scheme}' does not take these options: {err}") from err


def stored_calibration(kind: str, *specs: StreamSpec) -> Path:
    """The file of the newest calibration of a stream's device, by its serial number, else name.

    Args:
        kind: What was calibrated, for example `enose-clean-air`.
        specs: Of the open device; of both for what is about two (`av-sync`: camera, microphone).

    Raises:
        NotCalibratedError: There is none.
        CalibrationError: It is damaged, or too old to be trusted.
        MissingExtraError: Nothing that keeps calibrations is installed.
    """
    for point in entry_points(group=STORED):
        find: Callable[..., Path] = point.load()
        return find(kind, *specs)
    raise MissingExtraError("thymos_calibration", "calibrate")
