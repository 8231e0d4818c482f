"""Pictures that explain a sniff: a modelled sensor array through the signal stage of Thymos.

    python -m benchmarks.smell_pictures [--out docs/images]

`smell-sniff.svg`: phases, steady state and transients of one sensor. `smell-onset.svg`: when a
smell reached the nose, by what is usual and by its rise, beside when it did in truth. The sensors
answer a step of gas as y = A·(1 − exp(−t/τ)), at 10 Hz with a little noise. Both pictures are the
same bytes each time.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thymos.report.plot import GOLD, GREEN, PLUM, Panel
from thymos.report.svg import BLUE, INK, RED, SOFT, document, words
from thymos.samples import NS_PER_S
from thymos.smell.frame import F64, Phase
from thymos.smell.meaning.order import DEVIATIONS
from thymos.smell.signal import SmellSignal, SmellState
from thymos.smell.signal.features import ALPHAS, NAMES

BEGIN_S, END_S, LENGTH_S, RATE_HZ = 40.0, 100.0, 300.0, 10.0
FULL = np.array([0.8, 0.4, 0.3, 0.5])
RISE_S, DECAY_S = np.array([15.0, 20.0, 25.0, 30.0]), np.array([60.0, 80.0, 70.0, 90.0])
NOISE = 0.00015
THIN = 5  # readings to a point of a curve
BY = {
    "prior": "by what is usual for such sensors",
    "bracketed": "by the last reading that showed nothing and the first that did",
    "fitted": "by the shape of its rise",
}
PAINT = {Phase.UNKNOWN: SOFT, Phase.BASELINE: GREEN, Phase.EXPOSURE: GOLD, Phase.RECOVERY: BLUE}


@dataclass(frozen=True, slots=True)
class Run:
    """The first sensor: times [s], responses, its transients, all states, its features."""

    t: list[float]
    answer: list[float]
    ema: list[list[float]]
    states: list[SmellState]
    features: dict[str, float]


def readings() -> list[tuple[float, F64]]:
    """Resistances of the modelled sensors [ohm] with their times [s]."""
    rng, felt = np.random.default_rng(7), np.zeros(len(FULL))
    made = []
    for k in range(int(LENGTH_S * RATE_HZ)):
        t = k / RATE_HZ
        goal = FULL if BEGIN_S <= t < END_S else np.zeros(len(FULL))
        felt += (goal - felt) * -np.expm1(-1 / RATE_HZ / np.where(goal > felt, RISE_S, DECAY_S))
        made.append((t, 5e4 * np.exp(-felt + rng.normal(0, NOISE, len(FULL)))))
    return made


def run() -> Run:
    """Take them through the signal stage."""
    signal = SmellSignal([f"sensor {k}" for k in range(len(FULL))], "ohm")
    t, states = [], []
    for at, values in readings():
        t.append(at)
        states.append(signal.update(round(at * NS_PER_S), values))
    answer = [float(state.response[0]) for state in states]
    told = dict(zip(NAMES, signal.features()[0].tolist(), strict=True))
    return Run(t, answer, transients(answer), states, told)


def transients(answer: list[float]) -> list[list[float]]:
    """y of each α over time, see `thymos.smell.signal.features`."""
    out: list[list[float]] = [[] for _ in ALPHAS]
    left = (1.0 - ALPHAS) ** (100.0 / RATE_HZ)
    y, before = np.zeros(len(ALPHAS)), np.nan
    for value in answer:
        if np.isfinite(before):
            y = left * y + (1 - left) * (value - before) / (100.0 / RATE_HZ)
        before = value
        for rows, one in zip(out, y.tolist(), strict=True):
            rows.append(one if np.isfinite(value) else float("nan"))
    return out


def sniff_picture(made: Run) -> str:
    """Phases, steady state and transients."""
    span = (0.0, LENGTH_S)
    ticks = {float(s): f"{s} s" for s in range(0, int(LENGTH_S) + 1, 50)}
    upper = Panel(64, 96, 700, 190, span, (-0.1, 1.0))
    parts = [
        words(16, 46, "One modelled sensor (rise 15 s, decay 60 s) that meets a smell for 60 s")
    ]
    parts += _phases(made, upper)
    parts += upper.axes({}, {v: f"{v:g}" for v in (0.0, 0.25, 0.5, 0.75, 1.0)})
    parts += _steady(made, upper)
    parts.append(upper.curve(list(zip(made.t, made.answer, strict=True))[::THIN], INK))
    lower = Panel(64, 356, 700, 150, span, (-1.1, 1.1))
    name = "transients: moving averages of the difference, each over its own peak"
    parts += lower.axes(ticks, {-1.0: "−1", 0.0: "0", 1.0: "1"}, name)
    paints = (BLUE, RED, PLUM)
    for n, (alpha, row) in enumerate(zip(ALPHAS.tolist(), made.ema, strict=True)):
        peak = np.nanmax(np.abs(row))
        points = [(t, y / peak) for t, y in zip(made.t, row, strict=True)]
        parts.append(lower.curve(points[::THIN], paints[n], ("", "7 4", "2 4")[n]))
        for best in (int(np.nanargmax(row)), int(np.nanargmin(row))):
            parts.append(lower.dot(made.t[best], row[best] / peak, paints[n]))
        parts.append(words(600, 376 + 18 * n, f"α = {alpha:g} at 100 Hz", colour=paints[n]))
    told = made.features  # dR_norm says nothing of a response that begins at zero
    for n, kind in enumerate(("rise", "decay")):
        three = ", ".join(f"{1e4 * told[f'ema_{kind}_{a:g}']:.2g}" for a in ALPHAS)
        text = f"{kind}: {three} · 10⁻⁴ a sample at 100 Hz (the dots)".replace("-", "−")
        parts.append(words(64, 558 + 18 * n, text))
    return document(900, 590, "A sniff: phases, steady state, transients", parts)


def _phases(made: Run, panel: Panel) -> list[str]:
    parts, begin = [], 0
    for k in range(1, len(made.t) + 1):
        if k < len(made.t) and made.states[k].phase is made.states[begin].phase:
            continue
        phase = made.states[begin].phase
        end = made.t[min(k, len(made.t) - 1)]
        parts.append(panel.band(made.t[begin], end, PAINT[phase], 0.18))
        middle = (made.t[begin] + end) / 2
        if end - made.t[begin] > LENGTH_S / 15:  # else there is no room for its name
            parts.append(panel.say(middle, panel.y[1], phase.value, anchor="middle", shift=(0, -8)))
        begin = k
    return parts


def _steady(made: Run, panel: Panel) -> list[str]:
    """The largest answer, and what counts as a smell."""
    best = int(np.nanargmax(made.answer))
    high, at = made.answer[best], made.t[best]
    least = float(made.states[-1].threshold[0])
    (x, y0), (_, y1) = panel.at(at, 0.0), panel.at(at, high)
    arrow = (
        f'<path d="M{x:.1f} {y0:.1f}V{y1 + 3:.1f}m-4 6l4 -7l4 7M{x - 4:.1f} {y0 - 6:.1f}l4 6l4 -6" '
        f'fill="none" stroke="{RED}"/>'
    )
    return [
        panel.level(0.0),
        panel.say(LENGTH_S, 0.0, "clean air, R0", shift=(8, 8), colour=SOFT),
        panel.level(least, GOLD, "2 3"),
        panel.say(LENGTH_S, least, f"a smell from {least:g}", shift=(8, -2), colour=SOFT),
        arrow,
        panel.say(at, high / 2, f"ΔR = {high:.2f}", shift=(8, 0), colour=RED),
        panel.say(0, 1.0, "−ln(R/R0)", shift=(0, -24), colour=SOFT),
    ]


def onset_picture(made: Run) -> str:
    """The onset: what the sensor showed, what was concluded, what was true."""
    panel = Panel(64, 118, 760, 220, (30.0, 60.0), (-0.05, 0.65))
    shown = [(t, v) for t, v in zip(made.t, made.answer, strict=True) if 30 <= t <= 60]
    first = next(s for s in made.states if s.odour is not None)
    last = next(s for s in made.states if s.phase is Phase.RECOVERY)
    assert first.odour is not None
    onset_ns = first.odour.onset_ns
    spans = ((first, BLUE, 0.16, "at first"), (last, RED, 0.3, "later"))
    parts = [words(16, 46, "A sensor tells of the past: when a smell began is an interval")]
    for n, (state, paint, depth, moment) in enumerate(spans):
        assert state.onset_air is not None
        early, late = (t / NS_PER_S for t in state.onset_air.interval(onset_ns, DEVIATIONS))
        parts.append(panel.band(early, late, paint, depth))
        text = f"{moment}, {BY[state.onset_air.how]}"
        parts.append(words(64, 72 + 18 * n, f"{text}: {early:.1f} to {late:.1f} s", colour=paint))
    parts += panel.axes(
        {float(s): f"{s} s" for s in range(30, 61, 5)}, {v: f"{v:g}" for v in (0.0, 0.2, 0.4, 0.6)}
    )
    crossed, known = onset_ns / NS_PER_S, first.t_ns / NS_PER_S
    parts += [
        panel.curve(shown, INK),
        panel.upright(BEGIN_S, GREEN, "6 3"),
        panel.say(BEGIN_S, 0.6, "in truth", anchor="end", shift=(-6, -6), colour=GREEN),
        panel.dot(crossed, made.answer[made.t.index(crossed)], INK),
        panel.say(crossed, 0.12, f"above the threshold at {crossed:.1f} s", shift=(10, 14)),
        panel.say(crossed, 0.06, f"known at {known:.1f} s", shift=(10, 14)),
        words(16, 386, "Response −ln(R/R0) of the fastest of four modelled sensors; bands are two"
              " standard deviations to each side.", size=11),
    ]  # fmt: skip
    return document(850, 402, "When did the smell begin?", parts)


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out: Path = parser.parse_args().out
    made = run()
    for name, picture in (("sniff", sniff_picture(made)), ("onset", onset_picture(made))):
        path = out / f"smell-{name}.svg"
        path.write_text(picture, encoding="utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
