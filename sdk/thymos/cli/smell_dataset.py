"""`thymos smell dataset`: files of noses to a folder that others can learn from."""

from __future__ import annotations

import hashlib
import json as jsonlib
from collections import Counter
from dataclasses import MISSING, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr
from thymos.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from thymos.smell.dataset import Card

SALVAGE = "Leave damaged rows out, and count them."


def dataset(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Files of noses, or folders.")
    ],
    out: Annotated[Path, typer.Option(help="New folder.")],
    card: Annotated[
        Path,
        typer.Option(help="YAML: title, licence, source, sensors, protocol, leaks, citation."),
    ],
    test: Annotated[
        list[str] | None,
        typer.Option(help="Sessions of the split 'test', as a pattern: 'mint_*'; may be repeated."),
    ] = None,
    share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Without --test: share of sessions in 'test'."),
    ] = 0.2,
    salvage: Annotated[bool, typer.Option("--salvage", help=SALVAGE)] = False,
    json: JsonOption = False,
) -> None:
    """Make a dataset of smell frames: Parquet files, sessions, and a card (docs/smellframe.md).

    A reading's session is what its file tells, else the file. Sessions are never divided: those of
    the split 'test' are chosen by --test, else by a hash of their name, the same in every run.
    """
    from thymos.smell.dataset import DatasetWriter
    from thymos.smell.formats import FeatureTable
    from thymos.smell.formats.convert import files_in, open_source

    told = read_card(card)
    count: Counter[str] = Counter()
    with DatasetWriter(out, told) as writer:
        for file in (found for path in files for found in files_in(path)):
            source = open_source(file, strict=not salvage)
            if isinstance(source.recording, FeatureTable):
                raise MediaError(
                    f"'{file}' holds features of exposures, no readings",
                    hint="learn from it as it is: thymos eval enose",
                )
            for frame in source.frames():
                session = frame.session or file.name
                split = split_of(session, tuple(test or ()), share)
                writer.add(replace(frame, session=session), split)
                count[split] += 1
    if test and not count["test"]:
        stderr.print(f"note: no session is called {' or '.join(test)}", markup=False)
    if json:
        found = {"folder": str(out), "frames": dict(count), "sessions": writer.sessions}
        typer.echo(jsonlib.dumps(found, indent=2, sort_keys=True, ensure_ascii=False))
        return
    for split, sessions in writer.sessions.items():
        typer.echo(f"{split}: {sessions} sessions, {count[split]} frames")
    typer.echo(f"written: {out}")


def split_of(session: str, patterns: tuple[str, ...], share: float) -> str:
    """`train` or `test`, the same for the same session in every run."""
    if patterns:
        return "test" if any(fnmatch(session, pattern) for pattern in patterns) else "train"
    digest = hashlib.sha256(session.encode("utf-8", "replace")).digest()
    return "test" if int.from_bytes(digest[:8], "big") < share * 2**64 else "train"


def read_card(path: Path) -> Card:
    """The card of a YAML file.

    Raises:
        ConfigError: It cannot be read, lacks something, or has a key nobody knows.
    """
    from thymos.smell.dataset import CLIMATE_LEAK, Card

    known = {field.name: field for field in fields(Card)}
    needed = [name for name, field in known.items() if field.default is MISSING]
    hint = f"it needs: {', '.join(needed)}; it may have: leaks (a list), citation"
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        reason = getattr(err, "strerror", None) or str(err).split("\n", 1)[0]
        raise ConfigError(f"cannot read the card '{path}': {reason}", hint=hint) from err
    told = data if isinstance(data, dict) else {}
    if "license" in told:  # as the head of a written card spells it
        told.setdefault("licence", told.pop("license"))
    odd = [str(name) for name in told if name not in known]
    lacking = [name for name in needed if not str(told.get(name) or "").strip()]
    leaks = told.pop("leaks", None) or []
    if odd or lacking or not isinstance(leaks, list):
        what = f"does not know '{odd[0]}'" if odd else f"lacks '{(lacking or ['leaks'])[0]}'"
        raise ConfigError(f"the card '{path}' {what}", hint=hint)
    more = tuple(str(leak) for leak in leaks if str(leak) != CLIMATE_LEAK)
    return Card(leaks=(CLIMATE_LEAK, *more), **{name: str(text) for name, text in told.items()})
