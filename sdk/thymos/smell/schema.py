"""A `SmellFrame` as JSON: objects, JSON Schema and JSON Lines.

Everything here is made from the dataclasses of `thymos.smell.frame`; there is no second list of
fields. docs/smellframe.md is the specification, docs/schema/smellframe.json is written by
`python -m thymos.smell.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from thymos.errors import FrameError, MediaError
from thymos.smell.codec import HINT, Json, codec_of, records
from thymos.smell.frame import VERSION, Nose, SmellFrame

SUFFIX = ".smell.jsonl"
MAX_LINE = 16 * 2**20


def to_dict(frame: SmellFrame, *, nose: bool = True) -> dict[str, Json]:
    """A frame as a JSON object.

    Args:
        frame: To be written.
        nose: With what does not change from reading to reading (and the version).
    """
    made: dict[str, Json] = codec_of(SmellFrame).write(frame)
    if not nose:
        del made["nose"]
        return made
    return {"version": VERSION, **made}


def from_dict(data: Json, nose: Nose | None = None) -> SmellFrame:
    """The frame of a JSON object; keys that are not known are of a later version and left out.

    Args:
        data: The object.
        nose: Taken where the object has none.

    Raises:
        FrameError: It is no frame, of another major version, or contradicts itself.
    """
    if not isinstance(data, dict):
        raise FrameError("it is no JSON object", hint=HINT)
    if "nose" in data:
        _check_version(data.get("version", VERSION))
    elif nose is None:
        raise FrameError("it does not tell its nose", hint="the first frame must have `nose`")
    else:
        data = {**data, "nose": nose}
    made = codec_of(SmellFrame).read(data, "")
    assert isinstance(made, SmellFrame)  # noqa: S101  as the codec says
    return made


def nose_to_dict(nose: Nose) -> dict[str, Json]:
    """A nose as a JSON object."""
    made: dict[str, Json] = codec_of(Nose).write(nose)
    return made


def nose_from_dict(data: Json) -> Nose:
    """The nose of a JSON object.

    Raises:
        FrameError: It is none.
    """
    made = codec_of(Nose).read(data, "nose")
    assert isinstance(made, Nose)  # noqa: S101  as the codec says
    return made


def dumps(data: Json) -> str:
    """One line of JSON, the same bytes for the same object."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Json:
    """JSON of anybody.

    Raises:
        FrameError: It is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise FrameError(f"it is no JSON: {err}", hint=HINT) from err


def json_schema() -> str:
    """The JSON Schema of a frame, formatted as it is checked in."""
    parts = {c.__name__: codec_of(c).schema for c in records(SmellFrame)}
    root = dict(parts.pop("SmellFrame"))
    root["properties"] = {
        "version": {"type": "string", "pattern": rf"^{VERSION.split('.')[0]}\.[0-9]+$"},
        **root["properties"],
    }
    root["required"] = ["version", *root["required"]]
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"SmellFrame {VERSION}",
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": parts,
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _check_version(version: Json) -> None:
    major = str(version).partition(".")[0]
    if not isinstance(version, str) or major != VERSION.partition(".")[0]:
        raise FrameError(
            f"it is of version {version!r}, and {VERSION} is read",
            hint="a newer Thymos reads it: pip install --upgrade thymos",
        )


# -- JSON Lines


def write_lines(path: Path | str, frames: Iterable[SmellFrame]) -> int:
    """Write frames to a file, one a line; returns how many.

    A frame without `nose` has that of the line before. The file appears when it is whole.

    Raises:
        FrameError: The file cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    count, nose = 0, None
    try:
        with part.open("wb") as file:
            for frame in frames:
                known = nose is not None and (frame.nose is nose or frame.nose == nose)
                line = dumps(to_dict(frame, nose=not known))
                file.write(line.encode("utf-8", "backslashreplace") + b"\n")
                nose, count = frame.nose, count + 1
        part.replace(path)
    except OSError as err:
        part.unlink(missing_ok=True)
        raise FrameError(
            f"cannot write '{path}': {err.strerror or err}", hint="choose another folder"
        ) from err
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return count


def read_lines(path: Path | str) -> Iterator[SmellFrame]:
    """The frames of a file, one after the other; a few KB are held, however long it is.

    Raises:
        MediaError: The file is missing, empty or cannot be read.
        FrameError: A line is no frame; those before it were given.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror or err}") from err
    nose: Nose | None = None
    number = 0
    with file:
        while line := file.readline(MAX_LINE):
            number += 1
            if not line.strip():
                continue
            try:
                frame = from_dict(loads(line), nose)
            except FrameError as err:
                cut = " (the file was cut off there)" if not line.endswith(b"\n") else ""
                raise FrameError(f"'{path}', line {number}{cut}: {err}", hint=err.hint) from err
            nose = frame.nose
            yield frame
    if not number:
        raise MediaError(f"'{path}' is empty (0 bytes)", hint="record or copy it again")


if __name__ == "__main__":
    print(json_schema(), end="")
