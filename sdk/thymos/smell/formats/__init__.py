"""Files of other noses: recognised, read, written, and brought to `SmellFrame` and back.

    recording = read(path)                 # which format: `sniff` finds out
    for frame in frames(recording): ...    # one at a time, however long the file is
    table = numbers(recording)             # all cells of a text table at once, without frames
    write(recording, other)                # byte for byte what was read
    write(from_frames(made, "smellnet"), other)

One file a format, all in `FORMATS`. docs/smell-formats.md tells what is kept of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from thymos.errors import MediaError
from thymos.smell.formats.bags import GasBag, GasBags
from thymos.smell.formats.base import Damage, Format, FormatError, Recording, Row
from thymos.smell.formats.bme import BmeRawData
from thymos.smell.formats.bme_config import BmeConfig, BmeLabels, Settings
from thymos.smell.formats.bsec import Bsec
from thymos.smell.formats.bulk import numbers
from thymos.smell.formats.exchange import Exchange
from thymos.smell.formats.named import NamedCsv
from thymos.smell.formats.opening import look, save
from thymos.smell.formats.scans import BmeScans
from thymos.smell.formats.series import (
    DynamicMixtures,
    HomeActivity,
    TurbulentMixtures,
    TwinArrays,
)
from thymos.smell.formats.smellnet import SmellNet
from thymos.smell.formats.uci_drift import FeatureTable, UciCsv, UciLibsvm
from thymos.smell.frame import SmellFrame

__all__ = [
    "FORMATS", "Damage", "FeatureTable", "Format", "FormatError", "Recording", "Row", "Settings",
    "frames", "from_frames", "numbers", "read", "sniff", "write",
]  # fmt: skip

_ALL: tuple[Format, ...] = (
    GasBags(), BmeRawData(), BmeConfig(), BmeLabels(), UciLibsvm(), UciCsv(),
    TwinArrays(), TurbulentMixtures(), HomeActivity(), DynamicMixtures(), SmellNet(), Bsec(),
    Exchange(), BmeScans(), NamedCsv(),
)  # fmt: skip
FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
"""Every format by its name, in the order in which files are asked what they are; bags first."""


_ELSEWHERE = {
    ".udf": "a log of the BME690 kit: convert it to .bmerawdata in BME AI-Studio",
    ".labelinfo": "labels of the BME690 kit: convert its log to .bmerawdata in BME AI-Studio",
    ".aiconfig": "a model of BME AI-Studio holds no readings: give its .bmerawdata",
    ".aipredictions": "predictions are no readings: give the .bmerawdata",
}


def sniff(path: Path | str) -> Format:
    """Say what a file is, by its content first, by its name where that is all there is.

    Raises:
        MediaError: It is missing, empty, packed, binary, or of no known kind.
    """
    path = Path(path)
    hint = _ELSEWHERE.get(path.suffix.lower())
    if hint is not None:
        raise FormatError(path, "is of a kind that is not read here", hint=hint)
    head = look(path)
    kinds = _ALL[:1] if head.is_bag else _ALL[1:]
    found = next((one for one in kinds if one.sniff(head)), None)
    if found is None and head.is_bag:
        raise FormatError(
            path,
            "is a folder or recording without readings of a nose",
            hint="olfaction_msgs/GasSensorArray or thymos_msgs/SmellFrame are needed in it",
        )
    if found is None and path.suffix.lower() == ".json":
        raise FormatError(path, "is no log of a board", hint="give the CSV that it describes")
    if found is None:
        raise FormatError(
            path,
            "is no file of a nose that is known here",
            hint=f"known: {', '.join(FORMATS)}; a CSV needs a header that names its channels",
        )
    return found


def read(path: Path | str, *, strict: bool = True, ohms: bool = False) -> Any:
    """Open a file of any format; see `Format.read`.

    Raises:
        MediaError: It is missing, damaged, or of no known kind.
    """
    return sniff(path).read(Path(path), strict=strict, ohms=ohms)


def frames(recording: Any) -> Iterator[SmellFrame]:
    """The readings of a recording, one at a time.

    Raises:
        FormatError: A row is damaged, and the recording was opened strict; or the file holds
            features or settings.
    """
    made: Iterator[SmellFrame] = recording.frames()
    return made


def from_frames(made: Iterable[SmellFrame], name: str) -> Any:
    """A recording of a format from readings that came from one; streams them, once.

    Raises:
        MediaError: There is no such format, or the readings do not come from it.
    """
    if name not in FORMATS:
        raise MediaError(f"there is no format '{name}'", hint=f"known: {', '.join(FORMATS)}")
    return FORMATS[name].from_frames(made)


def write(recording: Any, path: Path | str, *, replace: bool = True) -> None:
    """Write a recording and what belongs beside it; each file whole or not at all.

    Args:
        recording: What `read` or `from_frames` gave.
        path: The new file.
        replace: Also where there are files of that name with another content.

    Raises:
        MediaError: It cannot be written, or a row of the input is damaged (strict).
    """
    path = Path(path)
    beside = {
        path.with_suffix(ending): text
        for ending, text in getattr(recording, "sidecars", {}).items()
    }
    for place, text in beside.items():
        if not replace and place.exists() and place.read_bytes() != text.encode():
            raise MediaError(f"'{place}' exists and is another", hint="--force replaces it")
    if isinstance(recording, GasBag):
        recording.save(path)
        return
    dialect = getattr(recording, "dialect", None)
    save(path, recording.texts(), dialect.encoding if dialect else "utf-8")
    for place, text in beside.items():
        save(place, [text])
