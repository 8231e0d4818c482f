"""Prints the scores of the conflict set: the tables of `docs/conflict.md`.

python -m thymos.evaluate.conflict_show DATA [--voice-weights FILE --ravdess 16 17 18]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from thymos.evaluate.classification import Interval
from thymos.evaluate.conflict import Result, Scores, run
from thymos.evaluate.conflict_set import SUBSETS, Recipe, build, write_csv
from thymos.report.svg import reliability_picture

Say = Callable[[str], None]


def show(result: Result, say: Say = print) -> None:
    """Print a result as Markdown."""
    for kind, methods in result.methods.items():
        say(f"\n### {kind}\n")
        say(_counts(result, kind))
        _methods(methods, say)
    _sets(result, say)
    _told(result, say)
    _diagram(result, say)
    _alone(result, say)


def _counts(result: Result, kind: str) -> str:
    parts = [f"{name} {result.rows[kind][name]} of {result.drawn[kind][name]}" for name in SUBSETS]
    return f"Rows where a face and a voice were read: {', '.join(parts)}.\n"


def _table(say: Say, *head: str) -> Callable[..., None]:
    def line(*cells: object) -> None:
        say("| " + " | ".join(str(c) for c in cells) + " |")

    line(*head)
    line(*("---" for _ in head))
    return line


def _methods(methods: dict[str, Scores], say: Say) -> None:
    line = _table(
        say, "method", "video", "audio", "conflict average", "consistent",
        "conflict, gain", "consistent, gain", "NLL", "ECE",
    )  # fmt: skip
    for name, s in methods.items():
        line(
            name, f"{s.video.value:.3f}", f"{s.audio.value:.3f}", s.conflict, s.consistent,
            _gain(s.gain_conflict), _gain(s.gain_consistent), f"{s.nll:.3f}", f"{s.ece:.3f}",
        )  # fmt: skip


def _gain(found: Interval) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _sets(result: Result, say: Say) -> None:
    say("\n### Set metric Avg\n")
    line = _table(say, "kind", "subset", "likeliest class", "dissenters too, where told")
    for kind, subsets in result.sets.items():
        for subset, ways in subsets.items():
            line(kind, subset, f"{ways['one']:.3f}", f"{ways['conflict told']:.3f}")


def _told(result: Result, say: Say) -> None:
    say("\n### How conflicts are seen\n")
    kinds = list(result.told)
    line = _table(say, "", *kinds)
    for name in result.told[kinds[0]]:
        line(name, *(f"{result.told[k][name]:.3f}" for k in kinds))


def _diagram(result: Result, say: Say) -> None:
    for name, bars in result.diagram.items():
        say(f"\n### Reliability {name}\n")
        line = _table(say, "share of rows", "claimed", "right", "")
        for share, claimed, right in bars:
            line(f"{share:.2f}", f"{claimed:.2f}", f"{right:.2f}", "#" * round(20 * right))
    say("\n### Risk and coverage\n")
    line = _table(say, "least probability", "answered", "right")
    for share, least, right in result.coverage:
        line(f"{least:.2f}", f"{share:.0%}", f"{right:.3f}")


def _alone(result: Result, say: Say) -> None:
    say("\n### Each modality alone\n")
    line = _table(say, "clips", "n", "people", "accuracy", "ECE", "NLL")
    for name, a in result.alone.items():
        pairs = [f"{x:.3f} → {y:.3f}" for x, y in zip(a.raw, a.corrected, strict=True)]
        line(name, a.clips, a.people, *pairs)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--shipped", action="store_true", help="score the packaged fusion.yaml")
    parser.add_argument("--each", type=int, default=Recipe().each, help="rows of each subset")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--csv", type=Path, help="write the set here (names and labels only)")
    parser.add_argument("--json", type=Path, help="write the scores here")
    parser.add_argument("--pictures", type=Path, help="folder for the reliability diagrams")
    args = parser.parse_args(argv)
    recipe = Recipe(args.each, args.seed)
    if args.csv:
        write_csv(build(args.data, recipe), args.csv)

    def progress(done: int, of: int) -> None:
        if done % 50 == 0:
            sys.stderr.write(f"\r{done} clips read (of {of} of this sense)  ")

    result = run(
        args.data,
        recipe=recipe,
        fitted="shipped" if args.shipped else "crossed",
        progress=progress,
    )
    show(result)
    if args.pictures:
        for name, bars in result.diagram.items():
            picture = reliability_picture(f"fused confidence, {name} calibration", bars)
            (args.pictures / f"reliability-{name}.svg").write_text(picture, "utf-8")
    if args.json:
        args.json.write_text(json.dumps(result.data(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
