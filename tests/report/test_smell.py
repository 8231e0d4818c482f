"""The smell panels: what they say, how large they get, and how they look in a browser."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from benchmarks.smell_pictures import BEGIN_S, readings

from browser import Browser
from thymos.cli.smell_live import open_nose
from thymos.contract import Alert, Cue
from thymos.report import write_report
from thymos.report.axis import Axis
from thymos.report.session import Session
from thymos.report.smell import grouped, smell_section, when
from thymos.report.smell_trace import MAX_BINS, MAX_SPANS, SmellCollector, SmellTrace
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec, each
from thymos.smell.frame import Fault, Phase
from thymos.smell.view import DangerView, DriftView, EventView

S = 1_000_000_000
EVIL = '"><script>alert(1)</script>\x1b[2J\u202egnp'


class Words(HTMLParser):
    """Text of a page; also what is said to those who do not look."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.labels: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            self.labels += [value] if key == "aria-label" else []
            self.titles += [value] if key == "title" else []

    def handle_data(self, data):
        self.text.append(data)


def read(page: str) -> tuple[str, Words]:
    parser = Words()
    parser.feed(page)
    return " ".join(" ".join(parser.text).split()), parser


def smelt(uri: str = "sim:?pace=0&seconds=60&events=smoke@12-30") -> SmellCollector:
    made = SmellCollector()
    with open_nose(uri) as source:
        made.on_stream(source.spec)
        for sample in each(source):
            made.on_sample(sample)
    return made


@pytest.fixture(scope="module")
def trace() -> SmellTrace:
    """A minute with smoke."""
    made = smelt().trace
    assert made is not None
    return made


@pytest.fixture
def full(trace: SmellTrace) -> SmellTrace:
    """The same with everything there can be to tell."""
    trace = copy.deepcopy(trace)
    drift = DriftView(1.3, True, "the pattern left what was learnt", "thymos calibrate enose")
    onset = EventView("odour_onset", 12_400_000_000, 9 * S, 12 * S, "a smell begins")
    for t0, _, part in trace.stretches():
        part.drift = 0.2 + t0 / S / 50
    for k in range(300, 400):  # ten seconds in which one sensor repeats itself
        trace.bins[k].faults = {(3, Fault.STUCK): 1}
        trace.bins[k].count[3] = trace.bins[k].total[3] = 0
    alarm = DangerView("smoke", 0.85, 12 * S, "leave the room", 13 * S)
    events = (onset, *(e for e in trace.events if e.name != "odour_onset"))
    view = replace(trace.view, drift=drift)
    return replace(trace, view=view, alarms=(alarm,), events=events)


def section(trace: SmellTrace) -> str:
    made = smell_section(trace, Axis(0, 60 * S))
    assert made is not None
    return str(made)


def test_everything_is_said_in_words_too(full: SmellTrace) -> None:
    text, page = read(section(full))
    for words in (
        "6 gas channels", "A smell began between 9.0 and 12.0 s",
        "Danger: smoke, 85%, known at 13.0 s",
        "smoke", "unknown", "needs recalibration", "thymos calibrate enose", "exposure", "recovery",
        "clean air", "1.30 of the limit", "Not used at times: it repeats where a live sensor",
        "9.0 to 12.0", "12.4", "strongest change", "10.0 s: it repeats",
    ):  # fmt: skip
        assert words in text, words
    # Each drawing has a name, and each mark says what it is.
    assert len(page.labels) == section(full).count("<svg")
    assert any(label.startswith("CO: at most −5") for label in page.labels)
    assert "30.0 s to 40.0 s: it repeats where a live sensor cannot" in page.titles
    assert any("known at 12.4 s" in title for title in page.titles)


def test_an_onset_is_an_interval_not_a_line(full: SmellTrace) -> None:
    bar = re.search(
        r'class="inair onset"[^>]*style="left:([\d.]+)%;width:([\d.]+)%"', section(full)
    )
    known = re.search(r'class="known onset"[^>]*style="left:([\d.]+)%"', section(full))
    assert bar
    assert known
    assert [float(v) for v in bar.groups()] == pytest.approx([15.0, 5.0])
    assert float(known[1]) == pytest.approx(100 * 12.4 / 60, 0.001)
    assert when(full.events[0], Axis(0, 60 * S)) == "between 9.0 and 12.0 s"
    assert when(full.events[0], Axis(10 * S, 60 * S)) == "before 2.0 s"


