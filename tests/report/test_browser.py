"""The page in a real browser, driven over the DevTools pipe (no further library needed)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thymos.report import TraceCollector, write_report

pytestmark = pytest.mark.browser

HOSTILE = "<img src=http://192.0.2.1/x onerror=alert(1)></script><script>alert(2)</script>\x1b[31m"


class Browser:
    """One headless page; remembers every request and every complaint."""

    def __init__(self, program: str, profile: Path) -> None:
        to_read, self._to = os.pipe()
        self._from, from_write = os.pipe()
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read, from_write)]

        def place() -> None:  # Chromium reads commands from 3 and writes answers to 4
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [program, *flags, f"--user-data-dir={profile}"],
            preexec_fn=place, pass_fds=(3, 4),  # noqa: PLW1509  nothing else runs in the child
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for fd in (to_read, from_write, *ends):
            os.close(fd)
        self._rest = b""
        self._n = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._n += 1
        message = {"id": self._n, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            got = self._receive()
            if got.get("id") == self._n:
                assert "error" not in got, got
                return got["result"]

    def open(self, path: Path, width: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=844,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        self.call("Page.navigate", url=path.as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def ask(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def screenshot(self, path: Path) -> None:
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        os.close(self._to)  # the browser ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._from, 1 << 20)
            assert data, "the browser went away"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(params)[:400])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append("a dialog opened: injected script ran")
        return message


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[Browser]:
    made = Browser(chromium, tmp_path / "profile")
    yield made
    made.close()


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
