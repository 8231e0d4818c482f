from __future__ import annotations

import itertools
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reading import read_all
from thymos.demo import build_scene
from thymos.demo.labelled import Labelled
from thymos.demo.scene import FPS, LAST, LINES, SECONDS, SMILING, STILL, back_and_forth, frame_order
from thymos.demo.writers import whole, write_sound, write_video
from thymos.devices import open_uri
from thymos.errors import MediaError, MissingExtraError, ModelError, RecordingError
from thymos.respond.base import Speech
from thymos.samples import Kind, Origin, Source

RATE = 24000


class Store:
    """A model store that holds one clip, or nothing."""

    def __init__(self, clip: Path | None) -> None:
        self._clip = clip

    def path(self, role: str) -> Path:
        if self._clip is None or role != "media-face":
            raise ModelError(f"the model '{role}' is not here", hint=f"thymos models pull {role}")
        return self._clip


class Voice:
    """Says everything as one second of a constant."""

    def synthesise(self, text: str) -> Speech:
        return Speech(np.full(RATE, 1000, np.int16), RATE, text)


class Mute:
    def synthesise(self, text: str) -> Speech:
        raise MissingExtraError("hibari-tts", "speech")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 frames of 64×36; frame n is grey of 3n."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        stream.bit_rate = 4_000_000
        for n in range(72):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 3 * n, np.uint8))
            frame.pts, frame.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_the_face_is_still_then_smiles_then_is_still_without_a_jump() -> None:
    order = frame_order()
    assert len(order) == SECONDS * FPS
    assert max(abs(a - b) for a, b in itertools.pairwise(order)) == 1
    assert max(order[: 8 * FPS]) <= STILL
    assert min(order[9 * FPS : 16 * FPS]) >= SMILING
    assert max(order[18 * FPS :]) <= STILL
    assert max(order) <= LAST


def test_back_and_forth() -> None:
    assert [back_and_forth(n, 3) for n in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]


def test_sound_has_each_line_in_its_place_and_a_room_around(tmp_path: Path) -> None:
    speech = Voice().synthesise("a")
    write_sound(tmp_path / "a.wav", [(1.0, speech), (2.5, speech), (9.0, speech)], 3)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 1, 3 * RATE)
        sound = np.frombuffer(file.readframes(3 * RATE), "<i2").astype(float)
    means = [sound[int(a * RATE) : int(b * RATE)].mean() for a, b in ((0, 1), (1, 2), (2.5, 3))]
    assert means == pytest.approx([0, 1000, 1000], abs=2)
    assert 8 < sound[:RATE].std() < 16
    first = (tmp_path / "a.wav").read_bytes()
    write_sound(tmp_path / "a.wav", [(1.0, speech), (2.5, speech), (9.0, speech)], 3)
    assert (tmp_path / "a.wav").read_bytes() == first
    other = Speech(speech.pcm, 16000, "b")
    with pytest.raises(MediaError, match="rate"):
        write_sound(tmp_path / "b.wav", [(0, speech), (1, other)], 3)


def test_video_keeps_the_order_asked_for(clip: Path, tmp_path: Path) -> None:
    order = [0, 70, 35, 70, 0]
    write_video(clip, tmp_path / "v.mp4", order, 25)
    samples = read_all(open_uri("camera", f"file:{tmp_path / 'v.mp4'}"))
    assert [s.t_ns for s in samples] == [n * 40_000_000 for n in range(5)]
    levels = [float(s.payload.mean()) for s in samples]
    assert levels == pytest.approx([3 * n for n in order], abs=12)


