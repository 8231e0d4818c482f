"""What counts as a difference, and how it is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thymos.contract import SCHEMA_VERSION, WindowReport
from thymos.errors import MediaError, RecordingError
from thymos.golden import Tolerance, as_json, compare, read_golden, write_golden

Window = dict[str, Any]


def window(n: int = 0) -> Window:
    """A window as it stands in a file."""
    name = f"w{n:06d}"
    report = WindowReport.model_validate(
        {
            "window": {
                "id": name,
                "t0_ns": n * 2_000_000_000,
                "t1_ns": (n + 1) * 2_000_000_000,
                "streams": {
                    "camera": {"state": "present", "age_ms": 12.5, "samples": 30, "gaps": 0,
                               "dropped": 0}
                },
            },
            "cues": [
                {
                    "id": f"{name}-face1", "modality": "face", "name": "expression",
                    "value": {"joy": 0.7, "neutral": 0.3}, "confidence": 0.8, "t0_ns": 0,
                    "t1_ns": 10, "text": "looks most like joy (0.70)", "emotion": {"joy": 0.7},
                },
                {
                    "id": f"{name}-voice1", "modality": "voice", "name": "pitch", "value": 141.25,
                    "unit": "Hz", "confidence": 0.6, "t0_ns": 0, "t1_ns": 10,
                },
                {
                    "id": f"{name}-words1", "modality": "words", "name": "transcript",
                    "value": "I am glad", "confidence": 0.6, "t0_ns": 0, "t1_ns": 10,
                    "untrusted": True,
                },
            ],
            "explanation": {
                "emotions": [
                    {"label": "joy", "confidence": 0.61, "level1": "joy"},
                    {"label": "neutral", "confidence": 0.39, "level1": "neutral"},
                ],
                "valence": 0.4, "arousal": 0.1, "steps": [],
                "conflict": {"degree": 0.0, "modalities": []}, "modality_weights": {"face": 1.0},
                "rationale": "They seem glad (0.61).", "abstained": False, "backend": "rules",
                "model": "r1", "parse_ok": True,
            },
            "response": {
                "intent": "agreeing", "candidates": [], "text": "That is good.",
                "text_source": "template", "gesture": "smile", "guard": {"action": "none"},
            },
            "notes": ["it was dark"],
        }
    )  # fmt: skip
    return as_json(report)


def changed(edit: Callable[[Window], object], n: int = 0) -> Window:
    made = copy.deepcopy(window(n))
    edit(made)
    return made


def put(*path: str | int) -> Callable[[Any], Callable[[Window], None]]:
    def of(value: Any) -> Callable[[Window], None]:
        def edit(made: Window) -> None:
            place: Any = made
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value

        return edit

    return of


PITCH = put("cues", 1, "value")
SURE = put("cues", 0, "confidence")
JOY = put("cues", 0, "value", "joy")
RATIONALE = put("explanation", "rationale")


@pytest.mark.parametrize(
    "edit",
    [
        put("latency_ms")({"total": 900.0}),  # never counts
        PITCH(141.25 + 0.14),  # a thousandth of what is expected
        SURE(0.8 + 0.019),
        JOY(0.7 - 0.019),
        put("explanation", "valence")(0.381),
        put("cues", 0, "text")("looks most like joy (0.71)"),  # one in the last digit
        RATIONALE("They seem glad (0.60)."),
    ],
)
def test_within_tolerance(edit: Callable[[Window], None]) -> None:
    assert compare([window()], [changed(edit)]).same


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (PITCH(141.25 + 0.15), "cues[w000000-voice1].value"),
        (SURE(0.8 + 0.021), "cues[w000000-face1].confidence"),
        (JOY(0.7 - 0.021), "cues[w000000-face1].value.joy"),
        (put("window", "t1_ns")(2_000_000_001), "window.t1_ns"),
        (put("window", "streams", "camera", "samples")(31), "window.streams.camera.samples"),
        (
            put("window", "streams", "camera", "age_ms")(12.500001),
            "window.streams.camera.age_ms",
        ),
        (put("cues", 2, "value")("I am mad"), "cues[w000000-words1].value"),
        (put("cues", 0, "text")("looks most like fear (0.70)"), "cues[w000000-face1].text"),
        (put("cues", 0, "text")("looks most like joy (0.75)"), "cues[w000000-face1].text"),
        (RATIONALE("They seem sad (0.61)."), "explanation.rationale"),
        (put("explanation", "abstained")(True), "explanation.abstained"),
        (put("explanation", "arousal")(None), "explanation.arousal"),
        (put("response", "gesture")("nod"), "response.gesture"),
        (put("notes")(["it was dark", "more"]), "notes[1]"),
        (lambda w: w["cues"].pop(1), "cues[w000000-voice1]"),
        (lambda w: w["explanation"]["emotions"].reverse(), "explanation.emotions (order)"),
        (lambda w: w.update(news=1), "news"),
    ],
)
def test_beyond_tolerance(edit: Callable[[Window], None], path: str) -> None:
    found = compare([window()], [changed(edit)])
    assert [(d.window, d.path) for d in found.differences] == [("w000000", path)]
    assert path in found.text()


def test_without_tolerance_the_last_digit_counts() -> None:
    nearly = changed(PITCH(141.25000000000003))
    assert compare([window()], [nearly]).same
    assert not compare([window()], [nearly], Tolerance.none()).same
    assert compare([window()], [window()], Tolerance.none()).same


def test_texts_can_be_left_out_but_not_what_was_heard() -> None:
    allowed = Tolerance(texts=False)
    other = changed(RATIONALE("Other words."))
    put("notes")([])(other)
    put("response", "text")("Nice.")(other)
    assert compare([window()], [other], allowed).same
    put("cues", 2, "value")("I am mad")(other)
    assert not compare([window()], [other], allowed).same


def test_missing_and_extra_windows_are_named() -> None:
    found = compare([window(0), window(1)], [window(1), window(2)])
    assert (found.missing, found.extra, found.differences) == (["w000000"], ["w000002"], [])
    assert found.text() == "missing: w000000; not expected: w000002"


def test_an_extra_cue_is_one_difference_not_a_shift_of_all() -> None:
    def insert(made: Window) -> None:
        made["cues"].insert(1, {**made["cues"][1], "id": "w000000-voice0"})

    found = compare([window()], [changed(insert)])
    assert [d.path for d in found.differences] == ["cues[w000000-voice0]"]
    assert found.differences[0].expected == "nothing"


def test_the_diff_is_grouped_bounded_and_harmless_to_a_terminal() -> None:
    many = [changed(SURE(0.1), n) for n in range(50)]
    put("cues", 2, "value")("\x1b[31mred\u202e")(many[0])
    found = compare([window(n) for n in range(50)], many)
    text = found.text(limit=20)
    assert text.splitlines()[0] == "51 differences in 50 of 50 windows"
    assert len(text.splitlines()) <= 22
    assert text.splitlines()[-1] == f"and {51 - text.count('expected  ')} more"
    assert text.splitlines()[1] == "w000000"
    assert text.count("w000000\n") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_long_texts_are_shown_where_they_differ() -> None:
    found = compare(
        [changed(RATIONALE("same " * 100 + "glad"))], [changed(RATIONALE("same " * 100 + "sad"))]
    )
    assert "glad" in found.differences[0].expected
    assert "sad" in found.differences[0].got
    assert len(found.differences[0].expected) < 110


def test_another_backend_is_said_first() -> None:
    other = changed(put("explanation", "backend")("llama"))
    lines = list(compare([window()], [other]).lines())
    assert lines[0] == (
        "remark", "the golden file was reasoned by rules (r1), this run by llama (r1)"
    )  # fmt: skip


# -- files


def test_a_golden_file_is_the_windows_file(tmp_path: Path) -> None:
    reports = [WindowReport.model_validate(window(n)) for n in range(3)]
    write_golden(tmp_path / "new" / "golden.jsonl", reports)
    path = tmp_path / "new" / "golden.jsonl"
    assert path.read_text() == "".join(r.line() for r in reports)
    assert compare(read_golden(path), [as_json(r) for r in reports], Tolerance.none()).same
    assert [p.name for p in path.parent.iterdir()] == ["golden.jsonl"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("not json\n", "line 1"),
        ("[]\n", "line 1"),
        ('{"schema_version": "1.1.0"}\n', "line 1"),
        (json.dumps({**window(), "schema_version": "0.9.0"}) + "\n", "contract 0.9.0"),
    ],
)
def test_what_is_no_golden_file_is_said_plainly(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(text)
    with pytest.raises(MediaError, match=words) as caught:
        read_golden(path)
    assert "--update" in caught.value.hint


def test_another_version_names_both(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(json.dumps({**window(), "schema_version": "2.0.0"}))
    with pytest.raises(MediaError, match=f"contract 2.0.0, this Thymos writes {SCHEMA_VERSION}"):
        read_golden(path)


def test_nothing_is_written_of_nothing_or_into_nowhere(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no window"):
        write_golden(tmp_path / "golden.jsonl", [])
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot write"):
        write_golden(tmp_path / "file" / "golden.jsonl", [WindowReport.model_validate(window())])
