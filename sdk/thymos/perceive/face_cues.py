"""From looks at one face to cues: expression, facial actions, blinks, head, coming and going."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.align.window import Window
from thymos.contract import EMOTIONS, Cue, Emotion
from thymos.perceive.action_units import Measures
from thymos.perceive.learned.session import on_plane
from thymos.perceive.looks import Look, who
from thymos.perceive.pose_cues import gaze_cues, head_cues
from thymos.samples import NS_PER_S

F64 = NDArray[np.float64]

ON, OFF = 0.5, 0.3
"""An action begins above ON and lasts until it falls below OFF."""
MIN_ACTION_NS = NS_PER_S // 5  # shorter is a slip of the mesh
GONE_AFTER_NS = NS_PER_S // 2
BLINK = 0.72  # of the usual eye opening


@dataclass(frozen=True, slots=True)
class Action:
    """A facial action: how strong it is at each look, given all looks of the person so far."""

    name: str
    units: str
    phrase: str
    strength: Callable[[dict[str, F64]], F64]


def _above(values: F64, percentile: float, low: float, high: float) -> F64:
    """Values over the person's own resting value, which must lie in what is human.

    The bounds keep somebody who smiles all along from becoming their own neutral.
    """
    rest = float(np.clip(np.percentile(values, percentile), low, high))
    return values - rest


def _smile(m: dict[str, F64]) -> F64:
    # Speech widens the mouth as well; only together with lifted corners is it a smile.
    wide = _above(m["mouth_width"], 20, 0.48, 0.58) / 0.18
    lift = _above(m["mouth_lift"], 20, -0.02, 0.015) / 0.08
    return np.minimum(1.0, np.minimum(np.maximum(wide, 0), np.maximum(lift, 0)) * 1.1)


def _brow_raise(m: dict[str, F64]) -> F64:
    return _above(m["brow_height"], 50, 0.17, 0.29) / 0.07


def _brow_lower(m: dict[str, F64]) -> F64:
    down = -_above(m["brow_height"], 50, 0.17, 0.29) / 0.06
    together = -_above(m["brow_gap"], 50, 0.27, 0.36) / 0.025
    return np.minimum(down, together)


def _jaw_drop(m: dict[str, F64]) -> F64:
    return (m["jaw_open"] - 0.15) / 0.25


def _eyes_wide(m: dict[str, F64]) -> F64:
    # Smiling narrows the eyes: the resting opening is near the upper end of what was seen.
    return _above(m["eye_open"], 70, 0.20, 0.38) / 0.12


ACTIONS = (
    Action("smile", "AU12", "smiles", _smile),
    Action("brow_raise", "AU1+2", "raises the brows", _brow_raise),
    Action("brow_lower", "AU4", "draws the brows down and together", _brow_lower),
    Action("jaw_drop", "AU26", "drops the jaw", _jaw_drop),
    Action("eyes_wide", "AU5", "opens the eyes wide", _eyes_wide),
)


def face_cues(
    past: Sequence[Look],
    times: Sequence[int],
    all_times: Sequence[int],
    window: Window,
    reliability: float,
) -> list[Cue]:
    """Sum up one person.

    Args:
        past: All looks at this person before the window's end, in order; at least one inside.
        times: When frames were looked at inside the window.
        all_times: When frames were looked at, as far back as is known.
        window: The window.
        reliability: Of the expression model.
    """
    inside = [look for look in past if look.t_ns >= window.t0_ns]
    found = [_in_view(inside, times)]
    found += _arrival(past, all_times, window)
    found.append(_expression(inside, reliability))
    found += _actions(past, window)
    found += _blinks(past, inside)
    found += head_cues(inside)
    found += gaze_cues(inside)
    return found


def _in_view(inside: Sequence[Look], times: Sequence[int]) -> Cue:
    share = min(1.0, len(inside) / max(1, len(times)))
    quality = float(np.mean([look.quality for look in inside]))
    return Cue(
        id="",
        modality="face",
        name="in_view",
        value=round(share, 3),
        unit="share",
        confidence=round(min(1.0, 0.5 + quality / 2), 3),
        t0_ns=inside[0].t_ns,
        t1_ns=inside[-1].t_ns,
        text=f"{who(inside[0].track)}'s face is in view in {share:.0%} of the frames looked at",
        track=inside[0].track,
    )


def _arrival(past: Sequence[Look], all_times: Sequence[int], window: Window) -> list[Cue]:
    """The first look at somebody, unless they were there when looking began."""
    first = past[0]
    earlier = sum(t < first.t_ns for t in all_times)
    if first.t_ns < window.t0_ns or earlier < 2:
        return []
    return [_event("appears", first, window)]


def leave_cues(past: Sequence[Look], all_times: Sequence[int], window: Window) -> list[Cue]:
    """The last look at somebody who has been gone for half a second, told in one window only."""
    last = past[-1]
    known = last.t_ns + GONE_AFTER_NS
    later = sum(last.t_ns < t < window.t1_ns for t in all_times)
    if not window.t0_ns <= known < window.t1_ns or later < 2:
        return []
    return [_event("leaves", last, window)]


def _event(name: str, look: Look, window: Window) -> Cue:
    verb = "comes into view" if name == "appears" else "goes out of view"
    return Cue(
        id="",
        modality="face",
        name=name,
        value=look.track,
        confidence=0.9,
        t0_ns=look.t_ns,
        t1_ns=look.t_ns,
        text=f"{who(look.track)} {verb} {into(window, look.t_ns)}",
        track=look.track,
    )


def _expression(inside: Sequence[Look], reliability: float) -> Cue:
    weights = np.array([look.quality for look in inside]) + 1e-6
    mean = np.average([look.expression for look in inside], axis=0, weights=weights)
    emotion = {
        name: round(float(p), 4) for name, p in zip(EMOTIONS, mean / mean.sum(), strict=True)
    }
    ranked = sorted(EMOTIONS, key=lambda name: -emotion[name])
    valence, arousal = on_plane((mean / mean.sum()).astype(np.float32), EMOTIONS)
    enough = min(1.0, len(inside) / 4)
    track = inside[0].track
    return Cue(
        id="",
        modality="face",
        name="expression",
        value={str(name): p for name, p in emotion.items()},
        confidence=round(reliability * float(weights.mean()) * enough, 3),
        t0_ns=inside[0].t_ns,
        t1_ns=inside[-1].t_ns,
        text=f"{who(track)}'s face looks most like {ranked[0]} ({emotion[ranked[0]]:.2f}), then "
        f"{ranked[1]} ({emotion[ranked[1]]:.2f})",
        emotion=emotion,
        valence=round(float(valence), 3),
        arousal=round(float(arousal), 3),
        track=track,
    )


def _actions(past: Sequence[Look], window: Window) -> list[Cue]:
    # Seen too much from the side, the geometry is the head's and not the face's.
    usable = [look for look in past if abs(look.measures.yaw_deg) < 35]
    if not any(look.t_ns >= window.t0_ns for look in usable):
        return []
    names = Measures.__slots__
    columns = {n: np.array([getattr(look.measures, n) for look in usable]) for n in names}
    found = []
    for action in ACTIONS:
        strength = np.clip(action.strength(columns), 0.0, 1.0)
        for lo, hi in _spans(strength):
            long = usable[hi].t_ns - usable[lo].t_ns >= MIN_ACTION_NS
            if long and usable[hi].t_ns >= window.t0_ns:
                found.append(_action(action, strength[lo : hi + 1], usable[lo : hi + 1], window))
    return found


def _spans(strength: F64) -> list[tuple[int, int]]:
    """First and last index of each stretch that rises over ON and stays over OFF."""
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for k, value in enumerate(strength):
        if begin is None and value >= ON:
            begin = k
        elif begin is not None and value < OFF:
            spans.append((begin, k - 1))
            begin = None
    if begin is not None:
        spans.append((begin, len(strength) - 1))
    return spans


def _action(action: Action, strength: F64, looks: Sequence[Look], window: Window) -> Cue:
    peak = round(float(strength.max()), 3)
    quality = float(np.mean([look.quality for look in looks]))
    onset = looks[0].t_ns
    start = "already before this window" if onset < window.t0_ns else into(window, onset)
    emotion: dict[Emotion, float] | None = None
    if action.name == "smile":
        # A smile speaks for joy; politeness, irony and embarrassment smile too.
        joy = round(0.3 + 0.45 * peak, 4)
        rest = round(1.0 - joy, 4)
        emotion = dict.fromkeys(EMOTIONS, 0.0)
        emotion |= {"joy": joy, "neutral": round(rest * 0.7, 4), "surprise": round(rest * 0.3, 4)}
    return Cue(
        id="",
        modality="face",
        name=action.name,
        value=peak,
        unit="strength",
        confidence=round(0.8 * quality * min(1.0, len(looks) / 4), 3),
        t0_ns=onset,
        t1_ns=looks[-1].t_ns,
        text=f"{who(looks[0].track)} {action.phrase} ({action.units}), beginning {start}",
        emotion=emotion,
        valence=round(0.7 * peak, 3) if emotion else None,
        track=looks[0].track,
    )


def _blinks(past: Sequence[Look], inside: Sequence[Look]) -> list[Cue]:
    """Blinks last 0.1–0.4 s: at a few looks a second this is a lower bound, and says so."""
    seconds = (inside[-1].t_ns - inside[0].t_ns) / NS_PER_S
    if seconds < 2.0 or len(inside) / seconds < 6.0 or len(past) < 12:
        return []
    usual = float(np.median([look.measures.eye_open for look in past]))
    shut = [look.measures.eye_open < BLINK * usual for look in inside]
    count = sum(now and not before for before, now in zip([False, *shut], shut, strict=False))
    if not count:  # none seen at this rate is not none blinked
        return []
    quality = float(np.mean([look.quality for look in inside]))
    return [
        Cue(
            id="",
            modality="face",
            name="blinks",
            value=float(count),
            unit="count",
            confidence=round(0.4 * quality, 3),
            t0_ns=inside[0].t_ns,
            t1_ns=inside[-1].t_ns,
            text=f"{who(inside[0].track)} blinks at least {count}× in {seconds:.1f} s",
            track=inside[0].track,
        )
    ]


def into(window: Window, t_ns: int) -> str:
    """A time as people say it: counted from the window's start."""
    seconds = (t_ns - window.t0_ns) / NS_PER_S
    return f"{seconds:.1f} s into the window" if seconds >= 0 else f"{-seconds:.1f} s before it"
