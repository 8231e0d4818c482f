from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from thymos.errors import RecordingError
from thymos.report import TraceCollector, write_report
from thymos.report.axis import Axis
from thymos.report.html import clean, el
from thymos.report.overview import _gas
from thymos.report.pictures import PictureCollector
from thymos.report.session import Session
from thymos.samples import Kind, Sample, StreamSpec


class Words(HTMLParser):
    """Text of a page as one reads it without styles and scripts; checks that tags nest."""

    VOID = frozenset({"meta", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.links += [v for k in ("src", "href") if (v := named.get(k))]
        self.ids += [named["id"]] if "id" in named else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)


def read(path: Path) -> tuple[str, Words]:
    parser = Words()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return " ".join(parser.text), parser


def test_page_says_everything_without_script(reports, collector, wav, tmp_path: Path) -> None:
    path = write_report(
        tmp_path / "report.html", reports, streams=collector.streams, traces=collector.traces,
        title="A run", statements=["The voice is synthesised."], audio={"w000002": wav},
    )  # fmt: skip
    text, page = read(path)
    for words in (
        "A run", "The voice is synthesised.", "recorded", "simulated", "single_face.mp4",
        "28.0 s in 7 windows", "Danger (smoke) in 2 of 7 windows", "1 gap, 4 dropped",
        "“I finally got the job, I am so happy!”", "The mouth corners rise", "8.5 to 10.5 s",
        "Conflict 0.82", "smell dissent", "Intent suggesting", "gesture alert", "Guard:",
        "smoke pattern on three channels", "microphone is missing: no sound arrived",
        "no face and no voice yet", "rules-1", "p95", "no language model",
    ):  # fmt: skip
        assert words in text, words
    assert len(page.ids) == len(set(page.ids))
    inside = [link for link in page.links if link.startswith("#")]
    assert inside
    assert {link[1:] for link in inside} <= set(page.ids)
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []


def test_same_input_gives_same_bytes(reports, collector, tmp_path: Path) -> None:
    one, two = (
        write_report(tmp_path / name, reports, traces=collector.traces).read_bytes()
        for name in ("a.html", "b.html")
    )
    assert one == two


def test_text_is_never_markup(reports, tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>\x1b[2J\u202egnp'
    told = reports[2].model_copy(update={"notes": (evil,)})
    path = write_report(tmp_path / "r.html", [told], title=evil, statements=[evil])
    raw = path.read_text(encoding="utf-8")
    assert raw.count("<script>") == 1
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    assert "&lt;script&gt;" in raw
    read(path)


def test_empty_run_is_said(tmp_path: Path) -> None:
    text, _ = read(write_report(tmp_path / "r.html", []))
    assert "No window was completed." in text


def test_wall_clock_times_name_the_day(reports, tmp_path: Path) -> None:
    shift = 1_700_000_000 * 10**9
    info = reports[0].window.model_copy(
        update={"t0_ns": shift, "t1_ns": shift + 4 * 10**9}
    )  # fmt: skip
    late = reports[0].model_copy(update={"window": info, "cues": ()})
    late = late.model_copy(
        update={"explanation": late.explanation.model_copy(update={"steps": ()})}
    )
    text, _ = read(write_report(tmp_path / "r.html", [late]))
    assert "Began 2023-11-14 22:13:20 UTC" in text
    assert "0.0 to 4.0 s" in text


def test_long_run_writes_out_the_first_and_says_so(reports, tmp_path: Path) -> None:
    many = []
    for n in range(160):
        info = reports[1].window.model_copy(
            update={"id": f"w{n:06}", "t0_ns": n * 4 * 10**9, "t1_ns": (n + 1) * 4 * 10**9}
        )
        many.append(reports[1].model_copy(update={"window": info}))
    text, page = read(write_report(tmp_path / "r.html", many))
    assert "10 later windows" in text
    assert sum(i == "w000149" for i in page.ids) == 1


def test_unwritable_place_is_an_error_and_leaves_nothing(reports, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot write"):
        write_report(tmp_path / "no" / "r.html", reports)
    target = tmp_path / "folder.html"
    target.mkdir()
    with pytest.raises(RecordingError):
        write_report(target, reports)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.html"]


def test_clean_and_escape() -> None:
    assert clean("a\nb\x1b[31m\u200f\ud800") == "a b[31m�"
    made = el("a", "<b>", None, 3, [el("i", "x")], href='"', hidden=True, title=None, data_t0=1.5)
    assert made == '<a href="&quot;" hidden data-t0="1.5">&lt;b&gt;3<i>x</i></a>'


def test_traces_are_bounded_and_keep_the_sums() -> None:
    spec = StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm")
    import numpy as np

    coarse, fine = TraceCollector(max_bins=50), TraceCollector()
    for made in (coarse, fine):
        made.on_stream(spec)
        for i in range(2000):
            value = np.array([float(i), np.nan])
            made.on_sample(Sample("enose", i + (i > 1000), i * 10**8, i * 10**8, value))
    a, b = coarse.traces[0], fine.traces[0]
    assert len(a.bins) <= 50 < len(b.bins)
    assert sum(x.samples for x in a.bins.values()) == 2000
    assert sum(x.lost for x in a.bins.values()) == sum(x.lost for x in b.bins.values()) == 1
    total = sum(x.values[0][0] for x in a.bins.values())
    assert total == sum(range(2000))
    assert all(1 not in x.values for x in a.bins.values())


def test_the_gas_picture_leaves_the_air_out() -> None:
    """On a scale relative to the first readings 20 °C to 30 °C would look like an odour."""
    import numpy as np

    made = TraceCollector()
    made.on_stream(StreamSpec("enose", Kind.GAS, 10.0, (3,), "ohm", ("NO2", "Temperature", "CO")))
    for i in range(40):
        made.on_sample(Sample("enose", i, i * 10**8, i * 10**8, np.array([1e4, 20.0 + i, 2e4])))
    _, legend = _gas(made.traces[0], Axis(0, 4 * 10**9))
    assert "NO2" in str(legend)
    assert "CO" in str(legend)
    assert "Temperature" not in str(legend)


def test_sound_level_and_holes(collector: TraceCollector) -> None:
    trace = next(t for t in collector.traces if t.spec.name == "microphone")
    spans = trace.present()
    assert [(a // 10**9, b // 10**9) for a, b in spans] == [(0, 12), (16, 28)]
    levels = {t0 // 10**9: part.level_db for t0, _, part in trace.spans()}
    assert levels[0] < -55 < -25 < levels[1] < -15
    camera = next(t for t in collector.traces if t.spec.name == "camera")
    assert sum(b.lost for b in camera.bins.values()) == 4


def test_pictures_are_small_jpegs_near_the_middle(reports) -> None:
    av = pytest.importorskip("av")
    import io

    import numpy as np

    made = PictureCollector()
    made.on_stream(StreamSpec("camera", Kind.VIDEO, 2.0, (480, 640, 3), "rgb8"))
    for i in range(16):
        frame = np.full((480, 640, 3), 10 * i, np.uint8)
        made.on_sample(Sample("camera", i, i * 5 * 10**8, 0, frame))
    pictures = made.pictures(reports)
    assert sorted(pictures) == ["w000000", "w000001"]
    with av.open(io.BytesIO(pictures["w000001"])) as file:
        image = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape == (180, 240, 3)
    assert abs(int(image.mean()) - 120) < 8  # the frame taken at 6 s


def test_session_writes_lines_as_it_goes(reports, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "answer-w000009.wav").write_bytes(b"old")
    (out / "mine.txt").write_text("keep")
    with Session(out, title="T") as session:
        session.on_report(reports[0])
        part = out / "windows.jsonl.part"
        assert len(part.read_text().splitlines()) == 1
        assert not (out / "windows.jsonl").exists()
        session.on_report(reports[1])
    lines = (out / "windows.jsonl").read_text().splitlines()
    assert len(lines) == 2
    names = ["latency.jsonl", "mine.txt", "report.html", "windows.jsonl"]
    assert sorted(p.name for p in out.iterdir()) == names
    # Wall time is beside the windows, not in them: nothing else of a report is left out.
    assert all("latency_ms" not in json.loads(line) for line in lines)
    times = [json.loads(line) for line in (out / "latency.jsonl").read_text().splitlines()]
    assert times == [{"window": r.window.id, "latency_ms": r.latency_ms} for r in reports[:2]]
    again = [
        json.loads(a) | {"latency_ms": b["latency_ms"]} for a, b in zip(lines, times, strict=True)
    ]
    assert again == [json.loads(r.model_dump_json()) for r in reports[:2]]


def test_session_stopped_early_says_so(reports, tmp_path: Path) -> None:
    def run() -> None:
        with Session(tmp_path) as session:
            session.on_report(reports[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    text, _ = read(tmp_path / "report.html")
    assert "Stopped early" in text
    assert (tmp_path / "windows.jsonl").exists()


def test_session_stopped_before_the_first_window_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Session(tmp_path / "out"):
        raise KeyboardInterrupt
    assert list((tmp_path / "out").iterdir()) == []


def test_session_into_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with (
        pytest.raises(RecordingError, match="cannot write into") as caught,
        Session(tmp_path / "f"),
    ):
        pass
    assert "--out" in caught.value.hint


def test_full_disk_is_told_and_the_part_keeps_its_name(reports, tmp_path: Path) -> None:
    def run() -> None:
        with Session(tmp_path) as session:
            session._lines.close()
            session._lines = Path("/dev/full").open("w")  # noqa: SIM115
            session.on_report(reports[0])

    with pytest.raises(RecordingError, match="No space left"):
        run()
    assert not (tmp_path / "windows.jsonl").exists()
    assert not (tmp_path / "report.html").exists()


def test_page_has_a_policy_against_the_network(reports, tmp_path: Path) -> None:
    raw = write_report(tmp_path / "r.html", reports).read_text(encoding="utf-8")
    assert re.search(r"default-src &#x27;none&#x27;", raw)


def test_session_keeps_a_bounded_number_of_windows(
    reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thymos.report.session.MAX_KEPT", 3)
    with Session(tmp_path) as session:
        for report in reports:
            session.on_report(report)
    assert len((tmp_path / "windows.jsonl").read_text().splitlines()) == 7
    text, _ = read(tmp_path / "report.html")
    assert "The first 3 of 7 windows are shown." in text
