"""Frames as JSON: nothing is lost, the schema tells the truth, and what is none is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smell_frames import frames, noses
from thymos.errors import FrameError, MediaError
from thymos.samples import Flag
from thymos.smell.check import Checker, problems
from thymos.smell.codec import LIMITS
from thymos.smell.frame import (
    BaselineAir,
    Channel,
    Fault,
    Nose,
    Odorant,
    Percept,
    Phase,
    SmellFrame,
    TimeSource,
)
from thymos.smell.schema import (
    dumps,
    from_dict,
    json_schema,
    loads,
    nose_from_dict,
    nose_to_dict,
    read_lines,
    to_dict,
    write_lines,
)

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads(json_schema())
VALID = jsonschema.Draft202012Validator(SCHEMA)
LINE = jsonschema.Draft202012Validator(SCHEMA | {"required": []} | SCHEMA["$defs"]["Line"])
NOSE = Nose(
    "BME688",
    "42",
    (
        Channel("s0_h0", "ohm", "BME688", "0", "VOC", "heater_354", 0, 320.0, 700_000_000),
        Channel("NO2", "adc", supply_volt=5.0, load_ohm=1e4, adc_bits=10, adc_volt=3.3),
    ),
    ("temperature", "humidity", "pressure"),
    rate_hz=1.0,
    tick_hz=1000.0,
    burn_in_ns=10**15,
    frame_id="enose_link",
    extra={"firmware": "1.5"},
)
FULL = SmellFrame(
    NOSE,
    7,
    1_700_000_000_123_456_789,
    np.array([4294967295.0, -0.0]),
    (Fault.SENTINEL, Fault.NONE),
    (0, 140_000_000),
    1_700_000_000_123_999_999,
    TimeSource.DEVICE,
    2**53 + 1,
    0.97,
    21.53,
    100.0,
    1013.25,
    {"humidity": Fault.STUCK},
    BaselineAir(np.array([1e5, np.nan]), np.array([10.0, np.inf]), 5, "first_seconds", 60),
    300_000_000_000,
    Phase.EXPOSURE,
    (Odorant("ethanol", "64-17-5", 50.0, "ppm"),),
    (Percept("panel 1", ("sweet", "sharp"), -0.25, 0.5),),
    "2026-11-23 a",
    Flag.GAP_BEFORE | Flag.TIME_JUMP,
    "odd \udce9",
    {"Altitude": "15.44"},
)


def test_every_field_is_used_by_the_full_example() -> None:
    """So that the tests below see all of them, also one that is added later."""
    made = to_dict(FULL)
    assert set(made) == {"version", *(f.name for f in dataclasses.fields(SmellFrame))}
    assert set(made["nose"]) == {f.name for f in dataclasses.fields(Nose)} - {"simulated"}
    told = set(made["nose"]["channels"][0]) | set(made["nose"]["channels"][1])
    assert told == {f.name for f in dataclasses.fields(Channel)}


def test_the_schema_in_the_docs_is_that_of_the_code() -> None:
    stored = (ROOT / "docs/schema/smellframe.json").read_text(encoding="utf-8")
    assert stored == json_schema(), "python -m thymos.smell.schema > docs/schema/smellframe.json"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_all_limits_belong_to_fields() -> None:
    text = json.dumps({k: v for k, v in SCHEMA["$defs"].items() if k != "Line"})
    assert text.count('"minimum"') + text.count('"maximum"') == sum(
        limit is not None for pair in LIMITS.values() for limit in pair
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_a_frame_comes_back_from_json_in_every_bit_and_fits_the_schema(one: SmellFrame) -> None:
    text = dumps(to_dict(one))
    data = loads(text)
    assert from_dict(data) == one
    assert dumps(to_dict(from_dict(data))) == text
    VALID.validate(data)


def test_the_full_example_comes_back_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.smell.jsonl"
    other = replace(FULL, nose=replace(NOSE, serial="43"))
    written = [FULL, replace(FULL, seq=8), other, FULL]
    assert write_lines(path, written) == 4
    assert [*read_lines(path)] == written
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert ["nose" in line for line in lines] == [True, False, True, True]
    assert lines[0]["tick"] == 2**53 + 1
    assert lines[0]["values"][0] == 4294967295.0
    assert str(lines[0]["values"][1]) == "-0.0"
    assert lines[0]["baseline"]["values"][1] is None
    assert lines[0]["baseline"]["spread"][1] == "inf"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_frames_come_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    nose = data.draw(noses())
    written = data.draw(st.lists(frames(nose) | frames(), max_size=4))
    path = tmp_path_factory.mktemp("lines") / "a.smell.jsonl"
    write_lines(path, written)
    if written:
        assert [*read_lines(path)] == written


def test_noses_that_alternate_are_described_once(tmp_path: Path) -> None:
    path = tmp_path / "a.smell.jsonl"
    sensors = [replace(NOSE, serial=str(i)) for i in range(3)]
    copies = [replace(nose) for nose in sensors]  # equal, and other objects
    order = [0, 1, 2, 0, 0, 1]
    written = [replace(FULL, seq=i, nose=sensors[k]) for i, k in enumerate(order)]
    written += [replace(FULL, seq=6, nose=copies[1]), replace(FULL, seq=7, nose=copies[0])]
    write_lines(path, written)
    assert [*read_lines(path)] == written
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line.get("nose", "-") for line in lines]
    assert [n if isinstance(n, int | str) else "whole" for n in told] == [
        *("whole", "whole", "whole", 0, "-", 1, "-", 0)
    ]
    for line in lines:
        LINE.validate(line)


@pytest.mark.parametrize(
    ("second", "words"),
    [({"nose": 3}, "of nose 3, and 1 are described"), ({"nose": "x"}, "'x' is no nose")],
)
def test_a_line_of_a_nose_that_nobody_described_is_refused(
    tmp_path: Path, second: dict[str, Any], words: str
) -> None:
    path = tmp_path / "a.smell.jsonl"
    plain = replace(FULL, note="")
    path.write_text(
        dumps(to_dict(plain)) + "\n" + dumps(to_dict(plain, nose=False) | second) + "\n"
    )
    with pytest.raises(FrameError, match=f"line 2: .*{words}"):
        [*read_lines(path)]
    path.write_text(dumps(to_dict(plain, nose=False)) + "\n")
    with pytest.raises(FrameError, match="line 1: it does not tell its nose"):
        [*read_lines(path)]


def test_a_nose_alone() -> None:
    assert nose_from_dict(loads(dumps(nose_to_dict(NOSE)))) == NOSE


# -- what is refused


def changed(**parts: Any) -> dict[str, Any]:
    return to_dict(FULL) | parts


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "no JSON object"),
        (changed(version="2.0"), "version '2.0'"),
        (changed(version=1), "version 1"),
        (changed(seq=1.0), "seq: 1.0 is not an integer"),
        (changed(seq=True), "seq: True is not an integer"),
        (changed(t_ns=2**63), "t_ns: 9223372036854775808 is not"),
        (changed(values=[1.0]), r"values of shape \(1,\)"),
        (changed(values=["1", 2]), r"values\[0\]: '1' is not a number"),
        (changed(values=[10**400, 2]), r"values\[0\]"),
        (changed(values=None), "values: None is not a list"),
        (changed(faults=["", "broken"]), r"faults\[1\]: 'broken' is not one of"),
        (changed(phase="sniff"), "phase: 'sniff'"),
        (changed(flags=["odd"]), "'odd' is not one of"),
        (changed(note=3), "note: 3 is not a text"),
        (changed(extra={"a": 1}), "extra.a: 1 is not a text"),
        (changed(odorants=[{}]), r"odorants\[0\]: lacks 'name'"),
        (changed(baseline={"values": [1.0]}), "baseline: lacks"),
        (changed(nose={"model": "x"}), "nose: lacks 'serial'"),
        (changed(nose=5), "nose: 5 is not an object"),
    ],
)
def test_what_is_no_frame_is_refused_with_its_place(data: Any, words: str) -> None:
    with pytest.raises(FrameError, match=words) as caught:
        from_dict(data)
    assert caught.value.hint


def test_a_frame_without_a_nose_needs_one() -> None:
    bare = to_dict(FULL, nose=False)
    with pytest.raises(FrameError, match="does not tell its nose"):
        from_dict(bare)
    assert from_dict(bare, NOSE) == FULL


def test_what_a_later_version_adds_is_left_out() -> None:
    later = changed(version="1.7", wind={"speed": 3.0})
    later["nose"] = later["nose"] | {"pump": "on"}
    assert from_dict(later) == FULL
    VALID.validate(later)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[" * 100_000, b'{"seq": 1e999}', b"\xff\xfe", b"1" * 9000]
)
def test_garbage_is_refused_in_words(text: bytes) -> None:
    with pytest.raises(FrameError):
        from_dict(loads(text))


def test_a_file_that_was_cut_off_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "a.smell.jsonl"
    write_lines(path, [FULL, replace(FULL, seq=8)])
    path.write_bytes(path.read_bytes()[:-30])
    rows = read_lines(path)
    assert next(rows) == FULL
    with pytest.raises(FrameError, match=r"line 2 \(the file was cut off there\)"):
        next(rows)


def test_empty_and_missing_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(MediaError, match="0 bytes"):
        next(read_lines(tmp_path / "a"))
    with pytest.raises(MediaError, match="No such file"):
        next(read_lines(tmp_path / "b"))


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> Any:
        yield FULL
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_lines(tmp_path / "a.smell.jsonl", broken())
    with pytest.raises(FrameError, match="cannot write"):
        write_lines(tmp_path / "no" / "a.smell.jsonl", [FULL])
    assert not list(tmp_path.iterdir())


# -- the checker


def test_the_full_example_conforms() -> None:
    assert problems(FULL) == []


def _channel(**parts: Any) -> Callable[[SmellFrame], SmellFrame]:
    def change(frame: SmellFrame) -> SmellFrame:
        first, second = frame.nose.channels
        nose = replace(frame.nose, channels=(first, replace(second, **parts)))
        return replace(frame, nose=nose)

    return change


def _with(**parts: Any) -> Callable[[SmellFrame], SmellFrame]:
    return lambda frame: replace(frame, **parts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_with(faults=(Fault.NONE, Fault.NONE)), "s0_h0: 4294967295 stands for no value"),
        (_with(faults=(Fault.MISSING, Fault.NONE)), "s0_h0: missing, and yet"),
        (_with(values=np.array([np.nan, 1]), faults=(Fault.NONE,) * 2), "no value and no reason"),
        (_with(seq=-1), "seq is -1, not at least 0"),
        (_with(on_for_ns=-2), "on_for_ns is -2"),
        (_with(air_faults={}, humidity_percent=140.0), "humidity: 140 percent cannot be"),
        (_with(pressure_hpa=101325.0), "pressure: 101325 hPa cannot be"),
        (_with(nose=replace(NOSE, air=())), "temperature: told, but the nose does not"),
        (_with(nose=replace(NOSE, model="")), "nose: it has no model"),
        (_with(nose=replace(NOSE, rate_hz=-1.0)), "rate_hz is -1"),
        (_with(odorants=(Odorant(""),)), "odorant without a name"),
        (_with(percepts=(Percept("", pleasantness=2.0),)), "percept without a rater"),
        (_with(percepts=(Percept("a", pleasantness=2.0),)), "pleasantness is 2, not -1 to 1"),
        (_with(baseline=BaselineAir(np.ones(2), np.ones(2), 1, "")), "how it was taken"),
        (_channel(unit=""), "NO2: no unit"),
        (_channel(name="Humidity"), "Humidity: measures the air"),
        (_channel(adc_bits=65), "NO2: adc_bits is 65, not 0 to 64"),
        (_channel(heater_step=-2), "NO2: heater_step is -2"),
    ],
)
def test_what_breaks_the_specification_is_told(
    change: Callable[[SmellFrame], SmellFrame], words: str
) -> None:
    assert any(words in text for text in problems(change(FULL))), problems(change(FULL))


def test_the_checker_tells_where_and_how_often() -> None:
    checker = Checker()
    later = replace(FULL, seq=8, t_ns=FULL.t_ns + 1)
    for frame in (FULL, later, later, replace(FULL, seq=9), replace(FULL, seq=0, session="b")):
        checker.add(frame)
    other = replace(NOSE, serial="43")  # readings of several noses may alternate
    for i in range(3):
        for nose in (replace(NOSE, serial="44"), other):
            checker.add(replace(FULL, seq=i, t_ns=i, nose=nose))
    assert checker.frames == 11
    assert checker.found == {"seq does not grow": (2, 1), "time goes back": (3, 1)}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_frame_with_anything_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    made = json.loads(dumps(to_dict(FULL)))
    place: Any = made
    while True:  # walk to some place
        keys = [*place] if isinstance(place, dict) else [*range(len(place))]
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    if data.draw(st.booleans()):
        place[key] = data.draw(JUNK)
    else:
        del place[key]
    try:
        found = from_dict(made)
    except FrameError:
        return
    assert from_dict(loads(dumps(to_dict(found)))) == found
    assert isinstance(problems(found), list)
