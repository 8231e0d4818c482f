"""Head pose and gaze: where a face points and where its eyes look, in degrees.

Frame: the camera's optical frame (REP-103: x right, y down, z forward), turned so that z points at
the face. A direction of yaw 0, pitch 0 looks straight into the camera, wherever in the picture the
face is; positive yaw is to the person's own left (the right of the picture), positive pitch up,
positive roll towards the person's own left shoulder. In the optical frame itself a direction at
the edge of the picture differs by the angle under which the camera sees the face.

The eye is a ball that turns about a centre behind the middle of its corners; where the iris is
seen against that centre gives the direction. Sizes are shares of the eye's width (28 mm between
the corners): iris 9.8 mm from the centre (a ball of 12 mm radius); centre 5.6 mm behind the
corners and 1.5 mm above them, as it comes out on clips of people who look one way while their
head turns (0.16, 0.26, 0.34 of the width) and straight ahead. The iris comes from MediaPipe's
network (Ablavatski et al., arXiv 2006.11341).

How exact: single pictures, no calibration of the person. Cameras and eyes differ; errors of five
to ten degrees are usual for such models, and a lowered lid hides what is below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.perceive.facemesh import U8, Mesh, Roi, cut
from thymos.perceive.tflite import F32, TfLite

F64 = NDArray[np.float64]

SIDES = ((33, 263), (133, 362), (127, 356), (234, 454))
"""Landmarks right and left that no expression moves apart."""
FOREHEAD, CHIN = 10, 152
EYES = ((33, 133), (263, 362))  # outer and inner corner: right, left
LID_TOP, LID_BOTTOM = (159, 386), (145, 374)
IRIS_OUT, CENTRE_BACK, CENTRE_UP = 0.35, 0.2, 0.055
"""Shares of the eye's width, see above."""
CROP_SCALE = 2.3  # as the network was trained
OPEN = 0.12  # lids closer than this, over the eye's width: a blink
SEEN_DEG = 50.0
"""From this yaw on the far eye is hidden, and the near one foreshortened."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where something points.

    Attributes:
        yaw_deg: To the person's own left.
        pitch_deg: Up.
        roll_deg: Tilted to the person's own left shoulder; 0 for a gaze.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float = 0.0

    @property
    def off_deg(self) -> float:
        """Angle from straight into the camera."""
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_deg)
        return math.degrees(math.acos(math.cos(yaw) * math.cos(pitch)))


def head_axes(mesh: Mesh) -> F64:
    """The head's axes in the camera frame: columns [3, 3] own left, down, into the head.

    The identity for a face that looks into the camera, upright.
    """
    p = mesh.points.astype(np.float64)
    x = _unit(np.sum([_unit(p[left] - p[right]) for right, left in SIDES], axis=0))
    down = p[CHIN] - p[FOREHEAD]
    y = _unit(down - x * float((down * x).sum()))
    return np.stack([x, y, np.cross(x, y)], axis=1)


def head_pose(mesh: Mesh) -> Pose:
    """Where the face points: first nodded, then turned, then tilted."""
    axes = head_axes(mesh)
    x, y = axes[:, 0], axes[:, 1]
    roll = math.atan2(float(x[1]), float(x[0]))
    yaw = math.atan2(float(x[2]), math.hypot(float(x[0]), float(x[1])))
    level = np.array([-math.sin(roll), math.cos(roll), 0.0])
    nod = math.atan2(float((y * np.cross(x, level)).sum()), float((y * level).sum()))
    return Pose(math.degrees(yaw), -math.degrees(nod), math.degrees(roll))


def gaze_of(mesh: Mesh, irises: tuple[F64, F64]) -> Pose | None:
    """Where the eyes look.

    Args:
        mesh: The face.
        irises: Centre of the right and of the left iris, pixels.

    Returns:
        The mean direction of the eyes that can be seen, or None: eyes shut, or head turned away.
    """
    axes = head_axes(mesh)
    yaw = _angles(-axes[:, 2])[0]
    p = mesh.points.astype(np.float64)
    total = np.zeros(3)
    for side, (outer, inner) in enumerate(EYES):
        width = float(np.linalg.norm(p[outer] - p[inner]))
        lids = float(np.linalg.norm(p[LID_TOP[side]] - p[LID_BOTTOM[side]]))
        # Turned to the own left, the left eye is the far one.
        away = yaw if side == 1 else -yaw
        if width < 1e-6 or lids < OPEN * width or away > SEEN_DEG:
            continue
        middle = (p[outer] + p[inner]) / 2
        centre = middle + axes @ np.array([0.0, -CENTRE_UP, CENTRE_BACK]) * width
        off = (irises[side] - centre[:2]) / (IRIS_OUT * width)
        length = float(np.linalg.norm(off))
        if length > 0.95:  # further out than an iris can be
            off *= 0.95 / length
        out = np.array([off[0], off[1], -math.sqrt(1.0 - min(0.95, length) ** 2)])
        total += out * math.cos(math.radians(max(0.0, away)))
    if not total.any():
        return None
    return Pose(*_angles(_unit(total)))


class IrisNet:
    """The iris network.

    Args:
        path: `iris_landmark.tflite`.
    """

    SIZE = 64

    def __init__(self, path: Path) -> None:
        self._net = TfLite(path)

    def look(self, image: U8, mesh: Mesh) -> tuple[F64, F64]:
        """Centres of the right and of the left iris, pixels [2] each."""
        right, left = (self._one(image, mesh, side) for side in (0, 1))
        return right, left

    def _one(self, image: U8, mesh: Mesh, side: int) -> F64:
        outer, inner = (mesh.points[k, :2].astype(np.float64) for k in EYES[side])
        along = inner - outer if side == 0 else outer - inner
        angle = math.atan2(float(along[1]), float(along[0]))
        middle = (outer + inner) / 2
        size = max(1.0, float(np.linalg.norm(along)) * CROP_SCALE)
        crop = cut(image, Roi(float(middle[0]), float(middle[1]), size, angle), self.SIZE)
        # The network knows the right eye; the left one is shown to it in a mirror.
        shown = crop if side == 0 else np.ascontiguousarray(crop[:, ::-1])
        outputs = self._net(shown[None] / np.float32(255.0))
        iris: F32 = next(out for out in outputs if out.size == 5 * 3).reshape(5, 3)
        x, y = (float(v) / self.SIZE - 0.5 for v in iris[:, :2].mean(axis=0))
        x = x if side == 0 else -x
        cos, sin = math.cos(angle), math.sin(angle)
        return middle + size * np.array([cos * x - sin * y, sin * x + cos * y])


def _angles(direction: F64) -> tuple[float, float]:
    """Yaw and pitch of a direction, degrees."""
    x, y, z = (float(v) for v in direction)
    return math.degrees(math.atan2(x, -z)), math.degrees(math.atan2(-y, math.hypot(x, z)))


def _unit(v: F64) -> F64:
    return np.asarray(v / max(1e-9, float(np.linalg.norm(v))))
