from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from thymos.perceive.action_units import measure
from thymos.perceive.facemesh import Mesh, Roi, cut
from thymos.perceive.gaze import SIDES


def ramp(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def test_cut_copies_an_aligned_square():
    image = ramp(60, 100)
    out = cut(image, Roi(30, 20, 10), 10)
    np.testing.assert_allclose(out, image[15:25, 25:35], atol=1e-3)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, -1.0])
@pytest.mark.parametrize(("side", "out"), [(40.0, 40), (96.0, 32), (24.0, 96)])
def test_cut_maps_points_as_it_says(angle, side, out):
    """On a linear picture the sampled colour is the place it was taken from."""
    image = ramp(200, 200)
    roi = Roi(100.0, 90.0, side, angle)
    grey = cut(image, roi, out)
    u = (np.arange(out) + 0.5) / out * side - side / 2
    x = roi.x + math.cos(angle) * u[None, :] - math.sin(angle) * u[:, None] - 0.5
    y = roi.y + math.sin(angle) * u[None, :] + math.cos(angle) * u[:, None] - 0.5
    np.testing.assert_allclose(grey[..., 0], x, atol=1.1)
    np.testing.assert_allclose(grey[..., 1], y, atol=1.1)


def test_cut_is_black_outside_and_never_fails():
    image = np.full((20, 30, 3), 200, dtype=np.uint8)
    assert cut(image, Roi(-500, -500, 40), 16).max() == 0
    half = cut(image, Roi(0, 10, 20), 20)
    assert half[:, 0].max() == 0
    assert half[10, 15, 0] == pytest.approx(200)
    assert cut(image, Roi(15, 10, 4000), 8).shape == (8, 8, 3)


@pytest.mark.parametrize(("scale", "roll"), [(1.0, 0.0), (0.4, 0.5), (3.0, -0.8)])
def test_measures_ignore_size_and_roll(scale, roll):
    points = np.random.default_rng(7).normal(0, 40, (468, 3)).astype(np.float32)
    for wide, (right, left) in zip((60, 20, 80, 90), SIDES, strict=True):
        points[right], points[left] = (-wide, 0, 5), (wide, 0, 5)
    points[10], points[152] = (0, -90, 0), (3, 90, 8)
    turn = np.array(
        [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    )
    moved = (points @ turn.T * scale + [300, 200, 0]).astype(np.float32)
    still, turned = measure(Mesh(points, 1.0)), measure(Mesh(moved, 1.0))
    for name in (f.name for f in dataclasses.fields(still)):
        if name != "roll_deg":
            assert getattr(turned, name) == pytest.approx(getattr(still, name), abs=2e-3), name
    assert turned.roll_deg == pytest.approx(still.roll_deg + math.degrees(roll), abs=1e-2)


def test_yaw_is_positive_to_the_persons_left():
    points = np.zeros((468, 3), dtype=np.float32)
    # Turning to the own left takes the left eye away from the camera: its z grows.
    for right, left in SIDES:
        points[right], points[left] = (-50, 0, -20), (50, 0, 20)
    points[152, 1] = 100
    assert measure(Mesh(points, 1.0)).yaw_deg == pytest.approx(
        math.degrees(math.atan2(40, 100)), 1e-3
    )
