"""Head pose and gaze on heads that were built as they should be found, and on real clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thymos.config import PerceiveConfig
from thymos.perceive.action_units import measure
from thymos.perceive.face import FacePerceiver
from thymos.perceive.facemesh import Mesh
from thymos.perceive.gaze import CHIN, EYES, FOREHEAD, SIDES, gaze_of, head_pose

BALL, OUT = 12.0, 9.8  # mm
CORNERS = {33: (-45, 0, 0), 133: (-17, 0, 0), 362: (17, 0, 0), 263: (45, 0, 0)}
LIDS = {159: (-31, -5, -3), 145: (-31, 5, -3), 386: (31, -5, -3), 374: (31, 5, -3)}
CENTRES = ((-31.0, -1.54, 5.6), (31.0, -1.54, 5.6))  # right, left


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Nod, then turn, then tilt: angles in degrees as `Pose` has them."""
    y, p, r = (math.radians(v) for v in (yaw, -pitch, roll))
    nod = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    turn = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    tilt = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return tilt @ turn @ nod


def head(yaw=0.0, pitch=0.0, roll=0.0, *, gaze=(0.0, 0.0), scale=2.0, shut=False):
    """A head in millimetres, turned, seen by a far camera; its eyes turned to `gaze`."""
    points = np.zeros((468, 3))
    for place in (CORNERS, LIDS):
        for k, at in place.items():
            points[k] = at
    if shut:
        for top, bottom in ((159, 145), (386, 374)):
            points[top] = points[bottom]
    points[127], points[356] = (-70, 0, 60), (70, 0, 60)
    points[234], points[454] = (-70, 30, 60), (70, 30, 60)
    points[FOREHEAD], points[CHIN] = (0, -70, 0), (0, 110, 0)
    axes = turned(yaw, pitch, roll)
    a, b = (math.radians(v) for v in gaze)
    look = np.array([math.sin(a) * math.cos(b), -math.sin(b), -math.cos(a) * math.cos(b)])
    irises = [(axes @ np.array(c) + OUT * look)[:2] * scale + (320, 240) for c in CENTRES]
    made = (points @ axes.T) * scale + (320, 240, 0)
    return Mesh(made.astype(np.float32), 1.0), (irises[0], irises[1])


@pytest.mark.parametrize("yaw", [-40, 0, 25])
@pytest.mark.parametrize("pitch", [-30, 0, 20])
@pytest.mark.parametrize("roll", [-25, 0, 15])
def test_head_pose(yaw, pitch, roll):
    found = head_pose(head(yaw, pitch, roll)[0])
    assert (found.yaw_deg, found.pitch_deg, found.roll_deg) == pytest.approx(
        (yaw, pitch, roll), abs=0.1
    )


def test_measures_say_the_same():
    found = measure(head(20, -10, 5)[0])
    assert (found.yaw_deg, found.pitch_deg, found.roll_deg) == pytest.approx((20, -10, 5), abs=0.1)


@pytest.mark.parametrize("pose", [(0, 0, 0), (30, 0, 0), (-30, 10, 0), (10, -20, 15)])
@pytest.mark.parametrize("gaze", [(0, 0), (15, 0), (-20, 5), (0, 15), (10, -15)])
def test_gaze_is_where_the_eyes_point_however_the_head_is_turned(pose, gaze):
    mesh, irises = head(*pose, gaze=gaze)
    found = gaze_of(mesh, irises)
    assert (found.yaw_deg, found.pitch_deg) == pytest.approx(gaze, abs=1.5)


def test_the_angle_from_the_camera():
    mesh, irises = head(20, 0, 0, gaze=(0, 0))
    assert gaze_of(mesh, irises).off_deg == pytest.approx(0, abs=1.5)
    mesh, irises = head(0, 0, 0, gaze=(12, 9))
    assert gaze_of(mesh, irises).off_deg == pytest.approx(15, abs=1)


def test_shut_eyes_look_nowhere():
    mesh, irises = head(shut=True)
    assert gaze_of(mesh, irises) is None


@pytest.mark.parametrize("yaw", [-70, 70])
def test_of_a_profile_one_eye_tells(yaw):
    mesh, (right, left) = head(yaw, gaze=(yaw * 0.8, 0))
    hidden = np.array([np.inf, np.inf])
    irises = (hidden, left) if yaw < 0 else (right, hidden)
    assert gaze_of(mesh, irises).yaw_deg == pytest.approx(yaw * 0.8, abs=4)


def test_an_iris_out_of_reach_gives_a_bounded_angle():
    mesh, (right, left) = head()
    found = gaze_of(mesh, (right + 500, left + 500))
    assert math.isfinite(found.yaw_deg)
    assert abs(found.yaw_deg) < 90


def test_eyes_are_where_they_are_looked_for():
    assert {k for pair in EYES for k in pair} == set(CORNERS)
    assert SIDES[0] == (33, 263)


@pytest.mark.data
@pytest.mark.models
def test_who_looks_into_the_camera(data_dir, model_store, watch):
    """A speaker who faces the camera looks into it; one who is filmed from the side does not."""

    def gaze(clip):
        return watch(data_dir / clip, FacePerceiver(PerceiveConfig(face_hz=4), model_store))

    frontal = gaze("av/video_retalking/5.mp4")
    assert frontal.all("eye_contact")[0].value > 0.6
    assert abs(frontal.all("gaze_yaw")[0].value) < 8
    assert abs(frontal.all("gaze_pitch")[0].value) < 8
    # At first its eye corners are 18 pixels apart, an iris 3 pixels wide: nothing is said of it.
    small = gaze("av/synchformer/lrs3_C8zY0oAdQrs_00018.mp4")
    assert "gaze_yaw" not in {c.name for c in small.cues[0]}
    assert small.all("head_yaw")[0].value < -25
