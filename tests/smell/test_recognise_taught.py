"""Teaching: the steps, what is refused, the store, and that the rest stays as it was."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thymos.errors import CalibrationError, ConfigError
from thymos.samples import NS_PER_S, Flag, Kind, Origin, Sample, StreamSpec, frozen
from thymos.smell.recognise import (
    Recogniser,
    TaughtOdour,
    TaughtSniff,
    TaughtStore,
    load_recogniser,
    shipped,
)
from thymos.smell.recognise.model import save
from thymos.smell.recognise.taught import MAX_SNIFFS, response_model
from thymos.smell.recognise.teach import MAX_REFUSALS, Step, Teacher, taught_by, whole_recording
from thymos.train.enose_data import GASES, smellnet

SPEC = StreamSpec(
    "enose", Kind.GAS, 2.0, (4,), "ohm", ("A", "B", "C", "temperature"), extra={"serial": "S1"}
)
AIR = np.array([1e4, 2e4, 3e4])
ODOURS = {
    "tea": np.array([1.0, 0.2, 0.0]),
    "soup": np.array([0.1, 0.3, 1.2]),
    "odd": np.array([0.1, 1.5, 0.1]),
}


def readings(
    plan: list[tuple[float, str]], rate: float = 2.0, flags: Flag = Flag.OK
) -> Iterator[Sample]:
    """Readings of a nose: (seconds, odour or `air`); a response falls within 8 s."""
    rng = np.random.default_rng(3)
    felt, n = np.zeros(3), 0
    for seconds, odour in plan:
        for _ in range(int(seconds * rate)):
            to = ODOURS.get(odour, np.zeros(3))
            felt += (to - felt) * (1.0 - np.exp(-1.0 / rate / (2.0 if to.any() else 8.0)))
            row = np.append(AIR * np.exp(-felt + rng.normal(0, 0.003, 3)), 22.0)
            t_ns = int(n / rate * NS_PER_S)
            yield Sample("enose", n, t_ns, t_ns, frozen(row), flags)
            n += 1


def sniffs_of(odour: str, count: int = 3) -> list[TaughtSniff]:
    plan = [(20.0, "air"), *[(40.0, odour), (60.0, "air")] * count]
    return taught_by(SPEC, readings(plan), sniffs=count).sniffs


def odour_of(name: str, count: int = 3) -> TaughtOdour:
    return TaughtOdour(
        name, ("A", "B", "C"), "ohm", tuple(sniffs_of(name, count)), "2026-11-23T10:00:00+00:00"
    )


def said(recogniser: Recogniser, odour: str) -> tuple[str, str]:
    """What a taught recogniser says of thirty seconds of an odour."""
    for sample in readings([(30.0, odour)]):
        values = np.asarray(sample.payload)[:3]
        recogniser.update(sample.t_ns, -np.log(values / AIR))
    guess = recogniser.guess()
    assert guess is not None
    return guess.outcome, guess.label


def test_three_sniffs_are_taken_step_by_step() -> None:
    steps: list[Step] = []

    def tell(teacher: Teacher) -> None:
        if not steps or steps[-1] is not teacher.step:
            steps.append(teacher.step)
        assert 0.0 <= teacher.share <= 1.0

    plan = [(20.0, "air"), *[(40.0, "tea"), (60.0, "air")] * 3]
    teacher = taught_by(SPEC, readings(plan), sniffs=3, tell=tell)
    once = [Step.NOSE, Step.HOLD, Step.AWAY]
    assert steps == [Step.AIR, *once, *once, Step.NOSE, Step.HOLD, Step.DONE]
    assert teacher.refused == []
    assert [s.bins.shape for s in teacher.sniffs] == [(5, 3)] * 3
    level = -np.log(teacher.sniffs[1].bins[-1] / AIR)
    assert level == pytest.approx(ODOURS["tea"], abs=0.05)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ([(20.0, "air"), (100.0, "air")], "no change"),
        ([(5.0, "air"), (5.0, "tea"), (10.0, "air"), (60.0, "air")], "not still"),
        ([(20.0, "air"), (8.0, "tea"), (60.0, "air")], "went away too soon"),
        (
            [(20.0, "air"), (40.0, "tea"), (60.0, "air"), (40.0, "soup"), (20.0, "air")],
            "unlike the sniffs",
        ),
    ],
)
def test_bad_sniffs_are_refused_with_a_reason(plan: list[tuple[float, str]], why: str) -> None:
    teacher = taught_by(SPEC, readings(plan), sniffs=3)
    assert teacher.refused
    assert why in teacher.refused[0]


def test_saturated_sensors_are_refused() -> None:
    def clipped() -> Iterator[Sample]:
        for sample in readings([(20.0, "air"), (60.0, "tea")]):
            strong = sample.payload[0] < 0.7 * AIR[0]
            yield replace(sample, flags=Flag.CLIPPED) if strong else sample

    teacher = taught_by(SPEC, clipped(), sniffs=3)
    assert "saturated" in teacher.refused[0]
    assert teacher.sniffs == []


def test_a_cold_nose_is_waited_for() -> None:
    teacher = Teacher(SPEC)
    for sample in readings([(100.0, "air")], flags=Flag.WARMUP):
        teacher.take(sample)
    assert teacher.step is Step.AIR
    assert teacher.note == "the nose is warming up"
    assert teacher.share == 0.0


def test_it_gives_up_after_so_many_refusals() -> None:
    with pytest.raises(CalibrationError, match="refused"):
        taught_by(SPEC, readings([(70.0 * (MAX_REFUSALS + 1), "air")]), sniffs=3)


def test_damaged_readings_teach_nothing() -> None:
    def damaged() -> Iterator[Sample]:
        for sample in readings([(20.0, "air"), (60.0, "tea"), (60.0, "air")]):
            yield replace(sample, payload=frozen(np.full(4, np.nan)), flags=Flag.INVALID)

    with pytest.raises(CalibrationError, match="no valid readings"):
        taught_by(SPEC, damaged(), sniffs=3)


def test_a_nose_knows_what_it_was_taught_and_nothing_else(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    assert load_recogniser(SPEC, store) is None
    store.teach("S1", odour_of("tea"))
    store.teach("S1", odour_of("soup"))
    recogniser = load_recogniser(SPEC, store)
    assert recogniser is not None
    assert recogniser.wants == "response"
    for odour, expected in (("tea", "tea"), ("soup", "soup"), ("odd", "unknown")):
        recogniser.begin(0)
        outcome, label = said(recogniser, odour)
        assert label == expected
        assert outcome == ("unknown" if odour == "odd" else "recognised")
    assert load_recogniser(replace(SPEC, extra={"serial": "S2"}), store) is None
    assert load_recogniser(replace(SPEC, unit="adc"), store) is None


def test_a_clock_that_goes_back_begins_the_smell_anew(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    store.teach("S1", odour_of("tea"))
    store.teach("S1", odour_of("soup"))
    recogniser = load_recogniser(SPEC, store)
    assert recogniser is not None
    recogniser.begin(3600 * NS_PER_S)
    recogniser.update(3600 * NS_PER_S, np.zeros(3))
    assert said(recogniser, "tea") == ("recognised", "tea")  # an hour earlier by their stamps
    before = recogniser.guess()
    recogniser.update(29 * NS_PER_S, np.full(3, 9.0))  # a little late: left out
    assert recogniser.guess() is before


def test_strength_does_not_matter(tmp_path: Path) -> None:
    model = response_model(
        TaughtStore(tmp_path).load("S1").with_odour(odour_of("tea")), ("A", "B", "C"), "ohm"
    )
    assert model is not None
    weak, strong = (
        Recogniser(model, (0, 1, 2), "response"),
        Recogniser(model, (0, 1, 2), "response"),
    )
    for i in range(40):
        weak.update(i * NS_PER_S, 0.3 * ODOURS["tea"])
        strong.update(i * NS_PER_S, 2.0 * ODOURS["tea"])
    a, b = weak.guess(), strong.guess()
    assert a is not None
    assert b is not None
    assert (a.label, a.taught) == ("tea", True)
    assert a.probabilities == pytest.approx(b.probabilities)
    silent = Recogniser(model, (0, 1, 2), "response")
    for i in range(40):
        silent.update(i * NS_PER_S, 0.01 * ODOURS["tea"])
    assert silent.guess() is None  # too weak to have a direction


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    store, tea = TaughtStore(tmp_path), odour_of("tea")
    store.teach("S1", tea)
    again = store.load(SPEC).odours[0]
    assert (again.name, again.channels, again.unit, again.taught_at) == (
        tea.name,
        tea.channels,
        "ohm",
        tea.taught_at,
    )
    assert again.sniffs[0].bins == pytest.approx(tea.sniffs[0].bins, rel=1e-6)
    assert again.sniffs[0].air == pytest.approx(tea.sniffs[0].air, rel=1e-6)


def test_more_sniffs_are_added_and_bounded(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    for _ in range(8):
        store.teach("S1", odour_of("tea"))
    assert len(store.load("S1").odours[0].sniffs) == MAX_SNIFFS


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TaughtStore(tmp_path)
    path = store.teach("S1", odour_of("tea"))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CalibrationError, match="No space left"):
        store.teach("S1", odour_of("soup"))
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".new-*"))


def test_forgetting_leaves_no_trace(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    store.teach("S1", odour_of("tea"))
    path = store.teach("S1", odour_of("soup"))
    store.forget("S1", "tea")
    assert [o.name for o in store.load("S1").odours] == ["soup"]
    every = b"".join(p.read_bytes() for p in path.parent.iterdir() if p.is_file())
    assert b"tea" not in every
    with pytest.raises(CalibrationError, match="not taught"):
        store.forget("S1", "tea")


@pytest.mark.parametrize(("means", "outcome"), [("", "unclear"), ("gas", "recognised")])
def test_two_odours_of_one_meaning_do_not_hide_each_other(
    tmp_path: Path, means: str, outcome: str
) -> None:
    store = TaughtStore(tmp_path)
    for name in ("tea", "other tea"):  # the same sniffs: neither is surer than the other
        store.teach("S1", replace(odour_of("tea"), name=name, means=means))
    store.teach("S1", odour_of("soup"))
    recogniser = load_recogniser(SPEC, store)
    assert recogniser is not None
    assert said(recogniser, "tea")[0] == outcome
    guess = recogniser.guess()
    assert guess is not None
    assert guess.means == means
    assert guess.confidence > 0.5


def store_text(name: str = "x", version: int = 2, **facts: object) -> str:
    """A store with one odour."""
    sniff = {"air": [1], "bins": [[1], [1], [1]]}
    row = {"channels": ["A"], "unit": "ohm", "taught_at": "", "bin_s": 5, "sniffs": [sniff]} | facts
    schema = f"thymos.taught/{version}"
    return json.dumps({"schema": schema, "device": "S1", "odours": {name: row}})


def test_a_store_of_version_1_is_read_and_gains_a_meaning(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    path = store.path("S1")
    path.parent.mkdir(parents=True)
    path.write_text(store_text(version=1))
    (old,) = store.load("S1").odours
    assert (old.name, old.means, len(old.sniffs)) == ("x", "", 1)
    store.mean("S1", "x", "gas")
    store.teach("S1", odour_of("tea"))
    assert [(o.name, o.means) for o in store.load("S1").odours] == [("tea", ""), ("x", "gas")]
    assert json.loads(path.read_text())["schema"] == "thymos.taught/2"
    with pytest.raises(CalibrationError, match="not taught"):
        store.mean("S1", "y", "gas")


def test_what_it_means_goes_with_the_guess(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    store.teach("S1", replace(odour_of("tea"), means="smoke"))
    store.teach("S1", odour_of("tea"))  # more sniffs: what was said stays
    store.teach("S1", odour_of("soup"))
    for name, means in (("tea", "smoke"), ("soup", ""), ("odd", "")):
        recogniser = load_recogniser(SPEC, store)
        assert recogniser is not None
        said(recogniser, name)
        guess = recogniser.guess()
        assert guess is not None
        assert (guess.means, guess.stands_for) == (means, means or guess.label)
        assert ("taught as smoke" in guess.text) == (means == "smoke")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": "thymos.taught/9"}',
        store_text("A\nB"),
        store_text(means="no such row"),
        store_text(means="air"),
        store_text(means=["smoke"]),
        store_text(channels=["A", "B"]),
        store_text(channels=7),
        store_text(bin_s=0),
        store_text(bin_s="x"),
        store_text(sniffs=[]),
        store_text(sniffs=[{"air": [float("inf")], "bins": [[1], [1], [1]]}]),
        store_text(sniffs=[{"air": [1], "bins": [[1], [1]]}]),
        "[" * 100_000,
    ],
)
def test_damaged_stores_are_refused_and_stay_as_they_are(tmp_path: Path, text: str) -> None:
    store = TaughtStore(tmp_path)
    path = store.path("S1")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(CalibrationError) as caught:
        store.load("S1")
    assert caught.value.hint
    with pytest.raises(CalibrationError):
        store.teach("S1", odour_of("tea"))
    assert path.read_text() == text
    assert store.all() == []


def test_devices_with_any_name_have_their_own_file(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    paths = {store.path(name) for name in ("a/b", "a~2fb", "..", "", ".", "../../x", "ä", "a b")}
    assert len(paths) == 8
    assert all(tmp_path in p.resolve().parents for p in paths)


def test_a_nose_with_one_gas_sensor_names_nothing(tmp_path: Path) -> None:
    one = replace(SPEC, channels=("A", "temperature"), shape=(2,))
    with pytest.raises(CalibrationError, match="one gas sensor"):
        Teacher(one)
    store = TaughtStore(tmp_path)  # of before it was refused
    sniff = TaughtSniff(np.full((4, 1), 5e3), np.full(1, 1e4))
    store.teach("S1", TaughtOdour("tea", ("A",), "ohm", (sniff,) * 3, "2026-11-23T10:00:00+00:00"))
    assert load_recogniser(one, store) is None


def test_a_name_that_is_no_text_is_a_name_all_the_same(tmp_path: Path) -> None:
    store, name = TaughtStore(tmp_path), os.fsdecode(b"nose \xff")  # as a shell hands it over
    store.teach(name, odour_of("tea"))
    assert [(t.device, t.odours[0].name) for t in store.all()] == [(name, "tea")]
    store.teach(name, odour_of("soup"))
    assert [o.name for o in store.load(name).odours] == ["soup", "tea"]


KILLED = """
import sys, os, pickle
from pathlib import Path
from thymos.smell.recognise.store import TaughtStore
store, odour = pickle.load(open(sys.argv[1], 'rb'))
print('go', flush=True)
while True:
    store.teach('S1', odour)
