from __future__ import annotations

import math

import numpy as np
import pytest

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import EMOTIONS
from thymos.errors import ModelError
from thymos.models import ModelStore
from thymos.perceive.face import FacePerceiver
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

pytestmark = [pytest.mark.models]

SPEC = StreamSpec("camera", Kind.VIDEO, 30, (240, 320, 3), "rgb8")


def perceiver(store: ModelStore, hz: float = 8.0) -> FacePerceiver:
    return FacePerceiver(PerceiveConfig(face_hz=hz), store)


@pytest.mark.data
def test_a_smile_is_seen_when_it_begins(data_dir, model_store, watch):
    seen = watch(data_dir / "av/pyfeat/single_face.mp4", perceiver(model_store))
    (smile,) = seen.all("smile")
    assert 0.5 <= smile.t0_ns / NS_PER_S <= 0.8  # neutral before, see the frames
    assert smile.value > 0.9
    (expression,) = seen.all("expression")
    assert max(expression.emotion, key=expression.emotion.get) == "joy"
    assert math.isclose(sum(expression.emotion.values()), 1, abs_tol=1e-3)
    assert expression.confidence <= 0.7
    assert seen.all("in_view")[0].value == 1.0
    assert not seen.all("appears")


@pytest.mark.data
def test_a_face_that_leaves(data_dir, model_store, watch):
    seen = watch(data_dir / "av/pyfeat/face_noface.mov", perceiver(model_store))
    (leaves,) = seen.all("leaves")
    assert 2.1 <= leaves.t0_ns / NS_PER_S <= 2.5
    assert seen.cues[1] == []
    assert "no face was seen" in seen.notes[1][0]


@pytest.mark.data
def test_a_face_that_comes(data_dir, model_store, watch):
    seen = watch(data_dir / "av/pyfeat/noface_face.mov", perceiver(model_store))
    (appears,) = seen.all("appears")
    assert 3.8 <= appears.t0_ns / NS_PER_S <= 4.2
    assert {c.track for c in seen.all()} == {"p1"}


@pytest.mark.data
@pytest.mark.parametrize(
    "clip", ["av/pyfeat/no_face.mp4", "av/synchformer/vggsound_ZYc410CE4Rg_0_10000.mp4"]
)
def test_nothing_is_said_of_a_face_that_is_not_there(data_dir, model_store, watch, clip):
    seen = watch(data_dir / clip, perceiver(model_store))
    assert seen.all() == []
    assert all("no face was seen" in notes[0] for notes in seen.notes)


@pytest.mark.data
def test_a_small_face_turned_away_is_seen_with_less_confidence(data_dir, model_store, watch):
    seen = watch(data_dir / "av/synchformer/lrs3_C8zY0oAdQrs_00018.mp4", perceiver(model_store))
    assert min(c.value for c in seen.all("in_view")) > 0.9
    assert {c.track for c in seen.all()} == {"p1"}
    big = watch(data_dir / "av/video_retalking/1.mp4", perceiver(model_store))
    assert max(c.confidence for c in seen.all("expression")) < min(
        c.confidence for c in big.all("expression")
    )


@pytest.mark.data
def test_the_same_clip_gives_the_same_cues(data_dir, model_store, watch):
    clip = data_dir / "av/pyfeat/single_face.mp4"
    first, second = (watch(clip, perceiver(model_store)) for _ in range(2))
    assert first.all() == second.all()


def portrait(data_dir) -> np.ndarray:
    import av

    with av.open(str(data_dir / "av/pyfeat/single_face.mp4")) as media:
        frame = next(media.decode(video=0)).to_ndarray(format="rgb24")
    return frame[:, 120:480]


def window(t0_s: float, t1_s: float) -> Window:
    return Window("w000000", int(t0_s * NS_PER_S), int(t1_s * NS_PER_S), {})


def feed(face: FacePerceiver, picture: np.ndarray, times: list[float]) -> None:
    for k, t in enumerate(times):
        face.observe(Sample("camera", k, int(t * NS_PER_S), 0, picture))


@pytest.mark.data
def test_two_people_have_two_ids_and_keep_them(data_dir, model_store):
    one = portrait(data_dir)
    face = perceiver(model_store)
    face.start(SPEC)
    feed(face, np.hstack([one, one[:, ::-1]]), [k / 8 for k in range(16)])
    cues = face.cues(window(0, 2))
    assert sorted({c.track for c in cues}) == ["p1", "p2"]
    assert [c.value for c in cues if c.name == "in_view"] == [1.0, 1.0]


@pytest.mark.data
@pytest.mark.parametrize("fps", [1, 7, 30, 120])
def test_looks_on_a_grid_of_capture_time(data_dir, model_store, fps):
    face = perceiver(model_store, hz=4.0)
    face.start(SPEC)
    feed(face, np.zeros((48, 64, 3), np.uint8), [k / fps for k in range(fps * 3)])
    assert len(face._times) == min(fps, 4) * 3


def test_odd_pictures_do_no_harm(model_store):
    face = perceiver(model_store)
    face.start(SPEC)
    shapes = [(1, 1), (3, 500), (500, 3), (2160, 3840)]
    for k, shape in enumerate(shapes):
        picture = np.random.default_rng(k).integers(0, 255, (*shape, 3), dtype=np.uint8)
        face.observe(Sample("camera", k, k * NS_PER_S, 0, picture))
    assert face.cues(window(0, 5)) == []
    assert face.notes == ("no face was seen in 4 frames looked at",)


def test_invalid_frames_are_not_looked_at(model_store):
    face = perceiver(model_store)
    face.start(SPEC)
    face.observe(Sample("camera", 0, 0, 0, np.zeros((48, 64, 3), np.uint8), Flag.INVALID))
    assert face.cues(window(0, 1)) == []
    assert face.notes == ()


def test_missing_weights_are_told_at_start(tmp_path):
    face = FacePerceiver(PerceiveConfig(), ModelStore(tmp_path))
    with pytest.raises(ModelError) as caught:
        face.start(SPEC)
    assert caught.value.hint == "thymos models pull face_mesh"


def test_nothing_reaches_the_terminal(model_store, capfd):
    face = perceiver(model_store)
    face.start(SPEC)
    feed(face, np.zeros((48, 64, 3), np.uint8), [0.0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.data
def test_facex_speaks_the_contracts_emotions(data_dir, model_store):
    from thymos.perceive import expression

    model = expression.load(model_store)
    p = model.probabilities(np.full((200, 200, 3), 90, np.float32))
    assert p.shape == (len(EMOTIONS),)
    assert p.sum() == pytest.approx(1, abs=1e-4)
