"""Every kind of recording people have: explained, schema-valid, and what it lacks is stated."""

from __future__ import annotations

import json
import re
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from media import write_media
from thymos.config import Config, PerceiveConfig, ReasonConfig, RespondConfig, WindowConfig
from thymos.contract import StreamState, WindowReport
from thymos.explainer import explain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def valid() -> Any:
    schema = json.loads((ROOT / "docs/schema/window-report.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def run(valid: Any) -> Any:
    def call(path: Path, *, window: float = 2.0, most: int | None = None) -> list[WindowReport]:
        config = Config(
            window=WindowConfig(length_s=window, hop_s=window),
            perceive=PerceiveConfig(words=False),
            reason=ReasonConfig(backend="rules"),
            respond=RespondConfig(speak=False, use_model=False),
        )
        reports = list(islice(explain(path, config=config), most))
        for n, report in enumerate(reports):
            valid.validate(json.loads(report.model_dump_json()))
            assert report.window.id == f"w{n:06}"
            assert report.explanation.backend == "rules"
            assert set(report.window.streams) == {"camera", "microphone"}
        spans = [(r.window.t0_ns, r.window.t1_ns) for r in reports]
        assert all(a[1] == b[0] for a, b in pairwise(spans))
        return reports

    return call


def states(reports: list[WindowReport], stream: str) -> list[StreamState]:
    return [report.window.streams[stream] for report in reports]


def words_of(reports: list[WindowReport]) -> str:
    return "; ".join(note for report in reports for note in report.notes)


def source_note(report: WindowReport, stream: str) -> str:
    return next(s.note for s in report.sources if s.stream == stream)


def rate(report: WindowReport, stream: str) -> float:
    return next(s.rate_hz for s in report.sources if s.stream == stream)


def begins_at(state: StreamState) -> float:
    """What a state says of when its stream begins, seconds into the window."""
    found = re.fullmatch(r"it begins ([\d.]+) s into the window", state.reason)
    assert found, state
    return float(found[1])


def is_whole(state: StreamState) -> bool:
    return (state.state, state.reason, state.gaps, state.dropped) == ("present", "", 0, 0)


@pytest.mark.parametrize(
    ("made", "named", "picture"),
    [
        ("a.mp4", "a.wav", True),
        ("a.wav", "a.mp4", False),
        ("a.mkv", "a.txt", True),
        ("a.mp4", "a.mcap", True),
        ("a.webm", "a.bag", True),
    ],
)
def test_wrong_extension(run, tmp_path: Path, made: str, named: str, picture: bool) -> None:
    write_media(tmp_path / made).rename(tmp_path / named)
    (report,) = run(tmp_path / named)
    camera, microphone = report.window.streams["camera"], report.window.streams["microphone"]
    assert is_whole(microphone)
    assert is_whole(camera) if picture else "has no picture" in camera.reason


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels"),
    [("a.wav", 8000, "mono"), ("a.wav", 96000, "mono"), ("a.mkv", 48000, "5.1")],
)
def test_sound_of_any_rate_and_width(
    run, tmp_path: Path, name: str, rate_hz: int, channels: str
) -> None:
    path = write_media(tmp_path / name, seconds=3, rate_hz=rate_hz, channels=channels)
    reports = run(path)
    assert len(reports) == 2
    assert all(is_whole(state) for state in states(reports, "microphone"))
    assert rate(reports[0], "microphone") == rate_hz
    assert "fault" not in words_of(reports)


@pytest.mark.models
@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, "mono"), (96000, "stereo"), (48000, "5.1")]
)
def test_the_same_voice_is_heard_at_any_rate_and_width(
    run, tmp_path: Path, data_dir: Path, model_store, rate_hz: int, channels: str
) -> None:
    import av
    import numpy as np

    spoken = data_dir / "av/sadtalker/RD_Radio31_000.wav"
    with av.open(str(spoken)) as media:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
        frames = [g for f in media.decode(audio=0) for g in resampler.resample(f)]
    sound = np.concatenate([f.to_ndarray()[0] for f in frames])[: 4 * rate_hz]
    path = write_media(
        tmp_path / "a.mkv", size=None, rate_hz=rate_hz, channels=channels, sound=sound
    )
    (report,) = run(path, window=4.0)
    cues = {c.name: c.value for c in report.cues if c.modality == "voice"}
    assert cues, report.notes
    (plain,) = run(spoken, window=4.0, most=1)
    same = {c.name: c.value for c in plain.cues if c.modality == "voice"}
    assert cues.keys() >= same.keys() - {"voice_emotion"}
    assert cues["pitch"] == pytest.approx(same["pitch"], rel=0.1)


