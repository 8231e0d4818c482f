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
from thymos.smell.codec import HINT, Json, codec_of, records, write_record
from thymos.smell.frame import VERSION, Nose, SmellFrame

SUFFIX = ".smell.jsonl"
MAX_LINE = 16 * 2**20
MAX_NOSES = 100_000


def to_dict(frame: SmellFrame, *, nose: bool = True) -> dict[str, Json]:
    """A frame as a JSON object.

    Args:
        frame: To be written.
        nose: With what does not change from reading to reading (and the version).
    """
    if not nose:
        return write_record(frame, skip="nose")
    return {"version": VERSION, **write_record(frame)}


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
        check_version(data.get("version", VERSION))
    elif nose is None:
        raise FrameError("it does not tell its nose", hint="the first frame must have `nose`")
    else:
        data = {**data, "nose": nose}
    made = codec_of(SmellFrame).read(data, "")
    assert isinstance(made, SmellFrame)  # noqa: S101  as the codec says
    return made


def nose_to_dict(nose: Nose) -> dict[str, Json]:
    """A nose as a JSON object."""
    return write_record(nose)


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
    reading = dict(parts.pop("SmellFrame"))
    reading["properties"] = dict(reading["properties"])
    nose = reading["properties"].pop("nose")
    reading |= {"title": "Reading", "required": [n for n in reading["required"] if n != "nose"]}
    version = {"type": "string", "pattern": rf"^{VERSION.split('.')[0]}\.[0-9]+$"}
    number = {
        "description": "Of a nose described on an earlier line, counted from 0.",
        "type": "integer",
        "minimum": 0,
    }
    line = {
        "title": "Line",
        "description": "A line of a .smell.jsonl file; without `nose`: that of the line before.",
        "allOf": [{"$ref": "#/$defs/Reading"}],
        "properties": {"version": version, "nose": {"anyOf": [nose, number]}},
    }
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"SmellFrame {VERSION}",
        "description": reading["description"],
        "allOf": [{"$ref": "#/$defs/Reading"}],
        "properties": {"version": version, "nose": nose},
        "required": ["version", "nose"],
        "$defs": {"Reading": reading, "Line": line, **parts},
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def check_version(version: Json) -> None:
    """Refuse what this version would misread.

    Raises:
        FrameError: The major version is another one.
    """
    major = str(version).partition(".")[0]
    if not isinstance(version, str) or major != VERSION.partition(".")[0]:
        raise FrameError(
            f"it is of version {version!r}, and {VERSION} is read",
            hint="a newer Thymos reads it: pip install --upgrade thymos",
        )


# -- JSON Lines


class _Noses:
    """The noses of one file, by their number in it."""

    def __init__(self) -> None:
        self._known: list[Nose] = []
        self._by_id: dict[int, int] = {}  # of those known, which are kept
        self._by_text: dict[str, int] = {}
        self._last = -1

    def number(self, nose: Nose) -> int | None:
        """None: it is that of the line before; a new one gets the next number."""
        found = self._by_id.get(id(nose))
        if found is None:
            found = self._by_text.get(dumps(nose_to_dict(nose)), len(self._known))
        if found == self._last:
            return None
        if found == len(self._known):
            self.add(nose)
            self._by_id[id(nose)] = found
            self._by_text[dumps(nose_to_dict(nose))] = found
        self._last = found
        return found

    def add(self, nose: Nose) -> None:
        """One that is described for the first time."""
        if len(self._known) >= MAX_NOSES:
            raise FrameError(f"more than {MAX_NOSES} noses in one file", hint="split it")
        self._known.append(nose)
        self._last = len(self._known) - 1

    def of(self, data: dict[str, Json]) -> Nose | None:
        """The nose of a line that does not describe it; None if there is none yet."""
        number = data.get("nose", self._last)
        if isinstance(number, bool) or not isinstance(number, int):
            raise FrameError(f"nose: {number!r} is no nose and no number", hint=HINT)
        if number == -1 and "nose" not in data:
            return None
        if not 0 <= number < len(self._known):
            raise FrameError(
                f"it is of nose {number}, and {len(self._known)} are described", hint=HINT
            )
        self._last = number
        return self._known[number]


def write_lines(path: Path | str, frames: Iterable[SmellFrame]) -> int:
    """Write frames to a file, one a line, in their order; returns how many.

    A nose is described where it first occurs. Where it comes again, `nose` is its number among the
    noses of the file, from 0; a frame without `nose` has that of the line before. The file appears
    when it is whole.

    Raises:
        FrameError: The file cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    count, noses = 0, _Noses()
    described = 0
    try:
        with part.open("wb") as file:
            for frame in frames:
                number = noses.number(frame.nose)
                made = to_dict(frame, nose=number == described)
                if number == described:
                    described += 1
                elif number is not None:
                    made = {"nose": number, **made}
                file.write(dumps(made).encode("utf-8", "backslashreplace") + b"\n")
                count += 1
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
    noses = _Noses()
    number = 0
    with file:
        while line := file.readline(MAX_LINE):
            number += 1
            if not line.strip():
                continue
            try:
                frame = _frame_of_line(loads(line), noses)
            except FrameError as err:
                cut = " (the file was cut off there)" if not line.endswith(b"\n") else ""
                raise FrameError(f"'{path}', line {number}{cut}: {err}", hint=err.hint) from err
            yield frame
    if not number:
        raise MediaError(f"'{path}' is empty (0 bytes)", hint="record or copy it again")


def _frame_of_line(data: Json, noses: _Noses) -> SmellFrame:
    if not isinstance(data, dict) or isinstance(data.get("nose"), dict):
        frame = from_dict(data)
        noses.add(frame.nose)
        return frame
    nose = noses.of(data)
    return from_dict({key: value for key, value in data.items() if key != "nose"}, nose)


if __name__ == "__main__":
    print(json_schema(), end="")
