"""`thymos`: puts the commands together and turns errors into one line and an exit code.

Exit codes: 0 done, 1 something failed (the line on stderr says what and what next), 2 wrong use.
"""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

import thymos
from thymos.cli import (
    bench,
    demo,
    devices,
    doctor,
    explain,
    live,
    models,
    recover,
    replay,
    smell,
    train,
)
from thymos.cli import eval as evaluation
from thymos.cli.output import stderr
from thymos.errors import ThymosError

INTERRUPTED = 130  # what typer makes of Ctrl-C
# All errors of wrong use derive from one class, which typer exports only through its children.
WrongUse: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="thymos",
    help="See, hear and smell a person; explain what they may feel; answer with tact.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: thymos demo · thymos explain talk.mp4 · thymos doctor",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thymos {thymos.__version__}")
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the full traceback of an error.")
    ] = False,
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = None,
) -> None:
    """See, hear and smell a person; explain what they may feel; answer with tact."""
    if debug:
        os.environ["THYMOS_DEBUG"] = "1"


app.command()(demo.demo)
app.command()(explain.explain)
app.command()(live.run)
app.command()(live.record)
app.command()(replay.replay)
app.command()(recover.recover)
app.command()(devices.devices)
app.command()(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(train.app, name="train")
app.add_typer(evaluation.app, name="eval")
app.add_typer(smell.app, name="smell")


def mount() -> None:
    """Add the commands of other packages, once."""
    known = {group.name for group in app.registered_groups}
    for point in sorted(entry_points(group="thymos.commands"), key=lambda p: p.name):
        if point.name in known:
            continue
        try:
            app.add_typer(point.load(), name=point.name)
        except ImportError as err:  # an optional package that is half installed
            stderr.print(f"command '{point.name}' is not available: {err}", markup=False)


def run() -> None:
    """Run the command line and end the process with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a sign shows `?` for it
        sys.stdout.reconfigure(errors="replace")
    mount()
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(standalone_mode=False)
    except ThymosError as err:
        return _tell(str(err), err.hint)
    except BrokenPipeError:  # `thymos explain … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as err:
        return _tell(f"{err.filename or 'system'}: {err.strerror or err}", "")
    except WrongUse as err:
        err.show()  # type: ignore[attr-defined]
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        stderr.print("stopped; what was printed or written so far is complete")
        return 1
    return code if isinstance(code, int) else 0


def _tell(message: str, hint: str) -> int:
    if os.environ.get("THYMOS_DEBUG") == "1":
        stderr.print_exception()
    stderr.print("error:", message, style="red", markup=False, soft_wrap=True)
    if hint:
        stderr.print("next:", hint, markup=False, soft_wrap=True)
    return 1
