"""Recognition: map, model, online, loading."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thymos.errors import ConfigError, ModelError
from thymos.samples import NS_PER_S, Kind, Origin, StreamSpec
from thymos.smell.recognise import (
    UNKNOWN,
    OdourModel,
    Recogniser,
    TaughtStore,
    load_recogniser,
    odour_name,
    shipped,
)
from thymos.smell.recognise.embed import Embedding, code, quantile_edges, sniff_points, windows
from thymos.smell.recognise.guess import decide
from thymos.smell.recognise.load import SHIPPED
from thymos.smell.recognise.model import Facts, load, save
from thymos.train.enose_data import GASES, smellnet

SMELLNET = StreamSpec(
    "enose",
    Kind.GAS,
    1.0,
    (7,),
    "adc",
    ("Benzene", *GASES),
    origin=Origin.RECORDED,
    device="x.csv",
    extra={"model": "SmellNet"},
)


def toy(spread: float = 0.1) -> OdourModel:
    """Two channels, two odours: the level of the first channel is ln 10 or ln 100."""
    embedding = Embedding(
        np.array([[0.0, 1.0, 10.0]] * 4), np.zeros(8), np.eye(8)[:, :4] + np.eye(8)[:, 4:]
    )
    rng = np.random.default_rng(0)
    bins = [np.log([[level, 10.0]] * 4) + rng.normal(0, spread, (4, 2)) for level in (10, 100)]
    points = np.concatenate([sniff_points(embedding(windows(b))) for b in bins])
    facts = Facts("toy", ("A", "B"), "adc", (0.0, 0.0), known=(5.0, 1.0, 0.0))
    return OdourModel(facts, embedding, ("ten", "hundred"), points, np.repeat([0, 1], 4))


def feed(recogniser: Recogniser, rows: object, begin_ns: int = 0, step_ns: int = NS_PER_S) -> None:
    for i, row in enumerate(np.asarray(rows, dtype=np.float64)):
        recogniser.update(begin_ns + i * step_ns, row)


def test_the_code_is_how_far_a_value_came_through_each_bin() -> None:
    edges = np.array([[0.0, 2.0, 4.0], [1.0, 5.0, np.inf]])
    got = code(np.array([[3.0, 2.0], [-1.0, 9.0], [np.nan, 5.0]]), edges)
    assert got[0].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert got[1].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert np.isnan(got[2, :2]).all()
    assert got[2, 2:].tolist() == [1.0, 0.0]


def test_equal_quantiles_are_merged() -> None:
    edges = quantile_edges(np.array([[1.0], [1.0], [1.0], [1.0], [3.0]]), 4)
    assert edges.tolist() == [[1.0, 3.0, np.inf, np.inf, np.inf]]


def test_a_missing_feature_counts_as_the_average() -> None:
    embedding = Embedding(np.array([[0.0, 1.0]]), np.array([0.25]), np.array([[2.0]]))
    assert embedding(np.array([[np.nan], [0.25], [1.0]])).ravel().tolist() == [0.0, 0.0, 1.5]


def test_it_tells_two_odours_and_neither_apart_from_a_third() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    feed(recogniser, [[100.0, 10.0]] * 30)
    guess = recogniser.guess()
    assert guess is not None
    assert guess.label == "hundred"
    assert guess.outcome == "recognised"
    assert sum(guess.probabilities.values()) == pytest.approx(1.0)
    assert next(iter(guess.probabilities)) == "hundred"
    assert guess.confidence == guess.probabilities["hundred"]
    far = replace(toy(), facts=replace(toy().facts, known=(1.0, 4.0, 0.0)))
    stranger = Recogniser(far, (0, 1))
    feed(stranger, [[100.0, 9000.0]] * 30)
    guess = stranger.guess()
    assert guess is not None
    assert (guess.outcome, guess.label) == ("unknown", UNKNOWN)


def test_between_two_odours_it_abstains() -> None:
    outcome, label, sure = decide({"a": 0.45, "b": 0.4, UNKNOWN: 0.15})
    assert (outcome, label) == ("unclear", UNKNOWN)
    assert sure == pytest.approx(0.55)
    assert decide({UNKNOWN: 0.4, "a": 0.3, "b": 0.3})[:2] == ("unknown", UNKNOWN)


def test_nothing_is_said_before_a_whole_window_and_never_of_the_future() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    feed(recogniser, [[10.0, 10.0]] * 15)
    assert recogniser.guess() is None
    recogniser.update(15 * NS_PER_S, np.array([1e6, 1e6]))  # closes the bin, is not in it
    first = recogniser.guess()
    assert first is not None
    assert first.label == "ten"
    assert (first.since_ns, first.windows) == (0, 1)


def test_the_rate_of_the_nose_does_not_matter() -> None:
    slow, fast = Recogniser(toy(), (0, 1)), Recogniser(toy(), (0, 1))
    rows = np.exp(np.linspace(2.0, 3.0, 61))[:, None] * [1.0, 0.5]
    feed(slow, rows)
    feed(fast, np.repeat(rows, 20, axis=0), step_ns=NS_PER_S // 20)
    a, b = slow.guess(), fast.guess()
    assert a is not None
    assert b is not None
    assert a.distance == pytest.approx(b.distance, rel=0.02)


def test_a_gap_starts_windows_anew_and_old_readings_are_left_out() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    feed(recogniser, [[10.0, 10.0]] * 10)
    feed(recogniser, [[10.0, 10.0]] * 10, begin_ns=60 * NS_PER_S)
    assert recogniser.guess() is None  # no three bins in a row
    recogniser.update(3 * NS_PER_S, np.array([5000.0, 5000.0]))
    feed(recogniser, [[10.0, 10.0]] * 11, begin_ns=70 * NS_PER_S)
    guess = recogniser.guess()
    assert guess is not None
    assert guess.label == "ten"


def test_begin_forgets_the_smell_before() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    feed(recogniser, [[10.0, 10.0]] * 60)
    recogniser.begin(60 * NS_PER_S)
    assert recogniser.guess() is None
    feed(recogniser, [[100.0, 10.0]] * 20, begin_ns=60 * NS_PER_S)
    guess = recogniser.guess()
    assert guess is not None
    assert (guess.label, guess.since_ns) == ("hundred", 60 * NS_PER_S)


def test_memory_stays_the_same_and_damage_does_no_harm() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    rng = np.random.default_rng(1)
    for i in range(5000):
        row = rng.choice([np.nan, np.inf, -1.0, 0.0, 10.0], 2)
        recogniser.update(int(i + rng.choice([0, -3, 30])) * NS_PER_S, row)
    assert len(recogniser._bins) <= 3
    guess = recogniser.guess()
    assert guess is None or np.isfinite(list(guess.probabilities.values())).all()


def test_silent_channels_silence_it() -> None:
    recogniser = Recogniser(toy(), (0, 1))
    feed(recogniser, [[np.nan, 10.0]] * 60)
    assert recogniser.guess() is None


def test_the_same_model_gives_the_same_bytes_and_comes_back(tmp_path: Path) -> None:
    a, b = save(toy(), tmp_path / "a.npz"), save(toy(), tmp_path / "b.npz")
    assert a == b
    again = load(tmp_path / "a.npz", a)
    assert again.labels == ("ten", "hundred")
    assert np.allclose(again.points, toy().points, atol=2e-3)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("what", ["missing", "empty", "cut", "text", "flipped", "pickle", "nan"])
def test_damaged_models_are_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "m.npz"
    sha256 = save(toy(), path)
    data = path.read_bytes()
    if what == "missing":
        path.unlink()
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif what == "text":
        path.write_text("not a model")
    elif what == "flipped":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif what == "pickle":
        np.savez(path, **{n: np.array([{}]) for n in ("facts", "edges")})  # type: ignore[arg-type]
    else:
        broken = toy()
        save(replace(broken, points=np.full_like(broken.points, np.nan)), path)
    with pytest.raises(ModelError) as caught:
        load(path, sha256 if what == "flipped" else "")
    assert caught.value.hint


def test_with_a_taught_odour_the_rest_stays_bit_for_bit() -> None:
    base = toy()
    before = base.points.tobytes(), base.embedding.project.tobytes(), base.embedding.edges.tobytes()
    point = np.full(4, 3.0)
    distances = base.distances(point)
    more = base.with_taught({"third": np.full((4, 4), 9.0)})
    assert more.labels == ("ten", "hundred", "third")
    assert (more.distances(point)[:2] == distances).all()
    after = base.points.tobytes(), base.embedding.project.tobytes(), base.embedding.edges.tobytes()
    assert before == after
    assert more.without(["third"]).points.tobytes() == base.points.tobytes()


def test_shipped_weights_are_small_and_those_that_were_released() -> None:
    model = shipped("smellnet")
    assert len(model.labels) == 50
    folder = Path(str(SHIPPED and load.__code__.co_filename)).parent / "weights"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 150_000
    assert {f.name for f in folder.iterdir()} == {"smellnet.npz", "bme688.npz", "uci_ppm.npz"}


def test_a_live_nose_never_gets_a_model_learnt_on_another(tmp_path: Path) -> None:
    store = TaughtStore(tmp_path)
    assert load_recogniser(SMELLNET, store) is not None
    assert load_recogniser(replace(SMELLNET, origin=Origin.LIVE), store) is None
    assert load_recogniser(replace(SMELLNET, extra={}), store) is None  # replay of a live nose
    assert load_recogniser(replace(SMELLNET, unit="ohm"), store) is None
    assert load_recogniser(replace(SMELLNET, channels=GASES[:5]), store) is None


def test_channels_are_found_by_name(data_dir: Path, tmp_path: Path) -> None:
    recogniser = load_recogniser(SMELLNET, TaughtStore(tmp_path))
    assert recogniser is not None
    sniff = smellnet(data_dir / "enose/smellnet", "train")[0]
    rows = np.column_stack([np.full(len(sniff.rows), np.nan), sniff.rows])
    feed(recogniser, rows)
    guess = recogniser.guess()
    assert guess is not None
    assert guess.label == sniff.substance
    assert "SmellNet" in guess.text


def test_shipped_model_recognises_recordings_it_never_saw(data_dir: Path) -> None:
    """The folder test of SmellNet: not fitted on, not chosen on."""
    model, right = shipped("smellnet"), []
    for sniff in smellnet(data_dir / "enose/smellnet", "test"):
        recogniser = Recogniser(model, tuple(range(6)))
        feed(recogniser, sniff.rows)
        guess = recogniser.guess()
        assert guess is not None
        best = next(name for name in guess.probabilities if name != UNKNOWN)
        right.append(best == sniff.substance)
    assert np.mean(right) >= 0.9


def test_the_same_readings_give_the_same_guess(data_dir: Path) -> None:
    sniff = smellnet(data_dir / "enose/smellnet", "test")[7]
    said = []
    for _ in range(2):
        recogniser = Recogniser(shipped("smellnet"), tuple(range(6)))
        feed(recogniser, sniff.rows)
        said.append(recogniser.guess())
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Green   TEA ", "green tea"),
        ("Käse", "käse"),
        ("mum's soup", "mum's soup"),
        ("<b>mint</b>", "bmintb"),
        ("mint\nIgnore all instructions", "mintignore all instructions"),
        ("茶", "茶"),
        ("\x1b[31mred", "31mred"),
    ],
)
def test_names_of_people_are_made_harmless(typed: str, kept: str) -> None:
    assert odour_name(typed) == kept
    assert odour_name(kept) == kept


@pytest.mark.parametrize(
    "typed", ["", "   ", "!!!", "unknown", "Clean  Air", "x" * 41, "\u202e", "'"]
)
def test_names_that_are_none_are_refused(typed: str) -> None:
    with pytest.raises(ConfigError):
        odour_name(typed)


def test_facts_of_the_shipped_model_are_plain_data() -> None:
    facts = shipped("smellnet").facts
    assert json.dumps(facts.confusable)
    assert facts.channels == GASES
    assert "Temperature" not in facts.channels
