"""Golden files: windows kept from a good run, and what differs from them in a later one.

A golden file is the `windows.jsonl` of a run, nothing else. Comparing is strict where the street is
exact (times, counts, names, texts) and tolerant where another processor may round otherwise
(measures, confidences), see `Tolerance`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thymos.contract import SCHEMA_VERSION, WindowReport
from thymos.errors import MediaError, RecordingError

Json = dict[str, Any]

MAX_LINES = 40
"""A verdict shows so many lines and counts the rest."""
MAX_VALUE = 88

MEASURE = 1e-3
"""Default tolerance of a measure, in its unit and as a share of it."""
CONFIDENCE = 0.02
"""Default tolerance of confidences and probabilities."""

_TEXTS = frozenset(
    {"text", "rationale", "why", "reason", "abstain_reason", "fallback", "note", "notes", "asked"}
)
_SHARES = frozenset(
    {"confidence", "score", "degree", "valence", "arousal", "emotion", "unimodal", "value",
     "modality_weights"}
)  # fmt: skip
_EXACT = frozenset({"age_ms"})
_KEYS = ("id", "label", "intent", "stream")
_DECIMAL = re.compile(r"[-+−]?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be off. Whole numbers (times, counts) and names always are exact.

    A measure may be off by `absolute` or by `relative` times what is expected, whichever is more.
    Decimals inside a text may differ likewise, or by one in their last digit; its words are exact.

    Attributes:
        absolute: Of a measure, in its unit.
        relative: Of a measure, as a share of the expected value.
        confidence: Of what lies between −1 and 1: confidences, probabilities, valence, arousal.
        texts: False leaves texts out (`--ignore-text`), prompts and notes too; transcripts stay.
    """

    absolute: float = MEASURE
    relative: float = MEASURE
    confidence: float = CONFIDENCE
    texts: bool = True

    @staticmethod
    def none() -> Tolerance:
        """Everything equal to the last digit."""
        return Tolerance(0.0, 0.0, 0.0)

    @property
    def exact(self) -> bool:
        """Whether no number may differ."""
        return self.absolute == self.relative == self.confidence == 0.0

    def near(self, expected: float, got: float, *, share: bool) -> bool:
        """Whether a number is near enough; `share` if it lies between −1 and 1 by its meaning."""
        allowed = self.confidence if share else max(self.absolute, self.relative * abs(expected))
        return abs(expected - got) <= allowed + 1e-12 * (not self.exact)

    def alike(self, expected: str, got: str) -> bool:
        """Whether two texts have the same words, and decimals near enough."""
        if expected == got:
            return True
        if self.exact or _DECIMAL.split(expected) != _DECIMAL.split(got):
            return False
        pairs = zip(_DECIMAL.findall(expected), _DECIMAL.findall(got), strict=True)
        return all(self._digits_near(a, b) for a, b in pairs)

    def _digits_near(self, expected: str, got: str) -> bool:
        a, b = (float(s.replace("−", "-")) for s in (expected, got))
        last = 10.0 ** -len(expected.partition(".")[2])
        return abs(a - b) <= 1.001 * last or self.near(a, b, share=max(abs(a), abs(b)) <= 1.0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it should be.

    Attributes:
        window: Its window.
        path: Where in the window: `cues[w000001-face1].confidence`.
        expected: As text.
        got: As text.
    """

    window: str
    path: str
    expected: str
    got: str


@dataclass(slots=True)
class Comparison:
    """What a comparison found.

    Attributes:
        windows: How many windows are expected.
        differences: Values that differ, in order.
        missing: Ids of windows that did not come.
        extra: Ids of windows that are not expected.
        remarks: What explains much at once, in words.
    """

    windows: int
    differences: list[Difference] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether everything is as expected."""
        return not (self.differences or self.missing or self.extra)

    def summary(self) -> str:
        """One line."""
        if self.same:
            return f"{self.windows} windows, all as expected"
        windows = len({d.window for d in self.differences})
        parts = []
        if self.differences:
            count = _count(len(self.differences), "difference")
            parts.append(f"{count} in {windows} of {_count(self.windows, 'window')}")
        if self.missing:
            parts.append(f"missing: {_few(self.missing)}")
        if self.extra:
            parts.append(f"not expected: {_few(self.extra)}")
        return "; ".join(parts)

    def lines(self, limit: int = MAX_LINES) -> Iterator[tuple[str, str]]:
        """The differences for people, grouped by window, at most `limit` lines.

        Yields:
            Kind (`window`, `path`, `expected`, `got`, `more` or `remark`) and text of a line.
        """
        for text in self.remarks:
            yield "remark", text
        window, told, used = "", 0, 0
        for diff in self.differences:
            head = diff.window != window
            if used + 3 + head > limit and told:
                break
            if head:
                yield "window", diff.window
                window = diff.window
            yield "path", f"  {diff.path}"
            yield "expected", f"    expected  {diff.expected}"
            yield "got", f"    got       {diff.got}"
            told, used = told + 1, used + 3 + head
        if told < len(self.differences):
            yield "more", f"and {len(self.differences) - told} more"

    def text(self, limit: int = MAX_LINES) -> str:
        """Summary and differences as plain text."""
        return "\n".join([self.summary(), *(text for _, text in self.lines(limit))])


def compare(
    expected: Sequence[Json], got: Sequence[Json], tolerance: Tolerance | None = None
) -> Comparison:
    """Compare windows, matched by their ids; `latency_ms` never counts.

    Args:
        expected: Of `read_golden`.
        got: Of this run, see `as_json`.
        tolerance: How far numbers may be off.
    """
    tolerance = tolerance or Tolerance()
    wanted = {_id(w): w for w in expected}
    found = {_id(w): w for w in got}
    made = Comparison(
        len(expected),
        missing=[name for name in wanted if name not in found],
        extra=[name for name in found if name not in wanted],
    )
    for name, window in wanted.items():
        if name in found:
            for path, a, b in _differ("", window, found[name], tolerance):
                made.differences.append(Difference(name, path, *_shown(a, b)))
    made.remarks += _backends(wanted, found)
    return made


def as_json(report: WindowReport) -> Json:
    """A report as it stands in `windows.jsonl`."""
    made: Json = json.loads(report.line())
    return made


def read_golden(path: Path) -> list[Json]:
    """Read a golden file (a `windows.jsonl`).

    Raises:
        MediaError: It is missing, not a golden file, or of another version of the contract.
    """
    anew = "write it anew: thymos replay BAG --expect GOLDEN --update"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as err:
        raise MediaError(f"there is no golden file '{path}'", hint=anew) from err
    except (OSError, UnicodeDecodeError) as err:
        raise MediaError(f"cannot read the golden file '{path}': {err}", hint=anew) from err
    windows: list[Json] = []
    for number, line in enumerate(lines, start=1):
        try:
            window = json.loads(line)
            version, _, _ = window["schema_version"], _id(window), _reasoner(window)
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise MediaError(f"line {number} of '{path}' is no window", hint=anew) from err
        if version != SCHEMA_VERSION:
            raise MediaError(
                f"'{path}' follows contract {version}, this Thymos writes {SCHEMA_VERSION}",
                hint=anew,
            )
        windows.append(window)
    if not windows:
        raise MediaError(f"the golden file '{path}' is empty", hint=anew)
    return windows


def write_golden(path: Path, reports: Iterable[WindowReport]) -> None:
    """Write a golden file, whole or not at all.

    Raises:
        RecordingError: There is no window, or the folder cannot be written.
    """
    lines = [report.line() for report in reports]
    if not lines:
        raise RecordingError(
            "the run gave no window, so there is nothing to expect",
            hint="the recording must be longer than half a second",
        )
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.writelines(lines)
        part.chmod(0o644)
        part.replace(path)
    except OSError as err:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()
        raise RecordingError(
            f"cannot write the golden file '{path}': {err.strerror or err}",
            hint="give a file in a folder that you may write to",
        ) from err


# -- walking through two windows

Found = Iterator[tuple[str, Any, Any]]


class _Nothing:
    """Stands where one side has no value."""


_NOTHING = _Nothing()


def _differ(path: str, a: Any, b: Any, allowed: Tolerance) -> Found:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            if path or key != "latency_ms":
                where = f"{path}.{key}" if path else key
                if allowed.texts or key not in _TEXTS:
                    yield from _differ(where, a.get(key, _NOTHING), b.get(key, _NOTHING), allowed)
    elif isinstance(a, list) and isinstance(b, list):
        yield from _lists(path, a, b, allowed)
    elif not _equal(path, a, b, allowed):
        yield path, a, b


def _lists(path: str, a: list[Any], b: list[Any], allowed: Tolerance) -> Found:
    """Items with a name are matched by it, so that one more shows as one more."""
    key = _key_of(a, b)
    if key is None:
        for n in range(max(len(a), len(b))):
            one, other = (x[n] if n < len(x) else _NOTHING for x in (a, b))
            yield from _differ(f"{path}[{n}]", one, other, allowed)
        return
    ours, theirs = ({str(item[key]): item for item in x} for x in (a, b))
    both = [name for name in ours if name in theirs]
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(name, _NOTHING), theirs.get(name, _NOTHING)
        yield from _differ(f"{path}[{name}]", one, other, allowed)
    if both != [name for name in theirs if name in ours]:
        yield f"{path} (order)", ", ".join(ours), ", ".join(theirs)


def _key_of(*lists: list[Any]) -> str | None:
    """What names the items of all lists, each once."""
    for key in _KEYS:
        named = all(isinstance(i, dict) and isinstance(i.get(key), str) for x in lists for i in x)
        if named and any(lists) and all(len({i[key] for i in x}) == len(x) for x in lists):
            return key
    return None


def _equal(path: str, a: Any, b: Any, allowed: Tolerance) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return allowed.alike(a, b) if _names(path) & _TEXTS else a == b
    if isinstance(a, float) and isinstance(b, float):
        names = _names(path)
        if names & _EXACT:
            return a == b
        # The value of a cue is a measure, unless it holds probabilities by label.
        share = bool(names & (_SHARES - {"value"})) or ".value." in path
        return allowed.near(a, b, share=share)
    return type(a) is type(b) and bool(a == b)


def _names(path: str) -> set[str]:
    return set(re.sub(r"\[[^\]]*\]", "", path).split("."))


def _id(window: Mapping[str, Any]) -> str:
    return str(window["window"]["id"])


def _reasoner(window: Mapping[str, Any]) -> str:
    told = window["explanation"]
    return f"{told['backend']} ({told['model']})"


def _backends(wanted: Mapping[str, Json], found: Mapping[str, Json]) -> Iterator[str]:
    """Another backend explains most of what differs: say it first."""
    for name in wanted:
        if name in found:
            was, now = _reasoner(wanted[name]), _reasoner(found[name])
            if was != now:
                said = found[name]["explanation"].get("fallback")
                why = f": {_printable(str(said))}" if said else ""
                yield f"the golden file was reasoned by {was}, this run by {now}{why}"
                return


# -- for people


def _shown(a: Any, b: Any) -> tuple[str, str]:
    """Two values as text; of long ones the part where they begin to differ."""
    if isinstance(a, str) and isinstance(b, str):
        at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        cut = max(0, at - MAX_VALUE // 3) if max(len(a), len(b)) > MAX_VALUE else 0
        lead = "…" if cut else ""
        one, other = (lead + x[cut : cut + MAX_VALUE] for x in (a, b))
        return (
            f'"{_printable(one)}{"…" if len(a) > cut + MAX_VALUE else ""}"',
            f'"{_printable(other)}{"…" if len(b) > cut + MAX_VALUE else ""}"',
        )
    if isinstance(a, float) and isinstance(b, float):
        return repr(a), f"{b!r}  (off by {abs(a - b):.3g})"
    return _value(a), _value(b)


def _value(value: Any) -> str:
    if isinstance(value, _Nothing):
        return "nothing"
    text = _printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def _printable(text: str) -> str:
    """Text of people and devices may hold what steers a terminal; none of it gets there."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(_printable(name) for name in names[:6]) + more


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
