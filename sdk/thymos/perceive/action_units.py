"""Simple measures of facial action from mesh landmarks, in the words of FACS.

Distances are divided by the distance of the outer eye corners and taken in the face's own frame
(eye line horizontal), so they depend neither on distance nor on head roll; yaw shortens the eye
line, so each look carries a quality that falls with it. Ekman and Friesen's FACS names what is
measured; the numbers are geometry, not coded intensities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.perceive.facemesh import LEFT_EYE, RIGHT_EYE, Mesh
from thymos.perceive.gaze import head_pose

F64 = NDArray[np.float64]

# Landmark numbers of the 468-point mesh; "right" and "left" are the person's.
_MOUTH_RIGHT, _MOUTH_LEFT, _LIP_UP, _LIP_DOWN = 61, 291, 13, 14
_LIP_TOP, _LIP_BOTTOM = 0, 17  # outer edges
_BROW_RIGHT, _BROW_LEFT = (105, 66), (334, 296)
_BROW_INNER_RIGHT, _BROW_INNER_LEFT = 107, 336
_LID_RIGHT, _LID_LEFT = (159, 145), (386, 374)  # upper, lower
_EYE_RIGHT, _EYE_LEFT = (33, 133), (362, 263)  # corners
_NOSE_TIP = 1


@dataclass(frozen=True, slots=True)
class Measures:
    """Geometry of one look at a face, in eye distances unless said otherwise.

    Attributes:
        mouth_width: Between the mouth corners (grows with AU12, shrinks with AU18).
        mouth_lift: How far the corners are above the middle of the lips (AU12, negative AU15).
        jaw_open: Between the inner lips (AU25, AU26).
        brow_height: Brows above the upper lids (AU1, AU2; falls with AU4).
        brow_gap: Between the inner ends of the brows (falls with AU4).
        eye_open: Height of the eye opening over its width (AU5; near 0 in a blink, AU45).
        yaw_deg: Head turned; positive to the person's own left.
        pitch_deg: Head raised; positive up.
        roll_deg: Head tilted; positive to the person's own left shoulder.
    """

    mouth_width: float
    mouth_lift: float
    jaw_open: float
    brow_height: float
    brow_gap: float
    eye_open: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def measure(mesh: Mesh) -> Measures:
    """Take the measures of a mesh."""
    p = mesh.points.astype(np.float64)
    axis = p[LEFT_EYE] - p[RIGHT_EYE]
    # z is in pixels too: the 3-D eye line keeps its length when the head turns.
    unit = max(float(np.linalg.norm(axis)), 1e-6)
    roll = math.atan2(axis[1], axis[0])
    down = np.array([-math.sin(roll), math.cos(roll)])

    def lower(a: F64, b: F64) -> float:
        """How far `a` is below `b` along the face."""
        return float((a[:2] - b[:2]) @ down) / unit

    def apart(a: int, b: int) -> float:
        return float(np.linalg.norm(p[a] - p[b])) / unit

    lips = (p[_LIP_UP] + p[_LIP_DOWN]) / 2
    corners = (p[_MOUTH_RIGHT] + p[_MOUTH_LEFT]) / 2
    brows = [
        lower(p[lid[0]], p[list(brow)].mean(axis=0))
        for lid, brow in ((_LID_RIGHT, _BROW_RIGHT), (_LID_LEFT, _BROW_LEFT))
    ]
    eyes = [
        apart(*lid) / max(apart(*corner), 1e-6)
        for lid, corner in ((_LID_RIGHT, _EYE_RIGHT), (_LID_LEFT, _EYE_LEFT))
    ]
    pose = head_pose(mesh)
    return Measures(
        mouth_width=apart(_MOUTH_RIGHT, _MOUTH_LEFT),
        mouth_lift=lower(lips, corners),
        jaw_open=apart(_LIP_UP, _LIP_DOWN),
        brow_height=sum(brows) / 2,
        brow_gap=apart(_BROW_INNER_RIGHT, _BROW_INNER_LEFT),
        eye_open=sum(eyes) / 2,
        yaw_deg=pose.yaw_deg,
        pitch_deg=pose.pitch_deg,
        roll_deg=pose.roll_deg,
    )


def mouth(mesh: Mesh) -> tuple[float, float]:
    """Opening and width of the mouth in eye distances, for speech.

    The opening is the mean of three heights: of the gap between the lips, of both lips together,
    and from the tip of the nose to the lower lip. Lips that part and lips that stretch both count.
    """
    p = mesh.points.astype(np.float64)
    unit = max(float(np.linalg.norm(p[LEFT_EYE] - p[RIGHT_EYE])), 1e-6)
    gap, lips, width = (
        float(np.linalg.norm(p[a] - p[b])) / unit
        for a, b in (
            (_LIP_UP, _LIP_DOWN),
            (_LIP_TOP, _LIP_BOTTOM),
            (_MOUTH_RIGHT, _MOUTH_LEFT),
        )
    )
    lower = float(np.linalg.norm(p[_LIP_DOWN] - p[_NOSE_TIP])) / unit
    return (gap + lips + lower) / 3, width
