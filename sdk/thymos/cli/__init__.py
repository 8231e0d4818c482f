"""The command line: `thymos …`. One file a command; `main.py` puts them together."""

from __future__ import annotations

import signal


def run() -> None:
    """Entry point of the `thymos` program."""
    # While modules are imported there is nothing to tidy up: Ctrl-C just ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from thymos.cli.main import mount
    from thymos.cli.main import run as go

    mount()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    go()
