"""The page in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from browser import Browser
from thymos.report import TraceCollector, write_report

pytestmark = pytest.mark.browser

HOSTILE = "<img src=http://192.0.2.1/x onerror=alert(1)></script><script>alert(2)</script>\x1b[31m"


@pytest.fixture
def page(reports, collector: TraceCollector, wav: Path, tmp_path: Path) -> Path:
    hostile = reports[3].model_copy(
        update={"notes": (HOSTILE,), "response": reports[3].response.model_copy(
            update={"text": HOSTILE})},
    )  # fmt: skip
    return write_report(
        tmp_path / "report.html", [*reports[:3], hostile, *reports[4:]],
        streams=collector.streams, traces=collector.traces, title=f"Demo {HOSTILE}",
        statements=["Nothing here was recorded from you."], audio={"w000002": wav},
    )  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_calm_and_fits(browser: Browser, page: Path, width: int, tmp_path: Path) -> None:
    browser.open(page, width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.querySelectorAll('article').length") == 7
    small = browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => e.innerText &&"
        " parseFloat(getComputedStyle(e).fontSize) < 16).map(e => e.outerHTML).slice(0, 3)"
    )
    assert small == []
    outside = [u for u in browser.requests if not u.startswith(("file://", "data:"))]
    assert outside == []
    assert browser.complaints == []
    if folder := os.environ.get("THYMOS_SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"report-{width}.png")


def test_touching_a_step_lights_its_evidence(browser: Browser, page: Path) -> None:
    browser.open(page, 390)
    browser.ask("document.getElementById('w000001-s1').click()")
    lit = browser.ask("[...document.querySelectorAll('.cue.lit')].map(e => e.dataset.cue)")
    assert lit == ["w000001/w000001-facesmile"]
    band = "document.querySelector('.band')"
    assert browser.ask(f"{band}.hidden") is False
    # The step's evidence lies at 5 to 7 s of 28 s.
    assert float(browser.ask(f"{band}.style.left").rstrip("%")) == pytest.approx(100 * 5 / 28, 0.01)
    assert browser.ask("document.querySelectorAll('li.lit .num').length") >= 1
    browser.ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert browser.ask("document.querySelectorAll('.lit').length") == 0
