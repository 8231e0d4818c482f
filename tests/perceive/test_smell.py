from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue
from thymos.errors import CalibrationError, ConfigError
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Flag, Kind, Origin, Sample, StreamSpec
from thymos.smell.recognise.store import TaughtStore, device_of
from thymos.smell.recognise.taught import TaughtOdour, TaughtSniff
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events

SPEC = StreamSpec("enose", Kind.GAS, 10, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)


def run(
    readings: np.ndarray,
    *,
    spec: StreamSpec = SPEC,
    hz: float = 10.0,
    length_s: float = 4.0,
    config: PerceiveConfig | None = None,
    flags: dict[int, Flag] | None = None,
) -> tuple[list[list[Cue]], list[tuple[str, ...]]]:
    nose = SmellPerceiver(config or PerceiveConfig())
    nose.start(spec)
    cues, notes, ends = [], [], length_s
    for k, row in enumerate(readings):
        t_ns = int(k / hz * NS_PER_S)
        flag = (flags or {}).get(k, Flag.OK)
        nose.observe(Sample("enose", k, t_ns, t_ns, row, flag, "stuck" if flag else ""))
        if (k + 1) / hz >= ends:
            window = Window("w", int((ends - length_s) * NS_PER_S), int(ends * NS_PER_S), {})
            cues.append(nose.cues(window))
            notes.append(nose.notes)
            ends += length_s
    return cues, notes


def simulated(events: str, seconds: float = 40.0, seed: int = 1) -> np.ndarray:
    array = MoxArray(parse_events(events), seed)
    return np.array([array.step(0.1) for _ in range(int(seconds * 10))])


def flat(cues: list[list[Cue]], name: str) -> list[Cue]:
    return [c for part in cues for c in part if c.name == name]


@pytest.mark.parametrize("seed", range(5))
def test_clean_air_has_no_events(seed):
    cues, _ = run(simulated("", 120, seed))
    assert {c.name for part in cues for c in part} == {"change"}
    assert all("as in clean air" in c.text for c in flat(cues, "change"))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("odour", ["smoke", "gas", "ammonia", "alcohol"])
def test_onset_class_and_fading(odour, seed):
    cues, _ = run(simulated(f"{odour}@15-25", 60, seed))
    (onset,) = flat(cues, "odour_onset")
    assert 15.0 <= onset.t0_ns / NS_PER_S <= 16.0
    named = {c.value for c in flat(cues, "odour")} - {"unknown"}
    assert named == {odour}
    fading = flat(cues, "odour_fading")
    assert 25.0 <= fading[-1].t0_ns / NS_PER_S <= 34.0
    late = [c for c in flat(cues, "odour") if c.t1_ns > 45 * NS_PER_S]
    assert all(c.confidence < 0.5 for c in late)  # the guard does not cry over a memory


@pytest.mark.parametrize("begin", [15.6, 15.7, 15.8, 15.9, 16.0, 16.1])
def test_an_onset_at_a_windows_border_is_told_once(begin):
    cues, _ = run(simulated(f"gas@{begin}-25"))
    assert len(flat(cues, "odour_onset")) == 1


def test_like_odours_are_unknown_rather_than_guessed():
    cues, _ = run(simulated("coffee@15-25"))
    assert {c.value for c in flat(cues, "odour")} <= {"unknown", "coffee"}


def test_resistance_falls_and_the_change_says_so():
    cues, _ = run(simulated("alcohol@15-25"))
    change = flat(cues, "change")[5]
    assert change.value["C2H5OH_change"] < -0.3
    assert "gas sensors answer" in change.text
    assert "s old" in change.text


def test_a_live_nose_is_not_judged_by_simulated_patterns():
    live = StreamSpec("enose", Kind.GAS, 10, (6,), "ohm", CHANNELS, origin=Origin.LIVE)
    cues, _ = run(simulated("smoke@15-25"), spec=live)
    assert {c.value for c in flat(cues, "odour")} == {"unknown"}
    assert all(c.confidence < 0.5 for c in flat(cues, "possible_danger"))


