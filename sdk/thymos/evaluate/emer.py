"""EMER measured: the metrics' golden values, and labels read out of 332 human explanations.

The folder (`text/emer`, not part of Thymos, non-commercial) holds the open-vocabulary truth and one
system's stored answers (MER2024), the emotion wheels, and the human explanations EMER-V2. Names of
the clips are hashed into two halves: the word list of `thymos.evaluate.extract` was made looking at
half A only; half B is the score.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from thymos.errors import MediaError
from thymos.evaluate.doubly_right import doubly_right
from thymos.evaluate.extract import extract_labels, tally
from thymos.evaluate.label_sets import Lists, parse_labels, set_score
from thymos.evaluate.wheels import Level, Wheels

LEVELS: tuple[Level, ...] = ("level1", "level2")


def half_of(name: str) -> Literal["A", "B"]:
    """Return the half of a clip: A if the first byte of its name's SHA-256 is even."""
    return "B" if hashlib.sha256(name.encode()).digest()[0] % 2 else "A"


def read_column(path: Path, column: str, key: str = "name") -> dict[str, str]:
    """Read one column of a CSV by another one.

    Raises:
        MediaError: The file or the column is not there.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row[key]: row[column] for row in csv.DictReader(file)}
    except OSError as err:
        raise MediaError(
            f"cannot read '{path}': {err.strerror}",
            hint="give the folder text/emer (mer2024_ov, emotion_wheel, v2)",
        ) from err
    except (KeyError, UnicodeDecodeError, csv.Error) as err:
        raise MediaError(f"'{path}' lacks the columns {key} and {column}") from err


def measure(folder: Path, own: Path | None = None) -> dict[str, Any]:
    """Score the stored answers, the human explanations, and answers of yours.

    Args:
        folder: `text/emer`.
        own: CSV of your system: `name` and `openset` (a label list) or `english` (free text).

    Raises:
        MediaError: A file is missing.
    """
    wheels = Wheels(folder / "emotion_wheel")
    truth = _lists(folder / "mer2024_ov/check-openset.csv")
    stored = _lists(folder / "mer2024_ov/predict-openset.csv")
    texts = read_column(folder / "v2/final-EMER-reason.csv", "english")
    out: dict[str, Any] = {
        "stored answers": {
            "mer2024": asdict(set_score(truth, stored, _groups(folder))),
            **_levels(wheels, truth, stored),
        },
        "human explanations": explained(wheels, truth, texts),
        "human reasons": reasons(folder / "v1/gt-eng.csv"),
    }
    if own is not None:
        out["your answers"] = _own(wheels, truth, own)
    return out


def explained(wheels: Wheels, truth: Lists, texts: Mapping[str, str]) -> dict[str, Any]:
    """Score labels extracted from explanations, half by half."""
    out: dict[str, Any] = {}
    for half in ("A", "B"):
        own = {name: text for name, text in texts.items() if half_of(name) == half}
        labels = {name: extract_labels(text).labels for name, text in own.items()}
        true = {name: truth[name] for name in own}
        out[f"half {half}"] = {
            **asdict(wheels.report(true, labels)),
            "read": asdict(tally(list(own.values()))),
        }
    return out


NAMED = {"angry": "anger", "happy": "joy", "worried": "fear", "sad": "sadness"}
"""The classes of EMER-V1 that are not named as ours are."""


def reasons(path: Path) -> dict[str, Any]:
    """Tell the class from each of the 100 reasons of EMER-V1 without its words of feeling.

    The predictions given are the truth, so `rr` is the share of reasons that are read rightly: how
    good the reader of `doubly_right` is.
    """
    labels = read_column(path, "emotions", "names")
    truth = [NAMED.get(label, label) for label in labels.values()]
    texts = read_column(path, "reasons", "names")
    most = max(truth.count(label) for label in set(truth)) / len(truth)
    return {**asdict(doubly_right(truth, truth, list(texts.values()))), "majority": most}


def _own(wheels: Wheels, truth: Lists, path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8-sig") as file:
        lists = "openset" in file.readline()
    if lists:
        answers: Lists = _lists(path)
        read = None
    else:
        texts = read_column(path, "english")
        answers = {name: extract_labels(text).labels for name, text in texts.items()}
        read = asdict(tally(list(texts.values())))
    answered = sum(name in answers for name in truth)
    return {"answered": answered, "read": read, **_levels(wheels, truth, answers)}


def _levels(wheels: Wheels, truth: Lists, answers: Lists) -> dict[str, Any]:
    return {str(level): asdict(wheels.report(truth, answers, level)) for level in LEVELS}


def _lists(path: Path) -> dict[str, list[str]]:
    return {name: parse_labels(text) for name, text in read_column(path, "openset").items()}


def _groups(folder: Path) -> dict[str, list[list[str]]]:
    path = folder / "mer2024_ov/synonym_groups.json"
    try:
        data = json.loads(path.read_text("utf-8"))
        return {name: row["groups"] for name, row in data.items()}
    except (OSError, ValueError, KeyError) as err:
        raise MediaError(f"cannot read '{path}': {err}") from err


def lines(result: Mapping[str, Any]) -> list[str]:
    """Return the result as lines for people."""
    stored = result["stored answers"]
    mer = stored["mer2024"]
    out = [
        f"stored answers, MER2024 set metric: accuracy {mer['accuracy']:.6f}, "
        f"recall {mer['recall']:.6f}, mean {mer['mean']:.6f} ({mer['clips']} clips)"
    ]
    out += [f"stored answers, {level}: {_line(stored[level])}" for level in LEVELS]
    for half, row in result["human explanations"].items():
        read = row["read"]
        lack = ", ".join(f"{part} {n}" for part, n in read["missing"].items())
        out += [
            f"human explanations, {half}: {_line(row)}",
            f"  with labels {read['labels']}, say they cannot tell {read['none']}, "
            f"not parsed {read['unparsed']}; parts missing: {lack}",
        ]
    read = result["human reasons"]
    out.append(
        f"human reasons without words of feeling: {read['told']:.3f} tell a class, "
        f"{read['rr']:.3f} the right one; reasons shuffled {read['shuffled']:.3f}, "
        f"commonest {read['majority']:.3f}"
    )
    if "your answers" in result:
        row = result["your answers"]
        out.append(f"your answers: {row['answered']} clips")
        out += [f"your answers, {level}: {_line(row[level])}" for level in LEVELS]
    return out


def _line(row: Mapping[str, Any]) -> str:
    def f(key: str) -> str:
        return f"{row[key]['f']:.6f}"

    score = row["score"]
    return (
        f"F {f('score')} (P {score['precision']:.6f}, R {score['recall']:.6f}); of another clip "
        f"{f('shuffled')}, constant five labels {f('five')}; {row['labels_per_clip']:.1f} labels "
        f"a clip, out of vocabulary {row['out_of_vocabulary']:.1%} "
        f"(truth {row['truth_out_of_vocabulary']:.1%})"
    )
