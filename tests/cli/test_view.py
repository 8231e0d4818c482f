from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from thymos.align.window import Window
from thymos.cli.view import LiveView, Scene, StreamRow, picture, safe
from thymos.contract import Alert, Cue, WindowReport
from thymos.reason.base import Affect
from thymos.samples import Kind, Origin, Sample, StreamSpec

EVIL = "[red]not red[/red] \x1b[2J\x1b]0;title\x07 \u202eback"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def spec(**more) -> StreamSpec:
    base = {
        "name": "camera", "kind": Kind.VIDEO, "rate_hz": 30.0, "shape": (4, 4, 3), "unit": "rgb8",
        "origin": Origin.RECORDED, "device": "face.mp4",
    }  # fmt: skip
    return StreamSpec(**{**base, **more})


def cue(**more) -> Cue:
    base = {
        "id": "c1", "modality": "face", "name": "smile", "value": 0.8, "confidence": 0.9,
        "t0_ns": 0, "t1_ns": 10**9, "text": "a smile",
    }  # fmt: skip
    return Cue(**{**base, **more})


def report(text: str = "How good to hear!", **guard) -> WindowReport:
    return WindowReport.model_validate({
        "window": {"id": "w000000", "t0_ns": 5 * 10**9, "t1_ns": 9 * 10**9, "streams": {}},
        "cues": [],
        "explanation": {
            "emotions": [{"label": "joy", "confidence": 0.8, "level1": "joy"}], "valence": 0.5,
            "arousal": 0.4, "conflict": {"degree": 0.0, "modalities": []}, "rationale": text,
            "steps": [{"n": 1, "text": text, "modality": "face", "t0_ns": 5 * 10**9,
                       "t1_ns": 6 * 10**9, "cue_ids": ["c1"]}],
            "modality_weights": {}, "abstained": False, "backend": "rules", "model": "r",
            "parse_ok": True,
        },
        "response": {"intent": "encouraging", "candidates": [], "text": text,
                     "text_source": "template", "gesture": "smile",
                     "guard": guard or {"action": "none"}},
        "latency_ms": {},
        "notes": ["told in every window"],
    })  # fmt: skip


def console(width: int = 120, *, terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), width=width, height=40, force_terminal=terminal,
                   color_system="truecolor" if terminal else None, highlight=False)  # fmt: skip


def drawn(scene: Scene, width: int = 120, now: float = 100.0) -> str:
    out = Console(file=io.StringIO(), width=width, color_system=None)
    out.print(picture(scene, now, width))
    return out.file.getvalue()


def run(view: LiveView, clock: Clock) -> None:
    view.on_stream(spec())
    for i in range(60):
        clock.now += 1 / 30
        seq = i + 3 * (i >= 50)
        view.on_sample(Sample("camera", seq, 0, 20_000_000, np.zeros((4, 4, 3), np.uint8)))
    window = Window("w000000", 5 * 10**9, 9 * 10**9, {})
    view.on_estimate(window, (cue(), cue(id="c2", text="", name="pitch", value=190.0, unit="Hz",
                              modality="voice")), Affect(fused={"joy": 0.75, "neutral": 0.25},
                              conflict=0.6, dissenting=("smell",)))  # fmt: skip
    view.on_text("w000000", "The mouth ")
    view.on_text("w000000", "smiles.")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_live_area_shows_the_street(width: int) -> None:
    clock = Clock()
    view = LiveView(console(width), title="demo", statements=("the face is recorded",), now_s=clock)
    run(view, clock)
    out = Console(file=io.StringIO(), width=width, color_system=None)
    out.print(view.draw())
    text = out.file.getvalue()
    for words in ("demo", "the face is recorded", "camera", "ok", "30.0 Hz", "20 ms", "recorded",
                  "a smile", "pitch 190 Hz", "75%", "conflict 0.60",
                  "The mouth smiles."):  # fmt: skip
        assert words in text, (words, text)
    assert max(len(line) for line in text.splitlines()) <= width
    lost = next(line.split() for line in text.splitlines() if line.startswith("camera"))
    assert "3" in lost


