"""How often "the smell began before the frown" is told, and how often that is wrong.

    python -m benchmarks.smell_order            # the table of docs/smell-meaning.md

Made noses of several speeds (those of benchmarks.smell_signal, other seeds) smell something from a
known moment; a frown, known to a quarter of a second, lies some seconds before or after it. The
perceiver's own onset in the air decides what is told. Beside it: what one would say who takes the
onset reading for the onset (no lag), and who takes one standard deviation for the whole interval.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import numpy as np

from benchmarks.smell_signal import Rig, readings
from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos.smell.meaning.order import DEVIATIONS, onset_of, relation
from thymos_drivers.sim_nose import CHANNELS

WINDOW_S = 4
RIGS = (Rig(1, 0, 10), Rig(4, 0, 10), Rig(10, 0, 10), Rig(1, 3, 10), Rig(4, 3, 10), Rig(4, 3, 1))
FIRST_SEED = 3000
OFFSETS_S = (-8.0, -4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0, 8.0)
LAST_S = 20.0

Interval = Callable[[Cue], Cue]


def onset(rig: Rig, begin_s: float, seed: int) -> Cue | None:
    """The cue that tells the onset, from the window in which it is known."""
    spec = StreamSpec("enose", Kind.GAS, rig.hz, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)
    nose = SmellPerceiver(PerceiveConfig())
    nose.start(spec)
    end_ns = WINDOW_S * NS_PER_S
    for n, (t_ns, row) in enumerate(readings(rig, seed, begin_s, begin_s + LAST_S)):
        if t_ns >= end_ns:
            found = onset_of(nose.cues(Window("w", end_ns - WINDOW_S * NS_PER_S, end_ns, {})))
            if found is not None and found.name == "odour_onset":
                return found
            end_ns += WINDOW_S * NS_PER_S
        nose.observe(Sample("enose", n, t_ns, t_ns, row))
    return None


def as_it_is(cue: Cue) -> Cue:
    """The interval of the perceiver."""
    return cue


def one_deviation(cue: Cue) -> Cue:
    """An interval of one standard deviation each way."""
    assert cue.began_ns is not None
    early, late = cue.began_ns
    shrink = (late - early) * (1 - 1 / DEVIATIONS) / 2
    return cue.model_copy(update={"began_ns": (round(early + shrink), round(late - shrink))})


def no_lag(cue: Cue) -> Cue:
    """The reading taken for the air."""
    return cue.model_copy(update={"began_ns": (cue.t0_ns, cue.t0_ns)})


WAYS: dict[str, Interval] = {
    "thymos (2 deviations)": as_it_is,
    "1 deviation": one_deviation,
    "reading taken for the air": no_lag,
}


def frown(t_ns: int) -> Cue:
    """Something that a face does at a moment."""
    return Cue(
        id="w-face1",
        modality="face",
        name="frown",
        value=1.0,
        confidence=0.8,
        t0_ns=t_ns,
        t1_ns=t_ns + NS_PER_S,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="smells for each nose")
    runs = parser.parse_args().runs
    print("| nose | taken for the onset | right order | wrong order | same time | nothing |")
    print("|---|---|---|---|---|---|")
    for rig in RIGS:
        counts = {name: Counter[str]() for name in WAYS}
        for seed in range(FIRST_SEED, FIRST_SEED + runs):
            begin_s = float(np.random.default_rng([seed, 1]).uniform(10, 14))
            cue = onset(rig, begin_s, seed)
            for offset_s in OFFSETS_S if cue is not None else ():
                assert cue is not None
                face = frown(round((begin_s + offset_s) * NS_PER_S))
                truth = "before" if offset_s > 0 else "after"
                for name, interval in WAYS.items():
                    made = relation(interval(cue), face, 0)
                    counts[name][_judged(None if made is None else made.order, truth)] += 1
        for name, found in counts.items():
            total = max(1, sum(found.values()))
            cells = [f"{found[key] / total:.3f}" for key in ("right", "wrong", "same", "nothing")]
            print(f"| {rig} | {name} | {' | '.join(cells)} |")


def _judged(told: str | None, truth: str) -> str:
    if told is None:
        return "nothing"
    return told if told == "same" else "right" if told == truth else "wrong"


if __name__ == "__main__":
    main()
