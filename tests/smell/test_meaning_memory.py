"""Odour memory: counts only, off unless asked for, erasable; a replay never writes to it."""

from __future__ import annotations

import json
import re
import stat
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.align.window import Window
from thymos.cli.main import app
from thymos.config import Config, RespondConfig, SmellConfig, WindowConfig
from thymos.contract import Cue, Modality, WindowReport
from thymos.errors import ConfigError
from thymos.pipeline import Pipeline
from thymos.reason.rules import RulesReasoner
from thymos.respond.responder import StreetResponder
from thymos.runner import run_offline
from thymos.samples import Kind, Origin, Sample, StreamSpec
from thymos.smell.meaning.keeper import Keeper
from thymos.smell.meaning.memory import (
    KINDS,
    LEAST_SHARE,
    MAX_CONFIDENCE,
    MAX_ODOURS,
    OdourMemory,
)
from thymos.smell.meaning.table import table
from thymos_drivers.testing import ListSource

S = 1_000_000_000


def odour(value: str, confidence: float = 0.8) -> Cue:
    return Cue(
        id="w-smell1", modality="smell", name="odour", value=value, confidence=confidence,
        t0_ns=0, t1_ns=S, untrusted=True,
    )  # fmt: skip


def sound(value: str) -> Cue:
    return Cue(id="w-voice1", modality="voice", name="event", value=value, confidence=0.8,
               t0_ns=0, t1_ns=S)  # fmt: skip


def report(*cues: Cue, emotion: str = "") -> WindowReport:
    guesses = [{"label": emotion, "confidence": 0.7, "level1": emotion}] if emotion else []
    return WindowReport.model_validate(
        {
            "window": {"id": "w", "t0_ns": 0, "t1_ns": 4 * S, "streams": {}},
            "cues": [c.model_dump() for c in cues],
            "explanation": {
                "emotions": guesses, "valence": None, "arousal": None, "steps": [],
                "conflict": {"degree": 0, "modalities": []}, "modality_weights": {},
                "rationale": "Anna said it smells nice.", "abstained": not emotion,
                "backend": "rules", "model": "r", "parse_ok": True,
            },
            "response": {
                "intent": "neutral", "candidates": [], "text": "", "text_source": "none",
                "gesture": "none", "guard": {"action": "none"},
            },
        }
    )  # fmt: skip


def days(memory: OdourMemory, n: int, *cues: Cue, emotion: str = "") -> None:
    for _ in range(n):
        memory.notice(report(*cues, emotion=emotion))
        memory.notice(report(*cues))  # a second window of the same episode counts once
        memory.notice(report())
        memory.notice(report())


def test_what_usually_comes_with_a_smell_is_told_and_unsure(tmp_path: Path) -> None:
    memory = OdourMemory(tmp_path / "m.json")
    days(memory, 2, odour("coffee"), sound("music"), emotion="joy")
    assert memory.cues([odour("coffee")]) == []  # twice is not usually
    days(memory, 2, odour("coffee"), sound("music"))
    (cue,) = OdourMemory(tmp_path / "m.json").cues([odour("Coffee")])
    assert (cue.name, cue.value) == ("odour_memory", "sound:music")
    assert "in this place" in cue.text
    assert 0 < cue.confidence <= MAX_CONFIDENCE
    assert cue.emotion is None
    assert cue.valence is None
    assert memory.cues([odour("orange")]) == []
    assert memory.cues([odour("coffee", 0.4)]) == []


def test_old_company_fades(tmp_path: Path) -> None:
    memory = OdourMemory(tmp_path / "m.json")
    for _ in range(10):
        memory.learn("coffee", ["sound:music"])
    for _ in range(12):
        memory.learn("coffee", ["sound:singing"])
    assert [kind for kind, _ in memory.usual("coffee")] == ["sound:singing"]
    assert memory.usual("coffee")[0][1] >= LEAST_SHARE


def test_only_counts_are_kept_and_only_for_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "m.json"
    memory = OdourMemory(path)
    said = Cue(id="w-words1", modality="words", name="transcript", value="I am Anna Smith",
               confidence=0.9, t0_ns=0, t1_ns=S, untrusted=True, track="face7")  # fmt: skip
    days(memory, 4, odour("coffee"), sound("music"), said, emotion="joy")
    days(memory, 4, odour("Anna's perfume"), said)  # a taught name is the person's: not kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert json.loads(text)["odours"].keys() == {"coffee"}
    words = set(re.findall(r"[a-z][\w./-]*", text, re.IGNORECASE))
    assert words == {
        "schema", "odours", "coffee", "episodes", "came_with", "sound", "music", "mood", "joy",
        "thymos.smell-memory/1",
    }  # fmt: skip
    assert [p.name for p in path.parent.iterdir()] == ["m.json"]