def test_a_stream_that_stops_is_seen() -> None:
    clock = Clock()
    view = LiveView(console(), now_s=clock)
    run(view, clock)
    clock.now += 5
    out = Console(file=io.StringIO(), width=120, color_system=None)
    out.print(view.draw())
    assert "quiet" in out.file.getvalue()
    assert "5.0 s" in out.file.getvalue()
    scene = Scene(streams={"microphone": StreamRow(spec(name="microphone", kind=Kind.AUDIO))})
    assert "waiting" in drawn(scene)


def test_sound_rate_counts_frames() -> None:
    row = StreamRow(spec(name="microphone", kind=Kind.AUDIO))
    for i in range(100):
        block = np.zeros((320, 1), np.int16)
        row.take(Sample("microphone", i, 0, 0, block), 100 + i * 0.02)
    assert row.rate_hz(102.0) == pytest.approx(16000)


def test_text_can_neither_style_nor_steer_the_terminal() -> None:
    clock = Clock()
    out = console(terminal=False)
    view = LiveView(out, title=EVIL, statements=(EVIL,), now_s=clock)
    with view:
        view.on_stream(spec(device=EVIL, name="camera"))
        view.on_estimate(Window("w0", 0, 1, {}), (cue(value=EVIL, untrusted=True),), Affect())
        view.on_text("w0", EVIL)
        view.on_note(EVIL)
        out.print(view.draw())
        view.on_report(report(EVIL, action="warned", reason=EVIL, danger="smoke"))
        out.print(view.draw())
    text = out.file.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert text.count("[red]not red[/red]") >= 8


def test_without_a_terminal_lines_are_plain_and_notes_told_once() -> None:
    out = console(terminal=False)
    with LiveView(out, title="run") as view:
        view.on_stream(spec())
        view.on_note("no language model")
        view.on_report(report())
        view.on_report(report())
    text = out.file.getvalue()
    assert "camera: recorded, face.mp4" in text
    assert "0.0 - 4.0 s" in text.replace("    ", "")
    assert text.count("no language model") == 1
    assert "told in every window" not in text
    assert text.count("How good to hear!") == 4  # step and answer, twice
    assert "\x1b" not in text


def test_on_a_terminal_finished_windows_scroll_and_the_area_goes() -> None:
    clock = Clock()
    out = console()
    with LiveView(out, title="live title", now_s=clock) as view:
        run(view, clock)
        view.on_report(report())
        assert view._live is not None
        view._live.refresh()
    text = out.file.getvalue()
    assert "live title" in text
    assert "encouraging" in text
    assert view._live is None


def test_danger_and_guard_are_shown() -> None:
    made = report("Leave now.", action="warned", reason="smoke pattern", danger="smoke")
    scene = Scene(answer=made.response)
    text = drawn(scene)
    assert "Leave now." in text
    assert "warned: smoke pattern" in text


def test_what_was_answered_between_windows_is_shown_at_once() -> None:
    made = report(EVIL, action="warned", reason=EVIL, danger="gas")
    smelt = cue(modality="smell", name="danger", value="gas")
    alert = Alert(t_ns=7 * 10**9, cue=smelt, response=made.response)
    out = io.StringIO()
    with LiveView(Console(file=out, force_terminal=False, width=200)) as view:
        view.on_alert(alert)
        view.on_report(report("Take your time.").model_copy(update={"alerts": (alert,)}))
    text = out.getvalue()
    assert "\x1b[2J" not in text
    first, second = text.index("robot, at once: "), text.index("robot, at once at 2.0 s: ")
    assert first < second < text.index("robot: Take your time.")


def test_safe_changes_control_characters_only() -> None:
    assert safe(report()) == report()
    assert "\x1b" not in safe(report("a\x1b[0mb")).model_dump_json()
