"""Faces found and followed: small ones, several, crossing, hidden; and none where none is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from thymos.perceive.tracks import FaceTracker, tile
from thymos.samples import NS_PER_S
from thymos.train import face_scenes as scenes

pytestmark = [pytest.mark.models, pytest.mark.data]

FPS = 25
HEIGHT = 240
FIRST, SECOND = "video_retalking/1.mp4", "sadtalker/WDA_KatieHill_000.mp4"


@pytest.fixture(scope="module")
def av_folder(data_dir) -> Path:
    return data_dir / "av"


@pytest.fixture(scope="module")
def two(av_folder) -> tuple[scenes.Film, scenes.Film]:
    return scenes.film(av_folder, FIRST, HEIGHT), scenes.film(av_folder, SECOND, HEIGHT)


@pytest.fixture
def tracker(model_store) -> FaceTracker:
    return FaceTracker(model_store.path("face_mesh"))


def watch(tracker: FaceTracker, pictures) -> list[dict[str, float]]:
    """Where each track is (x of its middle), picture by picture; a search every third."""
    found = []
    for k, picture in enumerate(pictures):
        see = tracker.look if k % 3 == 0 else tracker.follow
        seen = see(picture, k * NS_PER_S // FPS)
        found.append({track: float(mesh.points[:, 0].mean()) for track, mesh in seen})
    return found


def scene(two, places, width=900) -> list[np.ndarray]:
    """Both clips in one picture; the second one is in front. `places` gives both left edges."""
    made = []
    for k, (a, b) in enumerate(places):
        picture = np.full((HEIGHT, width, 3), 90, np.uint8)
        for film, x in zip(two, (a, b), strict=True):
            one = film.pictures[k % len(film.pictures)]
            one = one[:, one.shape[1] // 5 : -one.shape[1] // 5]  # the person, little background
            lo, hi = max(0, int(x)), min(width, int(x) + one.shape[1])
            if hi > lo:
                picture[:, lo:hi] = one[:, lo - int(x) : hi - int(x)]
        made.append(picture)
    return made


def test_two_cross_and_keep_their_ids(two, tracker):
    """One walks past in front of the other, who is hidden for a while."""
    steps = 75
    walk = [(380, 20 + 700 * k / (steps - 1)) for k in range(steps)]
    found = watch(tracker, scene(two, walk))
    start, end = found[3], found[-1]
    assert set(start) == set(end) == {"p1", "p2"}
    still = min(start, key=lambda t: abs(start[t] - 452))
    walker = ({"p1", "p2"} - {still}).pop()
    assert abs(end[still] - start[still]) < 40
    assert end[walker] > end[still] + 100
    assert any(len(seen) == 1 for seen in found)  # there was a moment when one was hidden
    assert set().union(*found) == {"p1", "p2"}


def test_who_is_hidden_for_a_second_comes_back_as_the_same(two, tracker):
    stand = [(100, 2000)] * 15 + [(100, 100)] * 25 + [(100, 2000)] * 20
    found = watch(tracker, scene(two, stand))
    assert set(found[14]) == {"p1"}
    assert "p1" not in found[36]  # somebody else is seen in their place
    assert set(found[-1]) == {"p1"}


def test_four_at_once_keep_their_ids(av_folder, tracker):
    names = (FIRST, SECOND, scenes.TALKERS[0], scenes.TALKERS[4])
    films = [scenes.film(av_folder, name, HEIGHT) for name in names]
    pictures = []
    for k in range(30):
        cells = [film.pictures[k] for film in films]
        cells = [c[:, :HEIGHT] for c in cells]
        pictures.append(np.vstack([np.hstack(cells[:2]), np.hstack(cells[2:])]))
    found = watch(tracker, pictures)
    assert set(found[-1]) == {"p1", "p2", "p3", "p4"}
    for track, x in found[-1].items():
        assert x == pytest.approx(found[6][track], abs=60)


@pytest.mark.parametrize("beside", [False, True])
def test_a_face_of_twenty_pixels_is_found(av_folder, two, tracker, beside):
    behind = scenes.background(av_folder)
    if beside:
        behind[-HEIGHT:, -HEIGHT:] = two[1].pictures[0][:, :HEIGHT]
    picture = two[0].pictures[0]
    (_, mesh), *_ = tracker.look(picture, 0)
    scale = 20 / float(np.ptp(mesh.points[:, 1]))
    shown = scenes.paste(behind, picture, mesh, scale, (0.3, 0.25))
    looker = FaceTracker(tracker.folder)
    for k in range(24):  # three seconds of looks
        seen = looker.look(shown.picture, k * NS_PER_S // 8)
    centres = [mesh.points[:, :2].mean(axis=0) for _, mesh in seen]
    assert min(math.hypot(x - shown.x, y - shown.y) for x, y in centres) < 6
    assert len(seen) == 1 + beside


@pytest.mark.parametrize("clip", scenes.FACELESS)
def test_nobody_is_told_where_nobody_is(av_folder, tracker, clip):
    film = scenes.film(av_folder, clip)
    for k, picture in enumerate(film.pictures[::4]):
        assert tracker.look(picture, k * NS_PER_S // 8) == []


def test_the_same_pictures_give_the_same_faces(two, tracker, model_store):
    pictures = scene(two, [(100, 500 - 8 * k) for k in range(20)])
    again = FaceTracker(model_store.path("face_mesh"))
    assert watch(tracker, pictures) == watch(again, pictures)


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (640, 480), (100, 1000), (3, 500)])
def test_tiles_cover_the_picture(shape):
    picture = np.zeros((*shape, 3), np.uint8)
    covered = np.zeros(shape, bool)
    for turn in range(40):
        roi = tile(picture, turn)
        top, left = max(0, int(roi.y - roi.side / 2)), max(0, int(roi.x - roi.side / 2))
        covered[top : int(roi.y + roi.side / 2) + 1, left : int(roi.x + roi.side / 2) + 1] = True
    assert covered.all()
