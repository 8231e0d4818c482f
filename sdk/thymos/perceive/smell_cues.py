"""From the readings of a nose to the cues of a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from thymos.align.window import Window
from thymos.contract import Cue
from thymos.perceive.face_cues import into
from thymos.samples import NS_PER_S
from thymos.smell.frame import F64
from thymos.smell.meaning.order import DEVIATIONS
from thymos.smell.recognise.guess import OdourGuess
from thymos.smell.signal import Baseline, Moment, Odour, SmellState
from thymos.smell.signal.phase import MIN_CHANGE

FADED = 0.55  # how much less sure a class is once the smell fades: sensors remember
CALIBRATED, ESTIMATED = 0.8, 0.45
"""How far the baseline itself can be trusted."""
FRESH_S = 3.0
MAX_NOTES = 8
LAG = "such sensors lag the air by seconds to a minute"
NOT_LEARNT = "what it is, this nose has not learnt to tell"


@dataclass(frozen=True, slots=True)
class Wafted:
    """A smell as it was known at a reading, with its times in the air."""

    odour: Odour
    onset_air: Moment
    offset_air: Moment | None

    @staticmethod
    def of(state: SmellState) -> Wafted | None:
        """The smell of a state; None if there is none."""
        if state.odour is None or state.onset_air is None:
            return None
        return Wafted(state.odour, state.onset_air, state.offset_air)

    @property
    def began_ns(self) -> tuple[int, int]:
        """Earliest and latest time at which it reached the nose."""
        return self.onset_air.interval(self.odour.onset_ns, DEVIATIONS)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading against clean air; response and threshold are [gas channels].

    Attributes:
        t_ns: Its time.
        response: NaN where invalid.
        threshold: Response that counts.
        strength: Largest response in thresholds.
        why_invalid: Why channels are invalid, in words.
        wafted: The smell that is there, or ends here.
        guess: What it may be.
    """

    t_ns: int
    response: F64
    threshold: F64
    strength: float
    why_invalid: str
    wafted: Wafted | None
    guess: OdourGuess | None