def test_warm_up_is_not_clean_air():
    warm = simulated("", 30)
    warm[:100] *= np.linspace(3.0, 1.0, 100)[:, None]
    cues, notes = run(warm, flags=dict.fromkeys(range(100), Flag.WARMUP))
    assert cues[0] == []
    assert "learning" in notes[0][0]
    assert not flat(cues, "odour_onset")


def test_an_invalid_channel_is_named_and_left_out():
    rows = simulated("smoke@15-25")
    rows[60:, 2] = math.nan
    cues, notes = run(rows)
    assert any("VOC is not used" in n for part in notes for n in part)
    assert flat(cues, "odour_onset")
    assert "VOC_change" not in flat(cues, "change")[-1].value
    assert {c.value for c in flat(cues, "odour")} == {"unknown"}


def test_one_bad_reading_is_no_smell():
    rows = simulated("", 40)
    rows[200] *= 0.1
    rows[250:252] *= 0.1
    cues, _ = run(rows)
    assert not flat(cues, "odour_onset")


def test_an_old_reading_says_its_age():
    nose = SmellPerceiver(PerceiveConfig())
    nose.start(SPEC)
    for k, row in enumerate(simulated("", 10)):
        nose.observe(Sample("enose", k, k * NS_PER_S // 10, 0, row))
    fresh = nose.cues(Window("w", 6 * NS_PER_S, 10 * NS_PER_S, {}))[0]
    old = nose.cues(Window("w", 26 * NS_PER_S, 30 * NS_PER_S, {}))[0]
    assert "20.1 s old" in old.text
    assert old.confidence < fresh.confidence


def calibration(tmp_path: Path, **change: object) -> PerceiveConfig:
    base = np.median(simulated("", 10), axis=0)
    data = {
        "unit": "ohm",
        "channels": {n: {"baseline": float(b)} for n, b in zip(CHANNELS, base, strict=True)},
        **change,
    }
    path = tmp_path / "air.yaml"
    path.write_text(yaml.safe_dump(data))
    return PerceiveConfig(clean_air=str(path))


def test_with_a_calibration_a_smell_there_from_the_start_is_seen(tmp_path):
    rows = simulated("smoke@0-30", 30)
    assert flat(run(rows, config=calibration(tmp_path))[0], "odour_onset")
    sure = flat(run(rows, config=calibration(tmp_path))[0], "change")[0].confidence
    assert sure > flat(run(rows)[0], "change")[0].confidence


def test_odours_of_the_calibration_come_first(tmp_path):
    odours = {"toast": {"NO2": -0.8, "C2H5OH": 0.3, "VOC": 0.6, "CO": 0.8, "NH3": 0.3, "CH4": 0.3}}
    cues, _ = run(simulated("smoke@15-25"), config=calibration(tmp_path, odours=odours))
    assert "toast" in {c.value for c in flat(cues, "odour")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "adc"}, "does not fit"),
        ({"channels": {"NO2": {"baseline": 1.0}}}, "lacks channel C2H5OH"),
        ({"channels": {"NO2": {"baseline": "high"}}}, "channels.NO2.baseline"),
    ],
)
def test_wrong_calibrations_are_told(tmp_path, change, said):
    nose = SmellPerceiver(calibration(tmp_path, **change))
    with pytest.raises(ConfigError, match=said):
        nose.start(SPEC)


