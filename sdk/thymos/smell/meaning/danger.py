"""Danger in the air, reading by reading: two stages, held against single bad readings.

A *hint* (`possible_danger`) is a recogniser that is not sure, or a nose that has learnt nothing
whose sensor made for a dangerous gas answers most. An *alarm* (`danger`) is a recogniser that is
sure, or such a pattern that is strong and lasts, against clean air that was measured. What is told
of it, and how often, is not decided here (`thymos.respond.warn`).

Every MOX sensor answers many gases: this is no certified detector.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from thymos.align.window import Window
from thymos.contract import Cue
from thymos.samples import NS_PER_S
from thymos.smell.meaning.table import Danger, meaning_of, table

ALARM, HINT = "danger", "possible_danger"
"""Names of the cues."""
Stage = Literal["", "hint", "alarm"]

SURE = 0.5
"""A recogniser this sure raises an alarm: the same bound as in `thymos.respond.guard`."""
MAYBE = 0.3
ANSWERS_FOR = 0.8
"""A harmless odour recognised this surely answers for a faint pattern. Of a gas that was never
learnt, 22 to 31 % of samples get the name of a learnt one (docs/models/smell.md)."""
HOLD_NS = NS_PER_S
"""A recognised danger must hold so long, and for so many readings, before it is believed."""
HOLD_READINGS = 3
PATTERN_HINT = 3.0
"""Strength in thresholds from which a mere pattern counts."""
PATTERN_HINT_NS = 5 * NS_PER_S
PATTERN_ALARM = 8.0
PATTERN_ALARM_NS = 20 * NS_PER_S
REMIND_NS = 30 * NS_PER_S
"""While an alarm lasts it is reported again so often; whether it is *said* again is decided by the
responder."""
GAP_NS = 5 * NS_PER_S
GAP_PERIODS = 3
"""What holds does not outlast a gap without readings, so long or of three periods of the nose."""
PENDING = 16
NEWEST = 1024
"""Readings that may have come after the end of a window when it is asked for, and more."""

PATTERNS: dict[str, Danger] = {
    "co": "smoke",
    "ch4": "gas_leak",
    "lpg": "gas_leak",
    "h2": "gas_leak",
}
"""What it may be when the sensor made for a gas answers most, without learnt odours."""
_MAYBE = {
    "smoke": "smoke or another combustion gas",
    "gas_leak": "a combustible gas",
}


@dataclass(frozen=True, slots=True)
class Sniff:
    """One valid reading, as the perceiver judges it.

    Attributes:
        t_ns: Capture time.
        onset_ns: Reading with which the smell began; None if the air is clean.
        label: What the recogniser says; empty or `unknown` if it says nothing.
        confidence: How sure it is, 0 … 1.
        strength: Largest response, in thresholds of its channel.
        channel: Name of that channel.
        fading: The source is gone, the sensor recovers.
        began_ns: Earliest and latest time of the onset in the air, if known.
        calibrated: What clean air reads was measured, not taken from the first seconds of a run.
        period_ns: Usual time between two readings; 0 if unknown.
    """

    t_ns: int
    onset_ns: int | None
    label: str = ""
    confidence: float = 0.0
    strength: float = 0.0
    channel: str = ""
    fading: bool = False
    began_ns: tuple[int, int] | None = None
    calibrated: bool = False
    period_ns: int = 0


@dataclass(slots=True)
class _Held:
    """Since when and for how many readings in a row a suspicion holds."""

    since_ns: int
    readings: int = 1


@dataclass(slots=True)
class _Episode:
    """One smell, from onset until the air is clean."""

    onset_ns: int
    stage: Stage = ""
    danger: Danger = "none"
    told_ns: int | None = None  # last report
    held: dict[tuple[Danger, str], _Held] = field(default_factory=dict)


@dataclass(slots=True)
class _Shown:
    """A cue, when it was told, and the newest readings at which it held."""

    cue: Cue
    told_ns: int
    held: deque[int] = field(default_factory=lambda: deque(maxlen=NEWEST))

    def within(self, window: Window) -> Cue | None:
        """The cue as it was known when the window ended; None if it did not hold in it.

        A live run has seen readings from after the window when it is asked for it, a replay has
        not: both get the same.
        """
        until_ns = max((t for t in self.held if t < window.t1_ns), default=self.told_ns)
        if self.told_ns >= window.t1_ns or until_ns < window.t0_ns:
            return None
        return self.cue.model_copy(update={"t1_ns": until_ns})


class DangerWatch:
    """Follows one nose. Depends on the readings alone, hence the same in a replay."""

    def __init__(self) -> None:
        self._episode: _Episode | None = None
        self._last_ns: int | None = None
        self._found: deque[Cue] = deque(maxlen=PENDING)
        self._shown: deque[_Shown] = deque(maxlen=PENDING)

    def take(self, sniff: Sniff) -> None:
        """Judge one reading."""
        if sniff.onset_ns is None:
            self._episode = None
            self._last_ns = sniff.t_ns
            return
        if self._episode is None or self._episode.onset_ns != sniff.onset_ns:
            self._episode = _Episode(sniff.onset_ns)
        step_ns = 0 if self._last_ns is None else sniff.t_ns - self._last_ns
        if step_ns < -GAP_NS:  # the clock of the nose went back: times from before mean nothing now
            self._episode = _Episode(sniff.onset_ns)
        episode = self._episode
        if step_ns > max(GAP_NS, GAP_PERIODS * sniff.period_ns):
            episode.held.clear()
        self._last_ns = sniff.t_ns
        stage, danger, why = self._judge(episode, sniff)
        if not stage:
            return
        if self._worth_telling(episode, stage, danger, sniff.t_ns):
            cue = _cue(stage, danger, why, sniff)
            episode.stage, episode.danger, episode.told_ns = stage, danger, sniff.t_ns
            self._found.append(cue)
            self._shown.append(_Shown(cue, sniff.t_ns))
        if stage == episode.stage:  # an alarm does not go on as a hint
            self._shown[-1].held.append(sniff.t_ns)

    def drain(self) -> list[Cue]:
        """Take what is to be told at once, found since the last call."""
        found = list(self._found)
        self._found.clear()
        return found

    def cues(self, window: Window) -> list[Cue]:
        """The worst that was noticed in a window: an alarm, else a hint, else nothing."""
        inside = [cue for shown in self._shown if (cue := shown.within(window))]
        alarms = [cue for cue in inside if cue.name == ALARM]
        return (alarms or inside)[-1:]

    @staticmethod
    def _worth_telling(episode: _Episode, stage: Stage, danger: Danger, t_ns: int) -> bool:
        if episode.told_ns is None or (episode.stage == "hint" and stage == "alarm"):
            return True
        if stage == "alarm":
            return danger != episode.danger or t_ns - episode.told_ns >= REMIND_NS
        return False

    def _judge(self, episode: _Episode, sniff: Sniff) -> tuple[Stage, Danger, str]:
        """The stage that holds at this reading, with the class and the reason."""
        suspicions = {} if sniff.fading else _suspicions(sniff)
        for key in [k for k in episode.held if k not in suspicions]:
            del episode.held[key]
        best: tuple[Stage, Danger, str] = ("", "none", "")
        for (danger, why), bounds in suspicions.items():
            held = episode.held.get((danger, why))
            if held is None:
                held = episode.held[danger, why] = _Held(sniff.t_ns)
            else:
                held.readings += 1
            lasted = sniff.t_ns - held.since_ns
            believed = lasted >= bounds[1] and held.readings >= HOLD_READINGS
            if believed and (not best[0] or (best[0] == "hint" and bounds[0] == "alarm")):
                best = (bounds[0], danger, why)
        return best


def _suspicions(sniff: Sniff) -> dict[tuple[Danger, str], tuple[Stage, int]]:
    """What this reading alone suspects, with the stage it leads to and how long it must hold.

    A harmless odour, very surely recognised, answers for a faint pattern, and never
    for a strong one: recognisers name gases that they never learnt after those they did.
    """
    found: dict[tuple[Danger, str], tuple[Stage, int]] = {}
    meaning = meaning_of(sniff.label)
    if meaning.dangerous and sniff.confidence >= SURE:
        found[meaning.danger, "recognised"] = ("alarm", HOLD_NS)
    if meaning.dangerous and sniff.confidence >= MAYBE:
        found[meaning.danger, "perhaps"] = ("hint", HOLD_NS)
    pattern = PATTERNS.get(sniff.channel.strip().casefold())
    if pattern is None:
        return found
    if sniff.strength >= PATTERN_ALARM and sniff.calibrated:
        found[pattern, "strong"] = ("alarm", PATTERN_ALARM_NS)
    harmless = meaning.known and sniff.confidence >= ANSWERS_FOR
    if sniff.strength >= PATTERN_HINT and not harmless and not meaning.dangerous:
        found[pattern, "pattern"] = ("hint", PATTERN_HINT_NS)
    return found


def _cue(stage: Stage, danger: Danger, why: str, sniff: Sniff) -> Cue:
    """The cue of a suspicion that held; its value is a name of the odour table, or the class."""
    row = table().dangers[danger]
    value: str = danger
    if why in ("recognised", "perhaps"):
        meaning = meaning_of(sniff.label)
        value, says = meaning.name, meaning.says
        text = f"the air smells like {says}" if stage == "alarm" else f"possibly {says}"
        sure = sniff.confidence
    else:
        says = _MAYBE.get(danger, row.says)
        lasting = ", strongly and for long" if why == "strong" else ""
        text = (
            f"possibly {says}: of all gas sensors the one made for it answers most{lasting}, "
            "but every such sensor answers many gases"
        )
        sure = SURE if stage == "alarm" else MAYBE
    assert sniff.onset_ns is not None  # noqa: S101
    return Cue(
        id="",
        modality="smell",
        name=ALARM if stage == "alarm" else HINT,
        value=value,
        confidence=round(min(1.0, sure), 3),
        t0_ns=sniff.onset_ns,
        t1_ns=sniff.t_ns,
        began_ns=sniff.began_ns,
        text=text,
    )