def test_120_pictures_a_second(run, tmp_path: Path) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4", fps=120, size=(160, 120)))
    camera = report.window.streams["camera"]
    assert is_whole(camera)
    assert (camera.samples, rate(report, "camera")) == (240, 120.0)


def test_one_picture_a_second(run, tmp_path: Path) -> None:
    reports = run(write_media(tmp_path / "a.mp4", fps=1, seconds=6, size=(160, 120)))
    assert [s.samples for s in states(reports, "camera")] == [2, 2, 2]
    assert all(is_whole(s) for s in states(reports, "camera"))


def test_variable_frame_rate(run, tmp_path: Path) -> None:
    times = [0, 0.03, 0.2, 0.21, 0.22, 0.9, 1.0, 1.5, 1.51, 1.9, 2.4, 3.9]
    path = write_media(tmp_path / "a.mkv", seconds=4, frame_times_s=times, size=(160, 120))
    first, second = states(run(path), "camera")
    assert (first.state, first.samples, second.samples) == ("present", 10, 2)
    assert first.gaps >= 3  # 0.22 to 0.9, 1.0 to 1.5, 1.51 to 1.9
    assert first.age_ms == pytest.approx(100)


@pytest.mark.parametrize(("rotate", "text"), [(90, "90 degrees"), (-90, "270 degrees")])
def test_portrait(run, tmp_path: Path, rotate: int, text: str) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4", size=(160, 120), rotate=rotate))
    assert is_whole(report.window.streams["camera"])
    assert text in source_note(report, "camera")


def test_4k(run, tmp_path: Path) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4", size=(3840, 2160), fps=5))
    assert is_whole(report.window.streams["camera"])
    assert source_note(report, "camera") == "scaled down from 3840x2160"


def test_no_sound_track(run, tmp_path: Path) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4", rate_hz=None))
    assert report.window.streams["microphone"].state == "missing"
    assert "has no sound" in report.window.streams["microphone"].reason
    assert {c.modality for c in report.cues} <= {"face"}


def test_silent_track_is_told_apart_from_no_track_and_from_quiet(run, tmp_path: Path) -> None:
    reports = run(write_media(tmp_path / "a.mp4", silent=True))
    assert is_whole(states(reports, "microphone")[0])
    assert "digital silence" in words_of(reports)
    assert "digital silence" not in words_of(run(write_media(tmp_path / "b.mp4")))


@pytest.mark.parametrize(("name", "late_s"), [("a.mp4", 1.0), ("a.mkv", 1.6), ("a.mkv", 2.5)])
def test_sound_that_begins_late(run, tmp_path: Path, name: str, late_s: float) -> None:
    path = write_media(
        tmp_path / name,
        seconds=6,
        audio_starts_s=late_s,
        sound_seconds=6 - late_s,
        size=(160, 120),
    )
    sound = states(run(path), "microphone")
    if late_s < 2:
        assert sound[0].state == "present"
        assert begins_at(sound[0]) == pytest.approx(late_s, abs=0.11)  # AAC begins with padding
        assert is_whole(sound[1])
    else:
        assert sound[0].state == "missing"
        assert sound[0].reason == "no sample yet"
        assert begins_at(sound[1]) == pytest.approx(late_s - 2, abs=0.11)
    assert is_whole(sound[2])


