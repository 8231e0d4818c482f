"""The pytest plugin: the fixture `thymos_replay` and the option `--thymos-update`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from thymos.testing.replayed import Replayer

WROTE = "thymos golden file written"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("thymos").addoption(
        "--thymos-update",
        action="store_true",
        help="write the golden files of thymos_replay(…).matches(…) instead of comparing",
    )


@pytest.fixture
def thymos_replay(request: pytest.FixtureRequest) -> Replayer:
    """Replay a recording and compare the windows with a golden file.

    thymos_replay("session.mcap", backend="rules").matches("golden.jsonl"); paths are relative to
    the folder of the test. `pytest --thymos-update` writes the golden files.
    """
    from thymos.testing.replayed import Replayer

    return Replayer(
        request.path.parent,
        update=bool(request.config.getoption("--thymos-update")),
        # Properties travel from the workers of xdist to the process that prints the summary.
        wrote=lambda path: request.node.user_properties.append((WROTE, str(path))),
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which golden files were written."""
    written = {
        str(path): None
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, path in getattr(report, "user_properties", ())
        if name == WROTE
    }
    for path in sorted(written):
        terminalreporter.write_line(f"{WROTE}: {path}")
