"""Run benchmarks, print a table, and write `benchmarks/out/bench.json`.

    python -m benchmarks                   # all, about ten minutes
    python -m benchmarks align window      # some
    python -m benchmarks --quick           # tiny sizes: does it work? The figures mean nothing.
    python -m benchmarks --markdown        # put the last results into docs/benchmarks.md

Close other programs first: the figures are about two free cores. Exit code 1 if a benchmark
failed (the others still run); a missed target is no failure, the table says it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import BENCHMARKS
from benchmarks.alone import alone
from benchmarks.machine import machine
from benchmarks.pages import draw, write_markdown
from thymos.bench.figures import Figure, table
from thymos.errors import ThymosError

OUT = Path(__file__).parent / "out"
REPEATS = 5


def main() -> int:
    options = _options()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    if options.peers:
        sys.path.append(str(options.peers.resolve()))  # last: nothing of ours is replaced
    if options.markdown:
        write_markdown(options.out)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    about = machine()
    console.print(", ".join(f"{k} {v}" for k, v in about.items()))
    figures: list[Figure] = []
    failed: list[str] = []
    try:
        _measure(options, console, figures, failed)
    except KeyboardInterrupt:
        failed.append("interrupted")
    _write(options.out, about, figures)
    draw(options.out)
    missed = list(dict.fromkeys(f.name for f in figures if f.reached is False))
    told = f"{len(missed)} targets missed: {'; '.join(missed)}" if missed else "all targets met"
    console.print(f"written: {options.out / 'bench.json'}; {len(figures)} figures, {told}")
    if failed:
        console.print(f"failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


def _measure(
    options: argparse.Namespace, console: Console, figures: list[Figure], failed: list[str]
) -> None:
    """Run one after the other; a broken one does not hide the rest."""
    repeats = options.repeats or (1 if options.quick else REPEATS)
    for number, name in enumerate(options.names, 1):
        title = f"{name}: {BENCHMARKS[name]}"
        console.print(f"{number}/{len(options.names)} {title} …", style="dim")
        start = time.perf_counter()
        try:
            made = alone(name, repeats, options.quick)
        except ThymosError as err:
            failed.append(name)
            console.print(escape(f"{name} failed: {err}"), style="red")
            if err.hint:
                console.print(escape(err.hint))
            continue
        console.print(table(made, f"{title} ({time.perf_counter() - start:.0f} s)"))
        figures += made


def _options() -> argparse.Namespace:
    told, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=told,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = "\n".join(f"{k}: {v}" for k, v in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat")
    parser.add_argument("--repeats", type=int, help=f"of each measurement (default {REPEATS})")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the results")
    parser.add_argument("--peers", type=Path, help="folder to import peers from, if not installed")
    parser.add_argument("--markdown", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    unknown = [n for n in options.names if n not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are:\n{names}")
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    options.names = options.names or list(BENCHMARKS)
    return options


def _write(out: Path, about: dict[str, str], figures: list[Figure]) -> None:
    def save(name: str, body: object) -> None:
        text = json.dumps(body, indent=2, allow_nan=False, ensure_ascii=False)
        (out / name).write_text(text + "\n", encoding="utf-8")

    save("bench.json", [figure.as_json() for figure in figures])
    save("machine.json", about)


if __name__ == "__main__":
    sys.exit(main())