def test_the_stack_of_classes_is_whole_and_empty_where_nothing_smelt(trace: SmellTrace) -> None:
    before = [part for t0, _, part in trace.stretches() if t0 < 11 * S]
    during = [part for t0, _, part in trace.stretches() if 15 * S < t0 < 30 * S]
    assert all(part.smelt == 0 for part in before)
    assert all(sum(p.shares.values()) == pytest.approx(p.smelt) for p in during)
    assert trace.labels[-1] == "unknown"
    phases = [phase for *_, phase in trace.phases() if phase is not Phase.UNKNOWN]
    assert phases[:3] == [Phase.BASELINE, Phase.EXPOSURE, Phase.RECOVERY]


def test_same_input_gives_same_bytes() -> None:
    one, two = (smelt("sim:?pace=0&seconds=20&events=coffee@8-12").trace for _ in range(2))
    assert one
    assert two
    assert section(one) == section(two)


def test_text_of_devices_is_never_markup(full: SmellTrace) -> None:
    channels = (replace(full.view.channels[0], name=EVIL), *full.view.channels[1:])
    view = replace(full.view, device=EVIL, channels=channels,
                   drift=DriftView(2.0, True, EVIL, EVIL))  # fmt: skip
    alarm = DangerView(EVIL, 1.0, 0, EVIL)
    events = (EventView("odour_onset", 0, 0, S, EVIL),)
    evil = replace(full, view=view, alarms=(alarm,), events=events)
    for part in evil.bins.values():
        part.shares = {EVIL: 1.0}
    page = section(evil)
    assert "<script" not in page
    assert not set("\x1b\u202e") & set(page)
    assert page.count("&lt;script&gt;") >= 6


