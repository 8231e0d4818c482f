"""Numbers as texts, and back to the very same text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from decimal import Decimal

MOST_CHARS = 400
"""No number of a nose is longer; one that is was not written by a nose."""
STYLE_CELLS = 60
"""So many numbers of a column tell how the others are written; one that is not is kept as text."""
_FIXED = re.compile(r"-?\d+\.(\d+)")
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SAME_DIGITS = 12
"""Conversion of units and back keeps so many digits, more than any sensor has."""
NAN_WORDS = frozenset({"nan", "na", "n/a", "null", "none", "-nan"})
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def number(text: str) -> float:
    """The number in a cell; NaN if the cell is empty or says so.

    Raises:
        ValueError: It is none, or one that no float can hold; the reason in words.
    """
    try:
        value = float(text)
    except ValueError:
        if not text or text.lower() in NAN_WORDS:
            return math.nan
        if len(text) > 2 and text[0] == text[-1] == '"':
            return number(text[1:-1])
        comma = DECIMAL_COMMA.fullmatch(text)
        why = "has a decimal comma" if comma else "is no number"
        raise ValueError(f"'{text[:20]}' {why}") from None
    # Four tests in the order of what they cost: this is called for each cell of each row.
    if value - value == 0.0 and len(text) <= MOST_CHARS and text.isascii() and "_" not in text:
        return value
    if value != value:  # noqa: PLR0124  NaN
        return value
    if len(text) > MOST_CHARS:
        raise ValueError(f"a number of {len(text)} characters")
    if "_" in text or not text.isascii():
        raise ValueError(f"'{text[:20]}' is no number")
    raise ValueError(f"{text[:20]} is too large for a number")


def style_of(texts: Iterable[str]) -> str:
    """How most numbers of a column are written.

    Returns:
        `d` (31), `.6f` (so many digits behind the point), or `r` (the shortest text that means
        the same number, 25.5).
    """
    cells = [text for text in texts if text][:STYLE_CELLS]
    digits = Counter(len(m[1]) for text in cells if (m := _FIXED.fullmatch(text)))
    styles = ["r", "d", *(f".{n}f" for n, _ in digits.most_common(2))]
    fits = {style: sum(_again(text, style) for text in cells) for style in styles}
    return max(styles, key=lambda style: fits[style])


def _again(text: str, style: str) -> bool:
    try:
        return written(number(text), style) == text
    except ValueError:
        return False


def written(value: float, style: str) -> str:
    """A number in a style; nothing for NaN."""
    if value != value:  # noqa: PLR0124  NaN; this is called for each cell of each row
        return ""
    if style == "r":
        return repr(value)
    if style == "d":
        return str(int(value)) if value.is_integer() else repr(value)
    return f"{value:{style}}"


def scaled(value: float, factor: float) -> float:
    """A converted number without the dust of binary fractions: 0.3872 · 100 is 38.72."""
    return float(f"{value * factor:.{_SAME_DIGITS}g}")


def to_ns(text: str, unit_ns: int) -> int:
    """A time in a cell, exact, rounded to nanoseconds.

    Raises:
        ValueError: It is no time, or none within 3000 years.
    """
    if text.isdigit() and text.isascii() and len(text) < 11:
        return int(text) * unit_ns
    try:
        found = Decimal(text.strip('"')) * unit_ns
        if abs(found) < 10**20 and "_" not in text:
            return int(found.to_integral_value())
    except (ArithmeticError, ValueError):
        date = _DATE.fullmatch(text.strip('"'))
        if date is not None:
            return _date_ns(date)
    raise ValueError(f"'{text[:20]}' is no time")


def is_date(text: str) -> bool:
    """Whether a time is written as a date (ISO 8601)."""
    return _DATE.fullmatch(text.strip('"')) is not None


def _date_ns(found: re.Match[str]) -> int:
    """A date as nanoseconds since 1970; UTC where no zone stands."""
    try:
        day = datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ValueError(f"'{found[0][:20]}' is no time") from None
    past = day - _EPOCH
    zone = found[4] or "Z"
    minutes = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[-2:])
    seconds = past.days * 86400 + past.seconds - (-60 if zone[0] == "-" else 60) * minutes
    return seconds * 10**9 + int((found[3] or "").ljust(9, "0"))


def ns_written(t_ns: int, unit_ns: int, style: str) -> str:
    """The opposite of `to_ns`."""
    exact = Decimal(t_ns) / unit_ns
    if style == "d":
        return str(int(exact)) if exact == int(exact) else str(exact.normalize())
    if style == "r":
        return repr(float(exact))
    return f"{exact:{style}}"