def test_sound_that_ends_early(run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", seconds=6, sound_seconds=2.5, size=(160, 120))
    reports = run(path)
    first, second, third = states(reports, "microphone")
    assert is_whole(first)
    assert second.state == "present"
    assert re.fullmatch(r"nothing of the last 1\.[45] s", second.reason)
    assert third.state == "stale"
    assert re.search(r"3\.[45] s old", third.reason)
    assert all(is_whole(s) for s in states(reports, "camera"))
    assert "ends early" not in words_of(reports)  # the file is whole


@pytest.mark.models
def test_a_picture_without_a_face(run, tmp_path: Path, model_store) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4"))
    assert "no face was seen" in words_of([report])
    assert not [c for c in report.cues if c.modality == "face"]


@pytest.mark.parametrize("name", ["a.m4a", "a.flac", "a.wav", "a.mp4"])
def test_sound_only(run, tmp_path: Path, name: str) -> None:
    (report,) = run(write_media(tmp_path / name, size=None))
    camera = report.window.streams["camera"]
    assert (camera.state, camera.age_ms, camera.samples) == ("missing", None, 0)
    assert "has no picture" in camera.reason
    assert is_whole(report.window.streams["microphone"])


def test_shorter_than_a_window(run, tmp_path: Path) -> None:
    (report,) = run(write_media(tmp_path / "a.mp4", seconds=0.2))
    assert 0.2e9 <= report.window.t1_ns - report.window.t0_ns < 0.3e9
    assert report.window.streams["camera"].samples == 3


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("a.mkv", {}),
        ("a.webm", {}),
        ("a.mp4", {"options": {"movflags": "faststart"}}),
        ("a.wav", {}),
        ("a.flac", {}),
    ],
)
def test_a_file_cut_in_the_middle_is_explained_up_to_there_and_it_is_said(
    run, tmp_path: Path, name: str, made: dict[str, Any]
) -> None:
    path = write_media(tmp_path / name, seconds=9, size=(160, 120), **made)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    reports = run(path)
    end_s = reports[-1].window.t1_ns / 1e9
    assert 2.5 < end_s < 8
    assert "the file ends early, at" in words_of(reports)


def test_a_cut_that_falls_on_the_end_of_a_window_is_said_on_stderr(thymos, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", seconds=8)
    header = len(path.read_bytes()) - 8 * 16000 * 2
    path.write_bytes(path.read_bytes()[: header + 4 * 16000 * 2])
    outcome = thymos("explain", path, "--json", "--backend", "rules", "--window", "4")
    assert outcome.code == 0
    assert len(outcome.lines) == 1
    assert "the file ends early" in outcome.err
    assert "Traceback" not in outcome.err


CLIPS = {
    "mediapipe/format_FLV_H264_AAC.video": ("present", "present", "no face was seen"),
    "mediapipe/format_MKV_VP8_VORBIS.video": ("present", "present", "no face was seen"),
    "pyfeat/WolfgangLanger_Pexels.mp4": ("present", "present", "digital silence"),
    "pyfeat/face_noface.mov": ("present", "present", "no face was seen"),
    "pyfeat/no_face.mp4": ("present", "present", "no face was seen"),
    "pyfeat/noface_face.mov": ("present", "present", "no face was seen"),
    "pyfeat/single_face.mp4": ("present", "present", ""),
    "sadtalker/RD_Radio31_000.wav": ("missing", "present", ""),
    "sadtalker/WDA_AlexandriaOcasioCortez_000.mp4": ("present", "present", ""),
    "sadtalker/WDA_KatieHill_000.mp4": ("present", "present", ""),
    "sadtalker/bus_chinese.wav": ("missing", "present", ""),
    "sadtalker/eluosi.wav": ("missing", "present", ""),
    "synchformer/lrs3_C8zY0oAdQrs_00018.mp4": ("present", "present", ""),
    "synchformer/vggsound_ZYc410CE4Rg_0_10000.mp4": ("present", "present", "no face was seen"),
    "video_retalking/1.mp4": ("present", "present", ""),
    "video_retalking/5.mp4": ("present", "present", ""),
}


@pytest.mark.data
@pytest.mark.models
@pytest.mark.parametrize("name", sorted(CLIPS))
def test_real_clips(run, data_dir: Path, model_store, name: str) -> None:
    picture, sound, told = CLIPS[name]
    reports = run(data_dir / "av" / name, window=4.0, most=2)
    first = reports[0].window.streams
    assert (first["camera"].state, first["microphone"].state) == (picture, sound)
    assert told in words_of(reports)
    assert "fault" not in words_of(reports)
    assert "ends early" not in words_of(reports)
    if not told:  # a face or a voice is there: something is said of it
        assert reports[0].cues
    if name == "pyfeat/face_noface.mov":
        assert begins_at(first["microphone"]) == 2.4
    if name == "pyfeat/noface_face.mov":
        heard, gone = states(reports, "microphone")
        assert is_whole(heard)
        assert (gone.state, gone.samples) == ("stale", 0)
    for report in reports:
        if picture == "present":
            assert is_whole(report.window.streams["camera"])
        if name == "pyfeat/WolfgangLanger_Pexels.mp4":
            assert not [c for c in report.cues if c.modality == "voice"]


@pytest.mark.data
def test_every_clip_is_in_the_table(data_dir: Path) -> None:
    there = {f"{p.parent.name}/{p.name}" for p in (data_dir / "av").glob("*/*")}
    assert {name for name in there if not name.endswith("LICENSE")} == set(CLIPS)