def test_what_the_calibration_room_writes_is_read(tmp_path):
    from thymos_calibration.enose import clean_air
    from thymos_calibration.store import CalibrationStore

    rows = simulated("", 10)
    rows[:, 3] = math.nan
    samples = [Sample("enose", k, k * NS_PER_S // 10, 0, row) for k, row in enumerate(rows)]
    path = CalibrationStore(tmp_path).save(clean_air(SPEC, samples))
    cues, notes = run(simulated("smoke@2-20", 20), config=PerceiveConfig(clean_air=str(path)))
    (onset,) = flat(cues, "odour_onset")
    assert 2.0 <= onset.t0_ns / NS_PER_S <= 3.0
    assert notes[0] == ("nose channel CO is not used: its reading in clean air is not known",)


def test_a_calibration_that_is_not_there():
    with pytest.raises(ConfigError, match="cannot read"):
        SmellPerceiver(PerceiveConfig(clean_air="/nowhere/air.yaml")).start(SPEC)


def test_drift_is_followed_only_in_long_clean_air():
    """0.5 % a minute for 20 minutes: half of it is far over the threshold, followed it is not."""
    n = 20 * 60
    drift = np.exp(np.linspace(0, 0.10, n))[:, None]
    rows = np.tile([24e3, 61e3, 48e3, 95e3, 37e3, 52e3], (n, 1)) * drift
    cues, _ = run(rows, hz=1.0)
    assert not flat(cues, "odour_onset")
    assert abs(flat(cues, "change")[-1].value["CO_change"]) < 0.08


@pytest.mark.data
def test_a_real_nose_with_counts_and_sentinels(data_dir):
    """SmellNet: seven gas channels in counts; Benzene holds 2³²−1 for "no value"."""
    path = sorted((data_dir / "enose/smellnet/train").glob("*/*.csv*"))[0]
    names = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG", "Benzene")
    with path.open() as stream:
        rows = [[float(r[n]) for n in names] for r in csv.DictReader(stream)]
    values = np.array(rows[:200])
    values[values > 4e9] = math.nan
    spec = StreamSpec("enose", Kind.GAS, 1, (7,), "adc", names, origin=Origin.RECORDED)
    cues, _ = run(values, spec=spec, hz=1.0)
    assert flat(cues, "change")
    for cue in flat(cues, "change"):
        assert all(math.isfinite(v) and abs(v) < 100 for v in cue.value.values())
    assert {c.value for c in flat(cues, "odour")} <= {"unknown", path.parent.name}


def test_a_damaged_store_of_taught_odours_hides_no_danger(tmp_path, monkeypatch):
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    path = TaughtStore().path(device_of(SPEC))
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": "thymos.taught/0"}')
    cues, notes = run(simulated("smoke@15-25", 24))
    assert {c.value for c in flat(cues, "danger")} == {"smoke"}
    assert all(note[0].startswith("what this nose was taught is not known") for note in notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "No such file"), ("a: [1,\n  b: }\n", "found "), ("[]", "valid dictionary")],
)
@pytest.mark.parametrize("what", ["clean_air", "climate"])
def test_a_calibration_that_cannot_be_read_is_said_in_one_line(tmp_path, what, text, why):
    path = tmp_path / "a.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        SmellPerceiver(PerceiveConfig(**{what: str(path)})).start(SPEC)
    assert why in str(caught.value) or what == "climate"
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(str(path)) == 1
    assert "thymos calibrate enose" in caught.value.hint


def test_what_was_taught_with_other_channels_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    sniff = TaughtSniff(np.full((4, 2), 1e4), np.full(2, 2e4))
    for name in ("mint", "tea"):
        odour = TaughtOdour(name, ("A", "B"), "ohm", (sniff,), "2026-11-23T10:00:00+00:00")
        TaughtStore().teach(device_of(SPEC), odour)
    cues, notes = run(simulated("smoke@15-25", 24))
    assert {c.value for c in flat(cues, "danger")} == {"smoke"}
    told = "taught when this nose had other channels, not recognised now: mint, tea"
    assert all(told in note for note in notes)


def test_a_state_that_cannot_be_written_is_not_tried_at_each_reading(tmp_path):
    (tmp_path / "file").write_text("")
    nose = SmellPerceiver(PerceiveConfig(smell_state=str(tmp_path / "file" / "state.json")))
    nose.start(SPEC)
    row, failed = simulated("", 10)[-1], 0
    for k in range(1500):
        try:
            nose.observe(Sample("enose", k, k * NS_PER_S, k * NS_PER_S, row))
        except CalibrationError:
            failed += 1
    assert failed == 2  # every ten minutes of capture time
