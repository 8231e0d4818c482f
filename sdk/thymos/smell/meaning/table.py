"""The odour table: what a label of a nose means for a person.

`table.yaml` is the source; every figure in it names where it comes from, and what nobody rated is
not rated. Chemosensing (`odorants`: what is in the air) and percept (`says`, `pleasant`: what a
person would call it and how they would like it) are kept apart (France et al., arXiv 2506.00398).
"""

from __future__ import annotations

import difflib
import functools
import unicodedata
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thymos.errors import ConfigError

Danger = Literal["smoke", "gas_leak", "spoiled_food", "solvent", "none", "unknown"]
DANGERS: tuple[Danger, ...] = ("smoke", "gas_leak", "solvent", "spoiled_food")
"""The classes that are dangers, worst first."""

CLEAN_AIR = "clean air"
"""Family of what is no smell."""
NEAR = 5
"""So many near matches are told of a label that is not in the table."""
MAX_LABEL = 80
"""Labels come from files and people; a longer one is none of ours."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pleasant(_Row):
    """How people rated a smell.

    Attributes:
        mean: −1 (unpleasant) … 1 (pleasant).
        spread: Standard deviation over ratings, same scale; None if the source gives none.
        source: Key of `Table.sources`.
        of: What people were given to smell.
    """

    mean: float = Field(ge=-1.0, le=1.0)
    spread: float | None = Field(default=None, gt=0.0, le=1.0)
    source: str
    of: str = Field(min_length=1)


class Fact(_Row):
    """A figure of chemistry or health, with its source."""

    text: str
    source: str


class Meaning(_Row):
    """What a smell means.

    Attributes:
        name: Label it is known by; empty if it is not in the table.
        also: Other labels.
        says: What a person would call it, in our words: these may be spoken and shown.
        family: Kind of smell.
        danger: Class of danger; `unknown` if it is not in the table.
        odorants: Substances that may be in the air.
        pleasant: How people rated it; None = not rated.
        tell: What to tell a person, where the class does not say it well.
        facts: Figures.
    """

    name: str
    also: tuple[str, ...] = ()
    says: str
    family: str
    danger: Danger
    odorants: tuple[str, ...] = ()
    pleasant: Pleasant | None = None
    tell: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the label is in the table."""
        return bool(self.name)

    @property
    def dangerous(self) -> bool:
        """Whether it is of a class of danger."""
        return self.danger not in ("none", "unknown")


class DangerRow(_Row):
    """A class of danger: whether seconds count, its name in words, sources."""

    urgent: bool
    says: str
    sources: tuple[str, ...] = Field(min_length=1)


class Table(_Row):
    """`table.yaml`, checked: labels are unique and every reference holds."""

    sources: dict[str, str]
    families: tuple[str, ...]
    dangers: dict[Danger, DangerRow]
    odours: tuple[Meaning, ...]

    @model_validator(mode="after")
    def _holds(self) -> Table:
        if set(self.dangers) != set(DANGERS):
            raise ValueError(f"dangers must be {', '.join(DANGERS)}")
        seen: set[str] = set()
        for row in self.odours:
            for label in (row.name, *row.also):
                if not (plain := normalised(label)) or plain in seen:
                    raise ValueError(f"label {label!r} is empty or stands twice")
                seen.add(plain)
            if row.family not in self.families or row.danger == "unknown":
                raise ValueError(f"{row.name}: unknown family or danger")
            if any(source not in self.sources for source in self._cited(row)):
                raise ValueError(f"{row.name}: cites a source that is not listed")
        return self

    @staticmethod
    def _cited(row: Meaning) -> list[str]:
        rated = [row.pleasant.source] if row.pleasant else []
        return rated + [fact.source for fact in row.facts]


UNKNOWN = Meaning(name="", says="a smell", family="unknown", danger="unknown")
"""The meaning of a label that is not in the table: nothing is known of it."""


def checked(data: Any) -> Table:
    """Check a table.

    Raises:
        ConfigError: It breaks the rules above.
    """
    try:
        return Table.model_validate(data)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the table"
        raise ConfigError(
            f"odour table: {where}: {first['msg']}", hint="see docs/smell-meaning.md"
        ) from err


@functools.cache
def table() -> Table:
    """Read the table of the package, once."""
    text = (files("thymos.smell.meaning") / "table.yaml").read_text(encoding="utf-8")
    return checked(yaml.safe_load(text))


@functools.cache
def _index() -> dict[str, Meaning]:
    return {normalised(label): row for row in table().odours for label in (row.name, *row.also)}


def normalised(label: str) -> str:
    """A label as it is compared: NFKC, no case, `_` and `-` are spaces."""
    plain = unicodedata.normalize("NFKC", label[: 4 * MAX_LABEL]).casefold()
    return " ".join(plain.replace("_", " ").replace("-", " ").split())[:MAX_LABEL]


@functools.lru_cache(maxsize=512)
def meaning_of(label: str) -> Meaning:
    """What a label means; `UNKNOWN` for one that is not in the table.

    Args:
        label: Of a recogniser, a file or a person: untrusted. It is only compared, as a whole.
    """
    return _index().get(normalised(label), UNKNOWN)


def row_of(label: str) -> Meaning:
    """The row or class of danger that a person names as the meaning of a smell.

    Args:
        label: Name of a row, one of its other labels, or a class of danger, in any case.

    Raises:
        ConfigError: It is not in the table, or is clean air; near matches are told.
    """
    found = meaning_of(label)
    if not found.known:
        near = difflib.get_close_matches(normalised(label), _index(), n=NEAR)
        asked = "".join(c if c.isprintable() else "?" for c in label.strip()[:40])
        names = dict.fromkeys(meaning_of(one).name for one in near or DANGERS)
        raise ConfigError(
            f"'{asked}' is not in the odour table",
            hint=f"{'near' if near else 'dangers'}: {', '.join(names)}; "
            "all of them: docs/smell-meaning.md",
        )
    if found.family == CLEAN_AIR:
        raise ConfigError("clean air is not the meaning of a smell", hint="choose another")
    return found