def test_an_hour_stays_small_and_keeps_its_sums() -> None:
    """16 channels, an hour, a sensor that is stuck every other second."""
    spec = StreamSpec("enose", Kind.GAS, 2.0, (16,), "ohm", tuple(f"c{k}" for k in range(16)))
    made = SmellCollector()
    made.on_stream(spec)
    for n in range(7200):
        values = 1e4 * (1 + 0.001 * np.sin(n + np.arange(16)))
        if 2000 < n < 4000:
            values *= 0.5
        values[5] = np.nan if n // 20 % 2 else values[5]
        made.on_sample(Sample("enose", n, n * S // 2, n * S // 2, values))
    trace = made.trace
    assert trace
    assert len(trace.bins) <= MAX_BINS
    assert sum(part.readings for part in trace.bins.values()) == 7200
    assert len(trace.unusable(5)) <= MAX_SPANS
    page = str(smell_section(trace, Axis(0, 3600 * S)))
    assert len(page) < 600_000
    assert "c15" in page


def test_many_channels_share_a_lane_by_sensor() -> None:
    names = tuple(f"s{k // 10}_h{k % 10}" for k in range(80))
    assert {n: len(ks) for n, ks in grouped(names).items()} == {f"s{k}": 10 for k in range(8)}
    made = SmellCollector()
    made.on_stream(StreamSpec("enose", Kind.GAS, 0.1, (80,), "ohm", names))
    for n in range(60):
        values = (1e5 + np.sin(n + np.arange(80))) * (1 if n < 40 else 0.5)
        made.on_sample(Sample("enose", n, n * 10 * S, n * 10 * S, values))
    assert made.trace
    page = str(smell_section(made.trace, Axis(0, 600 * S)))
    assert page.count('class="steps"') >= 8
    assert "10 steps" in page
    assert len(page) < 300_000


def test_the_onset_is_told_as_well_as_it_is_known_in_the_end() -> None:
    made, seen = SmellCollector(), []
    made.on_stream(StreamSpec("enose", Kind.GAS, 10.0, (4,), "ohm", ("a", "b", "c", "d")))
    for n, (t, values) in enumerate(readings()):
        if t > 60:
            break
        made.on_sample(Sample("enose", n, round(t * S), round(t * S), values))
        assert made.trace
        began = made.trace.view.odour.began_ns
        if began is not None and began not in seen:
            seen.append(began)
    assert len(seen) > 1  # it did change
    onset = made.trace.events[0]
    assert (onset.earliest_ns, onset.latest_ns) == seen[-1]
    assert abs(onset.latest_ns - BEGIN_S * S) < 2 * S


def test_a_danger_is_marked_when_it_could_be_known(trace: SmellTrace) -> None:
    assert [alarm.kind for alarm in trace.alarms] == ["smoke"]
    assert 13 * S < trace.alarms[0].known_ns < 15 * S


def test_what_was_said_at_once_stands_in_its_window(reports, tmp_path: Path) -> None:
    cue = Cue(id="", modality="smell", name="danger", value="smoke", confidence=0.8, t0_ns=18 * S,
              t1_ns=19 * S, text="the air smells like <b>smoke</b>")  # fmt: skip
    alert = Alert(t_ns=19 * S, cue=cue, response=reports[5].response)
    lagging = cue.model_copy(update={"id": "w000004-odour", "began_ns": (15 * S, 17 * S)})
    more = {"alerts": (alert,), "cues": (*reports[4].cues, lagging)}
    told = reports[4].model_copy(update=more)
    page = write_report(tmp_path / "r.html", [*reports[:4], told]).read_text(encoding="utf-8")
    text, words = read(page)
    assert (
        "At once, at 19.0 s: the air smells like <b>smoke</b>, 80%. Said: “I smell smoke." in text
    )
    assert "at once: the air smells like <b>smoke</b>" in words.labels
    assert "80%, 18.0 to 19.0 s, in the air since 15.0 to 17.0 s" in text
    assert "below, in red: said at once" in text


def test_without_a_nose_nothing_is_said(tmp_path: Path) -> None:
    assert SmellCollector().trace is None
    page = write_report(tmp_path / "r.html", []).read_text(encoding="utf-8")
    assert "<h2>Smell</h2>" not in page
    made = SmellCollector()
    made.on_stream(StreamSpec("enose", Kind.GAS, 1.0, (2,), "adc", ("a", "b")))
    assert made.trace is None  # announced, and never a reading
    for n in range(3):
        made.on_sample(Sample("enose", n, n * S, n * S, np.full(2, np.nan), Flag.INVALID))
    assert made.trace
    assert "No smell began" in read(section(made.trace))[0]


def test_a_session_writes_the_panels(reports, tmp_path: Path) -> None:
    spec = StreamSpec("enose", Kind.GAS, 10.0, (2,), "ohm", ("CO", "NO2"), origin=Origin.SIMULATED)
    with Session(tmp_path / "out") as session:
        session.on_stream(spec)
        for n in range(280):
            fall = 0.5 if n > 180 else 1.0
            values = np.array([2e4 * fall, 4e4]) * (1 + 1e-4 * np.sin(n))  # alive, not stuck
            session.on_sample(Sample("enose", n, n * S // 10, n * S // 10, values))
        session.on_report(reports[0])
    text, _ = read((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "A smell began" in text
    assert "The smell in numbers" in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_panels_fit_and_can_be_read(
    browser: Browser, full: SmellTrace, width: int, dark: bool, tmp_path: Path
) -> None:
    path = write_report(tmp_path / "r.html", [], smell=full)
    browser.open(path, width, dark=dark)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
    small = browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => e.innerText &&"
        " parseFloat(getComputedStyle(e).fontSize) < 16).length"
    )
    assert small == 0
    # A name never lies under its plot, and what was not used is really hatched.
    assert browser.ask("document.querySelectorAll('.smells .lane').length") == 11
    assert "gradient" in browser.ask(
        "getComputedStyle(document.querySelector('.smells .bad')).backgroundImage"
    )
    plot = "document.querySelector('.smells .bad').getBoundingClientRect()"
    assert browser.ask(f"{plot}.width") > 0.1 * browser.ask(
        "document.querySelector('.smells .shape').getBoundingClientRect().width"
    )
    if folder := os.environ.get("THYMOS_SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"smell-{width}.png")
