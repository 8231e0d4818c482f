"""How soon a danger is answered, and how often a harmless smell is taken for one.

    python -m benchmarks.danger                  # simulated nose; real recordings if they are there
    python -m benchmarks.danger --data FOLDER    # FOLDER/enose/smellnet/{train,test}/NAME/*.csv

Capture time, not wall time: from the onset of a simulated smell to the sample on which the
responder answers. Harmless: the foods of SmellNet, gas channels only, one run of the perceiver a
recording, clean air from its first seconds; and simulated clean air, coffee and orange. Clean air
from the first seconds lets no mere pattern alarm, so the recordings are also run as if it had been
measured (which it was not: the food is there from the start).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from thymos.config import PerceiveConfig
from thymos.contract import Response
from thymos.perceive.smell import SmellPerceiver
from thymos.respond.responder import StreetResponder
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos.smell import formats
from thymos.smell.formats.smellnet import GAS
from thymos.smell.meaning import DangerWatch, Sniff
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events

HZ = 10
ONSET_S, END_S, SECONDS = 15, 45, 90
SIMULATED = StreamSpec("enose", Kind.GAS, HZ, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)
SMELLNET = StreamSpec("enose", Kind.GAS, 1, (7,), "adc", GAS, origin=Origin.RECORDED)
DANGERS = ("smoke", "gas", "ammonia", "alcohol", "solvent")
HARMLESS = ("", "coffee", "orange")
PER_SUBSTANCE = {"test": None, "train": 1}


class AsIfMeasured(DangerWatch):
    """Believes that clean air was measured."""

    def take(self, sniff: Sniff) -> None:
        """Judge one reading."""
        super().take(replace(sniff, calibrated=True))


def answers(
    spec: StreamSpec, samples: Iterable[Sample], watch: DangerWatch | None = None
) -> list[tuple[int, Response]]:
    """What the responder says at once, with the capture time of the sample."""
    perceiver, responder = SmellPerceiver(PerceiveConfig()), StreetResponder()
    perceiver.start(spec)
    if watch is not None:
        perceiver._danger = watch
    said = []
    for sample in samples:
        perceiver.observe(sample)
        for cue in perceiver.dangers():
            if (response := responder.warn(cue)) is not None:
                said.append((sample.t_ns, response))
    return said


def simulated(odour: str, seed: int) -> Iterator[Sample]:
    """A run of the simulated nose."""
    events = parse_events(f"{odour}@{ONSET_S}-{END_S}") if odour else ()
    array = MoxArray(events, seed)
    for n in range(SECONDS * HZ):
        t_ns = n * NS_PER_S // HZ
        yield Sample("enose", n, t_ns, t_ns, array.step(1 / HZ))


def recorded(path: Path) -> Iterator[Sample]:
    """A recording of SmellNet, a reading a second."""
    for n, frame in enumerate(formats.read(path).frames()):
        yield Sample("enose", n, frame.t_ns, frame.t_ns, frame.usable[: len(GAS)])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    for odour in DANGERS:
        waits = []
        for seed in range(given.seeds):
            alarms = [t for t, r in answers(SIMULATED, simulated(odour, seed)) if _alarm(r)]
            waits.append((alarms[0] - ONSET_S * NS_PER_S) / NS_PER_S if alarms else None)
        told = [w for w in waits if w is not None]
        span = f"{min(told):.1f} to {max(told):.1f} s" if told else "-"
        print(f"simulated {odour:8}  warned {len(told)} of {given.seeds}, after {span}")
    for odour in HARMLESS:
        said = [r for s in range(given.seeds) for _, r in answers(SIMULATED, simulated(odour, s))]
        _print(f"simulated {odour or 'clean air'}", given.seeds, given.seeds * SECONDS, said)
    folder = given.data / "enose" / "smellnet"
    if not folder.is_dir():
        print(f"no recordings in {folder}: give --data")
        return
    for what, kind in (("as they are", DangerWatch), ("as if measured", AsIfMeasured)):
        runs, seconds, said, where = 0, 0.0, list[Response](), list[str]()
        for part, most in PER_SUBSTANCE.items():
            for substance in sorted((folder / part).iterdir()):
                for path in sorted(substance.glob("*.csv"))[:most]:
                    samples = list(recorded(path))
                    found = [response for _, response in answers(SMELLNET, samples, kind())]
                    runs, seconds = runs + 1, seconds + len(samples)
                    said += found
                    where += [f"{part}/{substance.name}"] * bool(found)
        _print(f"recorded foods, {what}", runs, seconds, said)
        print(f"in: {', '.join(where) or 'none'}")


def _alarm(response: Response) -> bool:
    return "suspects" not in response.guard.reason


def _print(what: str, runs: int, seconds: float, said: list[Response]) -> None:
    alarms = sum(map(_alarm, said))
    hints = len(said) - alarms
    print(f"{what}: {runs} runs, {seconds / 3600:.1f} h: {alarms} alarms, {hints} hints")


if __name__ == "__main__":
    main()