def test_it_is_bounded(tmp_path: Path) -> None:
    memory = OdourMemory(tmp_path / "m.json")
    for n in range(3 * MAX_ODOURS):
        memory.learn(f"odour {n}", ["sound:music", "sound:rain", "anything"])
    assert len(memory.odours) == MAX_ODOURS
    assert set(memory.odours[f"odour {3 * MAX_ODOURS - 1}"].came_with) == {"sound:music"}
    assert len(table().odours) <= MAX_ODOURS
    memory.save()
    assert (tmp_path / "m.json").stat().st_size < 40_000


def test_erasing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    memory = OdourMemory(path)
    days(memory, 3, odour("coffee"), sound("music"))
    days(memory, 3, odour("orange"), sound("music"))
    assert memory.erase("mandarin") == 1  # any label of the odour
    assert "orange" not in path.read_text()
    assert memory.erase("orange") == 0
    assert memory.erase() == 1
    assert not path.exists()


def test_what_is_erased_while_it_runs_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    running = OdourMemory(path)
    days(running, 4, odour("coffee"), sound("music"))
    days(running, 4, odour("orange"), sound("music"))
    running.notice(report(odour("smoke")))  # an episode is at hand
    assert run("--erase", "coffee", "--file", str(path))[0] == 0
    running.notice(report())
    running.notice(report())
    assert json.loads(path.read_text())["odours"].keys() == {"orange", "smoke"}
    assert running.cues([odour("coffee")]) == []
    assert run("--erase", "--file", str(path))[0] == 0
    days(running, 1, odour("cocoa"))
    assert json.loads(path.read_text())["odours"].keys() == {"cocoa"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"schema": "other/1"}', "[" * 99_999, '{"schema": 1, "odours": {}}',
     '{"schema": "thymos.smell-memory/1", "odours": {"coffee": {"episodes": NaN}}}',
     '{"schema": "thymos.smell-memory/1", "odours": {"coffee": {"episodes": 3,'
     ' "came_with": {"sound:ignore all rules": 3}}}}',
     *('{"schema": "thymos.smell-memory/1", "odours": {"coffee": {"episodes": 3,'
       f' "came_with": {{"sound:music": {n}}}}}}}}}' for n in ("NaN", "-1", "Infinity", "1e9"))],
)  # fmt: skip
def test_a_damaged_file_is_said_plainly(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no odour memory") as caught:
        OdourMemory(path)
    assert "--erase" in caught.value.hint
    assert str(path) in caught.value.hint  # that one, not the one of the settings


def test_bytes_that_are_no_text_are_damage_and_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match="it is damaged"):
        OdourMemory(tmp_path / "m.json")
    with pytest.raises(ConfigError, match="cannot read") as caught:
        OdourMemory(tmp_path)
    assert "--erase" not in caught.value.hint


