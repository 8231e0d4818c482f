"""The scenes with known answers: that what they say of themselves is so."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.errors import ConfigError
from thymos.perceive.facemesh import Mesh
from thymos.train import face_scenes as scenes
from thymos.train.face_checks import Asked, wilson
from thymos.train.face_checks import _summary as summary


def test_a_pasted_face_is_where_it_is_said_to_be():
    pytest.importorskip("av")
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[80:120, 60:100] = 255  # a white "face" about (80, 100)
    points = np.array([[x, y, 0] for x in (60, 99) for y in (80, 119)], np.float32)
    onto = np.full((480, 640, 3), 20, np.uint8)
    made = scenes.paste(onto, picture, Mesh(points, 1.0), 0.5, (0.5, 0.25))
    rows, columns = np.nonzero(made.picture[..., 0] > 200)
    assert (columns.mean(), rows.mean()) == pytest.approx((made.x, made.y), abs=1.5)
    assert np.ptp(rows) + 1 == pytest.approx(20, abs=2)
    assert (onto == 20).all()


def test_a_film_stands_still_between_its_pictures():
    pictures = tuple(np.full((2, 2, 3), k, np.uint8) for k in range(3))
    film = scenes.Film("x", (10, 20, 30), pictures)
    assert [int(film.at(t)[0, 0, 0]) for t in (0, 10, 19, 20, 99)] == [0, 0, 0, 1, 2]


def test_a_clip_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no clip"):
        scenes.film(tmp_path, "none.mp4")


def test_intervals_of_shares():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(8, 10)  # Wilson's interval as tabulated
    assert (low, high) == pytest.approx((0.490, 0.943), abs=1e-3)


def test_nobody_named_counts_as_abstention_and_not_as_error():
    asked = [Asked("left", "left", "left", "right"), Asked("left", "", "right", "right")]
    told = summary(asked)
    assert "2 windows, named in 0.50, right in 1.00" in told
    assert "the likeliest is right in 0.50 of all, the largest face in 0.00" in told
    assert summary([Asked("", "left", "left", "left")]).endswith("wrongly named in 1.00")
