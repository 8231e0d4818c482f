"""Sound against picture: planted shifts come back, and where nothing can be told nothing is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.errors import CalibrationError
from thymos.models import ModelStore
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec, frozen
from thymos_calibration.av_evaluate import again, judge, models
from thymos_calibration.av_events import clap_times, click_times, flash_times, pair
from thymos_calibration.av_observe import Observed, observe
from thymos_calibration.av_sync import calibration, offset
from thymos_calibration.cli import app
from thymos_drivers.media import AudioFile, VideoFile
from thymos_drivers.testing import ListSource

# The first sets the zero. In the fifth the voice does not fit the mouth well enough to be sure.
TALKING = (
    "synchformer/lrs3_C8zY0oAdQrs_00018.mp4",
    "sadtalker/WDA_AlexandriaOcasioCortez_000.mp4",
    "video_retalking/1.mp4",
    "video_retalking/5.mp4",
)
UNSURE = "sadtalker/WDA_KatieHill_000.mp4"
SHIFTS = (-400, 40, 333)


def watch(path: Path) -> Observed:
    return observe(VideoFile(path), AudioFile(path))


@pytest.fixture(scope="module")
def clips(data_dir: Path, model_store: ModelStore) -> dict[Path, Observed]:
    return {data_dir / "av" / name: watch(data_dir / "av" / name) for name in (*TALKING, UNSURE)}


@pytest.fixture(scope="module")
def unseen(clips: dict[Path, Observed]) -> dict:
    """For each clip weights that never saw it."""
    return models(clips)


@pytest.mark.data
@pytest.mark.models
@pytest.mark.parametrize("name", TALKING)
def test_planted_shifts_are_recovered(clips, unseen, data_dir: Path, name: str) -> None:
    path = data_dir / "av" / name
    row = judge(path, clips[path], unseen[path], SHIFTS)
    assert row.own.answered, row.own.reason
    assert row.own.confidence >= 0.75
    for shift, error in row.errors_ms.items():
        assert error is not None, shift
        assert abs(error) <= 20, (shift, error)


@pytest.mark.data
@pytest.mark.models
def test_noise_makes_it_silent_not_wrong(clips, unseen, data_dir: Path) -> None:
    path = data_dir / "av" / TALKING[0]
    base = offset(clips[path], method="talking", model=unseen[path])
    for noise_db in (10, -20):
        found = offset(
            again(clips[path], path, 120, noise_db), method="talking", model=unseen[path]
        )
        if found.offset_ms is not None:
            assert found.offset_ms - base.offset_ms == pytest.approx(120, abs=20)
        else:
            assert noise_db < 0


@pytest.mark.data
@pytest.mark.models
def test_another_voice_is_refused(clips, unseen) -> None:
    """Every face with every other clip's sound: 20 pairs."""
    answers = [
        offset(replace(face, voice=voice.voice), method="talking", model=unseen[path])
        for path, face in clips.items()
        for other, voice in clips.items()
        if other != path
    ]
    assert len(answers) == 20
    assert [a for a in answers if a.answered] == []
    assert all(a.reason and a.hint for a in answers)


@pytest.mark.data
@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "word"),
    [
        (UNSURE, "hardly go together"),
        ("pyfeat/WolfgangLanger_Pexels.mp4", "no sound"),
        ("pyfeat/no_face.mp4", "no face"),
        ("pyfeat/single_face.mp4", "no "),
        ("pyfeat/noface_face.mov", "no face"),
    ],
)
def test_it_abstains(clips, unseen, data_dir: Path, name: str, word: str) -> None:
    path = data_dir / "av" / name
    seen = clips.get(path) or watch(path)
    found = offset(seen, model=unseen.get(path))
    assert not found.answered
    assert word in found.reason
    assert found.hint
    with pytest.raises(CalibrationError, match="no offset"):
        calibration(seen, found)