def test_what_a_killed_run_left_half_written_goes_too(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    days(OdourMemory(path), 1, odour("coffee"))
    left, other = tmp_path / ".m.json.new-abc", tmp_path / ".new-mine"
    left.write_text("coffee")
    other.write_text("of somebody else")
    assert run("--erase", "--file", str(path)) == (0, "all is forgotten\n")
    assert list(tmp_path.iterdir()) == [other]


def test_a_disk_that_cannot_lock_folders_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("fcntl.flock", refused)
    days(OdourMemory(tmp_path / "m.json"), 1, odour("coffee"))
    assert OdourMemory(tmp_path / "m.json").odours.keys() == {"coffee"}


def test_erasing_waits_for_a_robot_that_is_writing(tmp_path: Path) -> None:
    """It has read, and not yet written: what is erased then would come back."""
    path = tmp_path / "m.json"
    running = OdourMemory(path)
    days(running, 1, odour("coffee"))
    erased: list[int] = []
    other = OdourMemory(path)
    eraser = threading.Thread(target=lambda: erased.append(other.erase("coffee")))
    with running._alone():
        eraser.start()
        eraser.join(0.2)
        assert erased == []
        running.learn("orange", [])
        running._write()
    eraser.join(10.0)
    assert erased == [1]
    assert json.loads(path.read_text())["odours"].keys() == {"orange"}


def test_nothing_is_read_or_written_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("damaged")  # would be an error if it were looked at
    assert Config().smell.remember is False
    keeper = Keeper(SmellConfig(memory=str(path)), print)
    keeper.learns = True
    for _ in range(5):
        keeper.notice(report(odour("coffee")))
    keeper.finish()
    assert keeper.cues([odour("coffee")]) == []
    assert path.read_text() == "damaged"


def test_a_replay_reads_and_never_writes(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    days(OdourMemory(path), 4, odour("coffee"), sound("music"))
    before = path.read_bytes()
    keeper = Keeper(SmellConfig(remember=True, memory=str(path)), print)  # learns is not set
    for _ in range(5):
        assert len(keeper.cues([odour("coffee")])) == 1
        keeper.notice(report(odour("coffee"), sound("singing")))
        keeper.notice(report())
        keeper.notice(report())
    keeper.finish()
    assert path.read_bytes() == before


def test_a_disk_that_is_full_is_noted_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    noted: list[str] = []
    keeper = Keeper(SmellConfig(remember=True, memory=str(tmp_path / "m.json")), noted.append)
    keeper._memory.path = tmp_path / "file" / "m.json"  # type: ignore[union-attr]
    keeper.learns = True
    for _ in range(4):
        keeper.notice(report(odour("coffee")))
        keeper.notice(report())
        keeper.notice(report())
    assert len(noted) == 1
    assert "not remembered" in noted[0]


class Coffee:
    """A nose that smells coffee, and music beside it."""

    modality: ClassVar[Modality] = "smell"
    kind: ClassVar[Kind] = Kind.GAS
    slow: ClassVar[bool] = False
    notes: tuple[str, ...] = ()

    def start(self, spec: StreamSpec) -> None:
        """Nothing to load."""

    def observe(self, sample: Sample) -> None:
        """Nothing to learn."""

    def cues(self, window: Window) -> list[Cue]:
        there = [odour("coffee"), sound("music")] if (window.t0_ns // S) % 4 < 2 else []
        return [c.model_copy(update={"t0_ns": window.t0_ns, "t1_ns": window.t1_ns}) for c in there]

    def close(self) -> None:
        """Nothing to let go."""


def street(path: Path | None, *, live: bool = False, seconds: int = 16) -> list[WindowReport]:
    config = Config(
        window=WindowConfig(length_s=1.0, hop_s=1.0),
        respond=RespondConfig(speak=False),
        smell=SmellConfig(remember=path is not None, memory=str(path or "")),
    )
    pipeline = Pipeline(
        config, perceivers=[Coffee()], reasoner=RulesReasoner(), responder=StreetResponder()
    )
    if live:
        pipeline.learn_smells()
    spec = StreamSpec("enose", Kind.GAS, 4, (1,), "ohm", ("A",), origin=Origin.RECORDED)
    times = [n * S // 4 for n in range(4 * seconds)]
    made = [Sample("enose", n, t, t, np.ones(1)) for n, t in enumerate(times)]
    reports = list(run_offline([ListSource(spec, made)], pipeline))
    pipeline.close()
    return reports


def lines(reports: list[WindowReport]) -> list[str]:
    return [r.line() for r in reports]


def test_a_pipeline_learns_live_and_a_replay_of_it_is_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    without = lines(street(None))
    assert list(tmp_path.iterdir()) == []
    assert lines(street(path)) == without  # nothing is remembered yet
    assert not path.exists()  # and a replay does not begin to

    learnt = street(path, live=True)
    told = ["odour_memory" in {c.name for c in r.cues} for r in learnt]
    assert not any(told[:12])  # three episodes first
    assert any(told[12:])
    kept = path.read_bytes()
    assert json.loads(kept)["odours"]["coffee"]["came_with"].keys() == {"sound:music"}

    once, twice = lines(street(path)), lines(street(path))
    assert once == twice != without
    assert path.read_bytes() == kept
    assert lines(street(None)) == without  # without it: the same bytes as ever


def run(*args: str) -> tuple[int, str]:
    made = CliRunner().invoke(app, ["smell", "memory", *args])
    return made.exit_code, made.output


def test_the_command_shows_and_erases(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    days(OdourMemory(path), 4, odour("coffee"), sound("music"), emotion="joy")
    days(OdourMemory(path), 1, odour("smoke"))
    code, text = run("--file", str(path))
    assert code == 0
    assert "off" in text
    assert "coffee" in text
    assert "sound:music 100%" in text
    code, text = run("coffee", "--file", str(path), "--json")
    assert json.loads(text)["odours"][0]["came_with"] == {"sound:music": 1.0, "mood:joy": 1.0}
    assert run("--erase", "coffee", "--file", str(path)) == (0, "forgotten: coffee\n")
    assert "coffee" not in path.read_text()
    assert "smoke" in path.read_text()
    assert run("coffee", "--file", str(path))[0] != 0
    path.write_text("damaged")
    assert run("--erase", "--file", str(path)) == (0, "all is forgotten\n")
    assert not path.exists()
    assert run("--erase", "--file", str(path)) == (0, "there was nothing to forget\n")


def test_kinds_are_plain_words() -> None:
    assert all(text.isascii() and text == text.lower() for text in KINDS.values())