class Summary:
    """Sums up one window; what was read after it has no part in it.

    Args:
        readings: In order of arrival.
        window: The window.
        names: Gas channels.
        unit: Of the readings.
        baseline: Clean air; known.

    Attributes:
        notes: Which channels were of no use, and why.
    """

    def __init__(
        self,
        readings: Iterable[Reading],
        window: Window,
        names: Sequence[str],
        unit: str,
        baseline: Baseline,
    ) -> None:
        past = [r for r in readings if r.t_ns < window.t1_ns]
        self._window, self._names, self._log = window, names, unit in ("ohm", "kohm")
        self._sure = CALIBRATED if baseline.measured else ESTIMATED
        self._measured = baseline.measured
        self._inside = [r for r in past if r.t_ns >= window.t0_ns]
        self._last = next((r for r in reversed(past) if np.isfinite(r.response).any()), None)
        self._smells = _smells(past, window)
        self.notes = self._notes(baseline)

    def cues(self) -> list[Cue]:
        """The change, events, and what the smell is."""
        last = self._last
        if last is None:
            return []
        found = [self._change(last)]
        for smell in self._smells:
            found += self._events(smell)
        newest = self._smells[-1] if self._smells else None
        there = newest is not None and newest.odour.cleared_ns is None
        if newest is not None and there and last.t_ns >= self._window.t0_ns:
            found.append(self._class(newest, last))
        return found

    def _notes(self, baseline: Baseline) -> tuple[str, ...]:
        notes: list[str] = []
        if not self._inside:
            return ()
        bad = ~np.isfinite(np.stack([r.response for r in self._inside]))
        for k, name in enumerate(self._names):
            if 2 * int(bad[:, k].sum()) >= len(bad):
                why = "no number"
                for i in np.flatnonzero(bad[:, k]).tolist():
                    if self._inside[i].why_invalid:
                        why = self._inside[i].why_invalid
                        break
                if baseline.level is not None and not np.isfinite(baseline.level[k]):
                    why = "its reading in clean air is not known"
                notes.append(f"nose channel {name} is not used: {why}")
        return tuple(notes[:MAX_NOTES])

    def _change(self, last: Reading) -> Cue:
        known = np.flatnonzero(np.isfinite(last.response)).tolist()
        # Channel names carry a suffix: "CO" alone would read as a gas that was recognised.
        value = {f"{self._names[k]}_change": round(self._ratio(last.response[k]), 4) for k in known}
        age = (self._window.t1_ns - last.t_ns) / NS_PER_S
        if last.strength < 1.0:
            text = "the air is as in clean air"
        else:
            moved = int((np.abs(last.response[known]) > MIN_CHANGE).sum())
            top = max((value[name] for name in value), key=abs)
            text = f"the air has changed: {moved} of {len(known)} gas sensors answer, "
            text += f"by up to {top:+.0%}"
        against = "" if self._measured else ", against the air of the first seconds"
        return Cue(
            id="",
            modality="smell",
            name="change",
            value=value,
            unit="share",
            confidence=round(self._sure * (1.0 if age < FRESH_S else 0.5), 3),
            t0_ns=last.t_ns,
            t1_ns=last.t_ns,
            text=f"{text}{against}; the reading is {age:.1f} s old and {LAG}",
        )

    def _ratio(self, answer: float) -> float:
        """(x − x0)/x0 of a response."""
        return float(np.expm1(-answer)) if self._log else float(answer)

    def _events(self, smell: Wafted) -> list[Cue]:
        odour, found = smell.odour, []
        moments = (
            ("odour_onset", odour.known_ns, odour.onset_ns, "a smell begins"),
            ("odour_fading", odour.fading_ns, odour.fading_ns, "the smell begins to fade"),
            ("odour_cleared", odour.cleared_ns, odour.cleared_ns, "the air is clean again"),
        )
        for name, known_ns, t_ns, phrase in moments:
            if known_ns is None or t_ns is None:
                continue
            if not self._window.t0_ns <= known_ns < self._window.t1_ns:
                continue
            in_air = smell.onset_air if name == "odour_onset" else None
            if name == "odour_fading":
                in_air = smell.offset_air
            found.append(
                Cue(
                    id="",
                    modality="smell",
                    name=name,
                    value=round(odour.peak, 2),
                    unit="thresholds",
                    confidence=round(self._sure, 3),
                    t0_ns=t_ns,
                    t1_ns=t_ns,
                    began_ns=None if in_air is None else in_air.interval(t_ns, DEVIATIONS),
                    text=f"{phrase} {into(self._window, t_ns)}; {_late(in_air, t_ns)}",
                )
            )
        return found

    def _class(self, smell: Wafted, last: Reading) -> Cue:
        """What the smell may be, or `unknown`."""
        guess = last.guess
        label, sure, text = "unknown", 0.3, NOT_LEARNT
        if guess is not None:
            label, sure, text = guess.stands_for, guess.confidence, guess.text
        if smell.odour.fading_ns is not None:
            sure *= FADED
            text += "; it is fading"
        return Cue(
            id="",
            modality="smell",
            name="odour",
            value=label,
            confidence=round(sure, 3),
            t0_ns=smell.odour.onset_ns,
            t1_ns=last.t_ns,
            began_ns=smell.began_ns,
            text=text,
            untrusted=label != "unknown",  # names of classes come from a file
        )


def _smells(past: Sequence[Reading], window: Window) -> list[Wafted]:
    """The smells that touch a window, as they were known at its end."""
    newest: dict[int, Wafted] = {}
    for reading in past:
        if reading.wafted is not None:
            newest[reading.wafted.odour.onset_ns] = reading.wafted
    return [
        smell
        for smell in newest.values()
        if smell.odour.cleared_ns is None or smell.odour.cleared_ns >= window.t0_ns
    ]


def _late(moment: Moment | None, shown_ns: int) -> str:
    """When the air did it, in words, as far as that can be told."""
    if moment is None or moment.how == "prior":
        return LAG
    ago, spread = (shown_ns - moment.t_ns) / NS_PER_S, moment.spread_ns / NS_PER_S
    return f"in the air about {ago:.1f} s earlier, give or take {max(spread, 0.1):.1f} s"
