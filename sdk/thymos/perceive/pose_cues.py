"""From looks at one face to cues of head pose and gaze."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thymos.contract import Cue
from thymos.perceive.looks import Look, who

AWAY_DEG = 25.0
NOD_DEG = 15.0
TILT_DEG = 12.0
CONTACT_DEG = 12.0
"""A gaze this close to the camera counts as looking at it: about what the measure can tell."""
GAZE_QUALITY = 0.45  # a face 30 pixels between the eye corners, not turned far


def head_cues(inside: Sequence[Look]) -> list[Cue]:
    """Where the head points in the window; nodding and tilting only where they are marked."""
    pose = [[m.yaw_deg, m.pitch_deg, m.roll_deg] for m in (look.measures for look in inside)]
    yaw, pitch, roll = (float(v) for v in np.median(pose, axis=0))
    person = who(inside[0].track)
    where = "towards the camera"
    if abs(yaw) >= AWAY_DEG:
        where = f"away to their {'left' if yaw > 0 else 'right'}"
    found = [
        _angle(inside, "head_yaw", yaw, f"{person}'s head is turned {where} ({yaw:+.0f} degrees)")
    ]
    if abs(pitch) >= NOD_DEG:
        how = "raised" if pitch > 0 else "lowered"
        found.append(
            _angle(inside, "head_pitch", pitch, f"{person}'s head is {how} ({pitch:+.0f}°)")
        )
    if abs(roll) >= TILT_DEG:
        side = "left" if roll > 0 else "right"
        text = f"{person}'s head is tilted to their {side} ({roll:+.0f}°)"
        found.append(_angle(inside, "head_roll", roll, text))
    return found


def gaze_cues(inside: Sequence[Look]) -> list[Cue]:
    """Where somebody looks, if their eyes are large enough to tell in half of the looks."""
    seen = [look for look in inside if look.gaze is not None and look.quality >= GAZE_QUALITY]
    if len(seen) < max(2, len(inside) / 2):
        return []
    gazes = [look.gaze for look in seen if look.gaze is not None]
    yaw = float(np.median([g.yaw_deg for g in gazes]))
    pitch = float(np.median([g.pitch_deg for g in gazes]))
    share = sum(g.off_deg <= CONTACT_DEG for g in gazes) / len(gazes)
    person, quality = who(seen[0].track), float(np.mean([look.quality for look in seen]))
    side = "left" if yaw > 0 else "right"
    height = "up" if pitch > 0 else "down"
    where = f"{abs(yaw):.0f}° to their {side} and {abs(pitch):.0f}° {height}"
    contact = Cue(
        id="",
        modality="face",
        name="eye_contact",
        value=round(share, 3),
        unit="share",
        confidence=round(0.6 * quality, 3),
        t0_ns=seen[0].t_ns,
        t1_ns=seen[-1].t_ns,
        text=f"{person} looks towards the camera in {share:.0%} of the looks at their eyes",
        track=seen[0].track,
    )
    sure = round(0.5 * quality, 3)
    return [
        contact,
        _angle(seen, "gaze_yaw", yaw, f"{person}'s eyes point {where} of the camera", sure),
        _angle(seen, "gaze_pitch", pitch, "", sure),
    ]


def _angle(
    looks: Sequence[Look], name: str, degrees: float, text: str, confidence: float = 0.7
) -> Cue:
    return Cue(
        id="",
        modality="face",
        name=name,
        value=round(degrees, 1),
        unit="deg",
        confidence=confidence,
        t0_ns=looks[0].t_ns,
        t1_ns=looks[-1].t_ns,
        text=text,
        track=looks[0].track,
    )