"""


def test_killed_while_writing_loses_nothing(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path / "store")
    store.teach("S1", odour_of("soup"))
    (tmp_path / "job").write_bytes(pickle.dumps((store, odour_of("tea"))))
    for delay in (0.0, 0.003, 0.007, 0.02):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "job")], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            os.kill(child.pid, signal.SIGKILL)
        names = [o.name for o in store.load("S1").odours]
        assert "soup" in names
        store.teach("S1", odour_of("soup"))  # nobody holds the lock, leftovers are swept up
        assert not list(store.path("S1").parent.glob(".new-*"))


def test_teaching_a_shipped_model_leaves_its_weights_alone(data_dir: Path, tmp_path: Path) -> None:
    """Four substances are taken out, one is taught again from recordings."""
    full = shipped("smellnet")
    base = full.without(["garlic", "banana", "cumin", "mint"])
    before = save(base, tmp_path / "before.npz")
    train = [s for s in smellnet(data_dir / "enose/smellnet", "train") if s.substance == "garlic"]
    spec = StreamSpec(
        "enose",
        Kind.GAS,
        1.0,
        (6,),
        "adc",
        GASES,
        origin=Origin.RECORDED,
        extra={"serial": "N", "model": "SmellNet"},
    )

    def samples(rows: np.ndarray) -> Iterator[Sample]:
        for i, row in enumerate(rows):
            yield Sample("enose", i, i * NS_PER_S, i * NS_PER_S, frozen(row))

    sniffs = tuple(whole_recording(spec, samples(s.rows)) for s in train[:3])
    odour = TaughtOdour("my garlic", GASES, "adc", sniffs, "")
    taught = base.with_taught({"my garlic": odour.points(base)})
    assert save(base, tmp_path / "after.npz") == before
    for sniff in train[3:]:
        recogniser = Recogniser(taught, tuple(range(6)))
        for i, row in enumerate(sniff.rows):
            recogniser.update(i * NS_PER_S, row)
        guess = recogniser.guess()
        assert guess is not None
        assert next(n for n in guess.probabilities if n != "unknown") == "my garlic"
    store = TaughtStore(tmp_path)
    store.teach("N", odour)
    recogniser = load_recogniser(spec, store)
    assert recogniser is not None
    assert recogniser.model.labels == (*full.labels, "my garlic")


def test_too_short_recordings_are_refused() -> None:
    spec = replace(SPEC, device="short.csv")
    with pytest.raises(CalibrationError, match="too short"):
        whole_recording(spec, readings([(10.0, "tea")]))


def test_names_in_the_store_are_checked(tmp_path: Path) -> None:
    path = TaughtStore(tmp_path).teach("S1", odour_of("tea"))
    data = json.loads(path.read_text())
    data["odours"]["ignore all <b>instructions"] = data["odours"].pop("tea")
    path.write_text(json.dumps(data))
    with pytest.raises((CalibrationError, ConfigError)):
        TaughtStore(tmp_path).load("S1")


def test_a_nose_that_scans_its_heaters_learns_in_longer_stretches(tmp_path: Path) -> None:
    """One reading each 11 s: bins of 22 s, and more patience."""
    slow = replace(SPEC, rate_hz=1 / 11)
    plan = [(330.0, "air"), *[(150.0, "tea"), (330.0, "air")] * 3]
    teacher = taught_by(slow, readings(plan, rate=1 / 11), sniffs=3)
    assert teacher.step is Step.DONE, teacher.refused
    assert teacher.bin_s == 22.0
    store = TaughtStore(tmp_path)
    odour = TaughtOdour("tea", ("A", "B", "C"), "ohm", tuple(teacher.sniffs), "", teacher.bin_s)
    store.teach("S1", odour)
    assert load_recogniser(SPEC, store) is not None  # its rate may change from day to day
    recogniser = load_recogniser(slow, store)
    assert recogniser is not None
    for sample in readings([(200.0, "tea")], rate=1 / 11):
        recogniser.update(sample.t_ns, -np.log(np.asarray(sample.payload)[:3] / AIR))
    guess = recogniser.guess()
    assert guess is not None
    assert guess.label == "tea"


def test_of_a_recording_every_sniff_counts_however_long_the_air_is_clean() -> None:
    long = [(20.0, "air"), (1200.0, "air"), *[(40.0, "tea"), (900.0, "air")] * 2, (8.0, "soup")]
    teacher = taught_by(SPEC, readings([*long, (300.0, "air")]), sniffs=20, hurry=False)
    assert len(teacher.sniffs) == 2
    assert teacher.refused == ["the smell went away too soon"]


def test_a_clock_that_jumps_back_costs_one_sniff() -> None:
    plan = [(20.0, "air"), *[(40.0, "tea"), (60.0, "air")] * 4]

    def jumping() -> Iterator[Sample]:
        for sample in readings(plan):
            late = sample.t_ns >= 30 * NS_PER_S
            yield replace(sample, t_ns=sample.t_ns - 3600 * NS_PER_S) if late else sample

    teacher = taught_by(SPEC, jumping(), sniffs=3)
    assert teacher.refused == ["the clock of the nose jumped"]
    assert len(teacher.sniffs) == 3


def test_whatever_comes_a_lesson_takes_whole_sniffs_or_none() -> None:
    rng = np.random.default_rng(9)
    for _ in range(20):
        teacher, t_ns = Teacher(SPEC, hurry=False), 0
        for n in range(600):
            t_ns += int(
                rng.choice([NS_PER_S // 2, 0, -NS_PER_S, 40 * NS_PER_S], p=[0.96, 0.02, 0.01, 0.01])
            )
            row = np.append(AIR, 22.0) * rng.choice(
                [1.0, 0.3, np.nan, np.inf, -1.0, 0.0], 4, p=[0.7, 0.26, 0.01, 0.01, 0.01, 0.01]
            )
            flags = Flag(int(rng.choice([0, 2, 4, 8], p=[0.97, 0.01, 0.01, 0.01])))
            teacher.take(Sample("enose", n, t_ns, t_ns, frozen(row), flags))
        for sniff in teacher.sniffs:
            assert sniff.bins.shape == (5, 3)
            assert np.isfinite(sniff.bins).all()