@pytest.mark.data
@pytest.mark.models
def test_the_packaged_weights_and_the_command(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    run = CliRunner().invoke(app, ["av-sync", str(data_dir / "av" / TALKING[0]), "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert abs(told["offset_ms"]) < 10  # this clip is the zero
    assert told["quality"]["confidence"] > 0.9
    assert Path(told["file"]).is_file()
    no = CliRunner().invoke(app, ["av-sync", str(data_dir / "av/pyfeat/no_face.mp4"), "--json"])
    assert no.exit_code == 1
    assert "no face" in json.loads(no.stdout)["reason"]


# Claps and flashes, drawn

CAMERA = StreamSpec("camera", Kind.VIDEO, 30.0, (60, 80, 3), "rgb8", device="cam")
EAR = StreamSpec("microphone", Kind.AUDIO, 16000.0, (-1, 1), "s16", device="mic")
UNEVEN = (1.013, 1.871, 2.942, 3.507, 4.733, 5.412, 6.618, 7.291, 8.404)


def apart(t: float, times: tuple[float, ...]) -> float:
    """Distance of the hands: 24 at rest; they fly together in 0.2 s, stay, and part slowly."""
    for e in times:
        if e - 0.2 <= t < e:
            return 24 * (e - t) / 0.2
        if e <= t < e + 0.1:
            return 0.0
        if e + 0.1 <= t < e + 0.4:
            return 12 * (1 - np.cos(np.pi * (t - e - 0.1) / 0.3))
    return 24.0


def scene(
    times: tuple[float, ...], late_s: float, kind: str, fps: float = 30.0, length: float = 10.0
):
    """A camera and a microphone that see and hear the same events."""
    rng = np.random.default_rng(5)
    frames = []
    for n in range(round(length * fps)):
        t = n / fps + 0.004
        picture = np.full((60, 80, 3), 80, np.int16)
        if kind == "flash" and any(0 <= t - e < 0.1 for e in times):
            picture += 120
        if kind == "clap":
            reach = round(apart(t, times))
            picture[20:40, 36 - reach : 40 - reach] = 220
            picture[20:40, 40 + reach : 44 + reach] = 220
        picture += rng.normal(0, 2, picture.shape).astype(np.int16)
        data = frozen(np.clip(picture, 0, 255).astype(np.uint8))
        t_ns = round(t * NS_PER_S)
        frames.append(Sample("camera", n, t_ns, t_ns, data))
    sound = rng.normal(0, 30, round(length * 16000))
    burst = rng.normal(0, 9000, 1600) * np.exp(-np.arange(1600) / 300)
    for e in times:
        at = round((e + late_s) * 16000)
        sound[at : at + 1600] += burst[: len(sound) - at]
    blocks = (
        np.clip(sound, -32000, 32000)
        .astype(np.int16)
        .reshape(-1, 512 if len(sound) % 512 == 0 else 500, 1)
    )
    step = blocks.shape[1]
    heard = [
        Sample(
            "microphone", k, k * step * NS_PER_S // 16000, k * step * NS_PER_S // 16000, frozen(b)
        )
        for k, b in enumerate(blocks)
    ]
    return ListSource(CAMERA, frames), ListSource(EAR, heard)


@pytest.mark.parametrize("kind", ["flash", "clap"])
@pytest.mark.parametrize("late_ms", [-400, -40, 0, 40, 137, 400])
def test_events_give_the_offset(kind: str, late_ms: int) -> None:
    seen = observe(*scene(UNEVEN, late_ms / 1000, kind), faces=False)
    found = offset(seen, method="events")
    assert found.answered, found.reason
    assert found.method == kind
    assert found.offset_ms == pytest.approx(late_ms, abs=12)
    assert found.uncertainty_ms < 10
    assert found.confidence > 0.6
    saved = calibration(seen, found)
    assert saved.device == "cam+mic"
    assert saved.values["offset_ms"] == found.offset_ms


@pytest.mark.parametrize(
    ("times", "word"),
    [
        (tuple(1 + 0.5 * n for n in range(16)), "too even"),
        (UNEVEN[:3], "at least 5"),
        ((), "no sound|0 clicks"),
    ],
)
def test_events_that_tell_nothing(times: tuple[float, ...], word: str) -> None:
    found = offset(observe(*scene(times, 0.1, "flash"), faces=False), method="events")
    assert not found.answered
    assert any(w in found.reason for w in word.split("|"))


def test_clicks_without_sights() -> None:
    camera, _ = scene((), 0.0, "flash")
    _, ear = scene(UNEVEN, 0.0, "flash")
    found = offset(observe(camera, ear, faces=False), method="events")
    assert not found.answered


def test_onsets() -> None:
    power = np.full(1000, 1e-8)
    power[300] = power[700] = 1e-3
    assert click_times([(0, 0.002, power)]) == pytest.approx([0.6, 1.4])
    t = (np.arange(60) / 30 * NS_PER_S).astype(np.int64)
    bright = np.full(60, 0.3)
    bright[30:40] = 0.8
    assert flash_times(t, bright) == pytest.approx([29.5 / 30], abs=1e-6)
    motion = np.zeros(60)
    motion[10:20] = 0.1
    assert clap_times(t, motion) == pytest.approx([19 / 30], abs=1e-6)
    assert pair(np.zeros(0), np.ones(3), "flash", 0.8) is None
    assert pair(np.array([50.0]), np.array([1.0]), "flash", 0.8) is None
