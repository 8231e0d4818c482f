"""What one picture said of one face, and how people name whose it is."""

from __future__ import annotations

from dataclasses import dataclass

from thymos.perceive.action_units import Measures
from thymos.perceive.gaze import Pose
from thymos.perceive.tflite import F32


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame said of one face.

    Attributes:
        t_ns: Capture time of the frame.
        track: Whose face.
        measures: Geometry.
        quality: 0 … 1, from size, pose and how sure the landmark network was.
        expression: Probabilities [7] in the order of `EMOTIONS`.
        gaze: Where the eyes look; None if that cannot be seen.
    """

    t_ns: int
    track: str
    measures: Measures
    quality: float
    expression: F32
    gaze: Pose | None = None


def who(track: str) -> str:
    """A track as people read it: `person 1` for `p1`."""
    return f"person {track.lstrip('Pp')}"