def test_video_is_cut_to_shape_and_may_have_sound(clip: Path, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", [(0.0, Voice().synthesise("a"))], 1)
    path = tmp_path / "v.mp4"
    write_video(clip, path, list(range(30)), 30, size=(48, 36), sound=tmp_path / "a.wav")
    assert {s.payload.shape for s in read_all(open_uri("camera", f"file:{path}"))} == {(36, 48, 3)}
    sound = read_all(open_uri("microphone", f"file:{path}"))
    assert sum(len(s.payload) for s in sound) == pytest.approx(16000, abs=2100)  # AAC pads
    assert np.concatenate([s.payload for s in sound])[4000:12000].mean() == pytest.approx(1000, 0.1)


def test_video_errors_leave_nothing(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="too few frames"):
        write_video(clip, tmp_path / "v.mp4", [0, 72], 30)
    (tmp_path / "text").write_text("no video")
    with pytest.raises(MediaError, match="cannot read the clip"):
        write_video(tmp_path / "text", tmp_path / "v.mp4", [0], 30)
    with pytest.raises(MediaError, match="cannot read the sound"):
        write_video(clip, tmp_path / "v.mp4", [0], 30, sound=tmp_path / "text")
    with pytest.raises(RecordingError, match="cannot write"):
        write_video(clip, tmp_path / "text" / "v.mp4", [0], 30)
    assert [p.name for p in tmp_path.iterdir()] == ["text"]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def interrupted() -> None:
        with whole(tmp_path / "x.wav") as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_labelled_says_what_it_is_and_gives_the_same_samples(clip: Path) -> None:
    plain = open_uri("camera", f"file:{clip}")
    told = Labelled(open_uri("camera", f"file:{clip}"), Origin.SYNTHESISED, "a drawing", "made")
    assert isinstance(told, Source)
    assert told.live is False
    one, two = read_all(plain), read_all(told)
    assert [(s.seq, s.t_ns) for s in one] == [(s.seq, s.t_ns) for s in two]
    with told:
        assert told.spec.origin is Origin.SYNTHESISED
        assert (told.spec.device, told.spec.extra["note"]) == ("a drawing", "made")
        assert told.spec.kind is Kind.VIDEO
        assert told.counters.received >= 0


def test_scene_says_of_every_stream_what_it_is(clip: Path, tmp_path: Path) -> None:
    scene = build_scene(tmp_path / "scene", Store(clip), Voice())
    assert scene.absent == {}
    origins = {}
    for source in scene.sources:
        with source:
            origins[source.spec.name] = source.spec.origin
    assert origins == {
        "camera": Origin.RECORDED, "microphone": Origin.SYNTHESISED, "enose": Origin.SIMULATED,
    }  # fmt: skip
    told = " ".join(scene.statements)
    assert all(word in told for word in ("recorded", "synthesised", "simulated"))
    frames = read_all(scene.sources[0])
    assert len(frames) == SECONDS * FPS
    assert frames[4 * FPS].payload.mean() < 60 < 120 < frames[12 * FPS].payload.mean()
    words = read_all(scene.sources[1])
    sound = np.concatenate([s.payload for s in words])[:, 0]
    for at, _ in LINES:
        assert sound[int((at + 0.2) * RATE) : int((at + 0.8) * RATE)].mean() > 900
    nose = read_all(scene.sources[2])
    calm, smoke = nose[100].payload, nose[-1].payload
    assert np.abs(np.log(smoke / calm)).max() > 0.3


def test_scene_files_are_used_again(clip: Path, tmp_path: Path) -> None:
    build_scene(tmp_path, Store(clip), Voice())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    build_scene(tmp_path, Store(clip), Voice())
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("voice", [None, Mute()])
def test_what_cannot_be_made_is_left_out_and_said(voice, tmp_path: Path) -> None:
    scene = build_scene(tmp_path, Store(None), voice)
    assert [s.spec.name for s in scene.sources] == ["enose"]
    assert set(scene.absent) == {"camera", "microphone"}
    assert "thymos models pull media-face" in scene.absent["camera"]
    assert any(text.startswith("microphone: left out") for text in scene.statements)


def test_unwritable_folder_is_an_error(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot write") as caught:
        build_scene(tmp_path / "file", Store(clip), Voice())
    assert "--out" in caught.value.hint
