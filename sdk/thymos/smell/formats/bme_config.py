"""Settings of Bosch BME boards, `.bmeconfig`, and names of labels, `.bmelabelinfo` (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thymos.smell.formats.base import FormatError
from thymos.smell.formats.opening import Head, look

MAX_BYTES = 1 << 22
_MS = 1_000_000
_HINT = "export it again from BME AI-Studio"
MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class HeaterProfile:
    """A temperature programme.

    Attributes:
        name: `heater_354`.
        steps: Set point [degC] and how long it is held [ns], for each step.
    """

    name: str
    steps: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class BoardConfig:
    """What a board was told to do.

    Attributes:
        board: `board_8`, `board_690` …
        profiles: Heater profiles.
        duty: Duty cycle → (scanning, sleeping cycles).
        sensors: Sensor index → (heater profile, duty cycle).
        warnings: What is odd about it.
    """

    board: str
    profiles: tuple[HeaterProfile, ...]
    duty: Mapping[str, tuple[int, int]]
    sensors: Mapping[int, tuple[str, str]]
    warnings: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """Of the sensors: data and models of BME688 and BME690 are not interchangeable."""
        return "BME690" if "690" in self.board else "BME688"

    def profile_of(self, sensor: int) -> HeaterProfile:
        """The programme of a sensor; an empty one if nothing is known."""
        name = self.sensors.get(sensor, ("", ""))[0]
        return next((p for p in self.profiles if p.name == name), HeaterProfile(name, ()))


def parse_config(data: Mapping[str, Any]) -> BoardConfig:
    """The configuration in a `.bmeconfig` or at the head of a `.bmerawdata`.

    Raises:
        ValueError: It is none; the reason in words.
    """
    try:
        body, header = data["configBody"], data.get("configHeader", {})
        profiles = tuple(_profile(p) for p in body["heaterProfiles"])
        duty = {
            str(d["id"]): (int(d["numberScanningCycles"]), int(d["numberSleepingCycles"]))
            for d in body.get("dutyCycleProfiles", [])
        }
        rows = body["sensorConfigurations"]
        sensors = {
            int(s["sensorIndex"]): (str(s["heaterProfile"]), str(s.get("dutyCycleProfile", "")))
            for s in rows
        }
        board = str(header.get("boardType", ""))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as err:
        raise ValueError(f"the board configuration lacks {err}") from err
    known = {p.name for p in profiles}
    warnings = []
    if len(sensors) < len(rows):
        warnings.append("a sensor is configured twice: one configuration a file is allowed")
    lacking = sorted({name for name, _ in sensors.values()} - known)
    warnings += [f"heater profile '{name}' is not in the configuration" for name in lacking]
    return BoardConfig(board, profiles, duty, sensors, tuple(warnings))


def _profile(data: Mapping[str, Any]) -> HeaterProfile:
    base_ms = float(data["timeBase"])
    vectors = data["temperatureTimeVectors"]
    if len(vectors) > MOST_STEPS:
        raise ValueError(f"a profile of {len(vectors)} steps")
    steps = tuple((float(c), round(float(ticks) * base_ms * _MS)) for c, ticks in vectors)
    return HeaterProfile(str(data["id"]), steps)


def read_config(path: Path) -> BoardConfig:
    """Read a `.bmeconfig`.

    Raises:
        FormatError: It is damaged.
    """
    try:
        return parse_config(read_json(path)[0])
    except ValueError as err:
        raise FormatError(path, f"is no board configuration: {err}", hint=_HINT) from err


def parse_labels(data: Mapping[str, Any]) -> tuple[dict[int, str], list[str]]:
    """Names by tag (the last one counts), and what is odd about them.

    Raises:
        ValueError: It is no label file.
    """
    names: dict[int, str] = {}
    warnings = []
    try:
        for row in data["labelInformation"]:
            tag, name = int(row["labelTag"]), str(row["labelName"])[:120]
            if tag in names:
                warnings.append(f"label {tag} has two names: '{names[tag]}' and '{name}'")
            names[tag] = name
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        raise ValueError(f"the label file lacks {err}") from err
    return names, warnings


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """A small JSON object, and its text as it is in the file.

    Raises:
        FormatError: It is damaged, too large, or no object.
        MediaError: It is missing or empty.
    """
    look(path)
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(path, f"is larger than {MAX_BYTES >> 20} MB", hint=_HINT)
    try:
        text = path.read_bytes().decode("utf-8")
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as err:
        line = getattr(err, "lineno", 0)
        raise FormatError(path, f"no JSON: {err}", hint=_HINT, line=line) from err
    if not isinstance(data, dict):
        raise FormatError(path, "is JSON of another kind", hint=_HINT)
    return data, text


@dataclass(frozen=True, slots=True)
class JsonStyle:
    """How a JSON file is laid out.

    Attributes:
        indent: A blank or tab for each level; None for one line.
        newline: End of a line.
        last: What stands behind the last bracket.
        bom: Whether it begins with a byte order mark.
    """

    indent: int | str | None = 2
    newline: str = "\n"
    last: str = ""
    bom: bool = False

    def text(self, data: Mapping[str, Any]) -> str:
        """The data in this layout."""
        made = json.dumps(data, indent=self.indent, ensure_ascii=False)
        return ("\ufeff" if self.bom else "") + made.replace("\n", self.newline) + self.last


def style_of_json(data: Mapping[str, Any], text: str) -> JsonStyle | None:
    """The layout in which the data is written as the text; None if there is none."""
    last = text[len(text.rstrip()) :]
    styles = (
        JsonStyle(indent, newline, last, text.startswith("\ufeff"))
        for indent in (2, "\t", 4, None)
        for newline in ("\n", "\r\n")
    )
    return next((style for style in styles if style.text(data) == text), None)


@dataclass(slots=True)
class Settings:
    """A settings file.

    Attributes:
        format: Name in `FORMATS`.
        data: The JSON; what is changed in it is written.
        style: Its layout; None if it is of a kind that is not made here, and copied.
        original: Its text, for the latter.
        path: Where it was read.
        warnings: What is odd about it.
    """

    format: str
    data: dict[str, Any]
    style: JsonStyle | None
    original: str
    path: Path | None
    warnings: list[str]

    def frames(self) -> Iterator[Any]:
        """There are none.

        Raises:
            FormatError: Always.
        """
        name = self.path or Path("-")
        raise FormatError(name, "holds settings and no readings", hint="give the log beside it")

    def texts(self) -> Iterator[str]:
        """The whole file, in the layout that it had; equal as long as nothing was changed."""
        if self.style is None and json.loads(self.original.removeprefix("\ufeff")) == self.data:
            yield self.original
        else:
            yield (self.style or JsonStyle()).text(self.data)


class _SettingsFormat:
    name = ""
    title = ""
    suffixes: tuple[str, ...] = ()
    holds = "settings"
    _key = ""

    def sniff(self, head: Head) -> bool:
        """JSON with the key that such files have, and no readings."""
        text = head.text.lstrip()
        named = head.path.name.lower().endswith(self.suffixes)
        return text.startswith("{") and (named or (self._key in text and '"dataBlock"' not in text))

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> Settings:
        """Read a whole file; see `Format.read`."""
        data, text = read_json(path)
        try:
            warnings = self._check(data)
        except ValueError as err:
            raise FormatError(path, f"is damaged: {err}", hint=_HINT) from err
        return Settings(self.name, data, style_of_json(data, text), text, path, warnings)

    def from_frames(self, frames: object) -> Settings:
        """Readings are no settings."""
        raise FormatError(Path("-"), f"cannot be {self.title}: readings are no settings", hint="")

    def _check(self, data: Mapping[str, Any]) -> list[str]:
        raise NotImplementedError


class BmeConfig(_SettingsFormat):
    """What a board is to do."""

    name = "bmeconfig"
    title = "BME board configuration"
    suffixes = (".bmeconfig",)
    _key = '"configBody"'

    def _check(self, data: Mapping[str, Any]) -> list[str]:
        return list(parse_config(data).warnings)


class BmeLabels(_SettingsFormat):
    """Names of the label tags of a log."""

    name = "bmelabelinfo"
    title = "BME label names"
    suffixes = (".bmelabelinfo",)
    _key = '"labelInformation"'

    def _check(self, data: Mapping[str, Any]) -> list[str]:
        return parse_labels(data)[1]
