"""How well faces are found, and how well it is told who speaks: the numbers of `docs/models.md`.

    python -m thymos.train.face_checks DATA sizes      detection by size of the face
    python -m thymos.train.face_checks DATA nobody     faces told in clips without any
    python -m thymos.train.face_checks DATA speaker    who speaks when two faces are in view

`DATA` is the folder that holds `av/`; the scenes are put together from its clips, see
`thymos.train.face_scenes`.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thymos.models import ModelStore
from thymos.perceive.action_units import mouth
from thymos.perceive.hearing import Ear
from thymos.perceive.speaking import CLEAR, Mouth, Mouths, of_span, turns
from thymos.perceive.tracks import FaceTracker
from thymos.samples import NS_PER_S, Sample, StreamSpec
from thymos.train import face_scenes as scenes

Sound = tuple[StreamSpec, list[Sample]]

SIZES = (12, 16, 20, 24, 32, 40, 48, 64, 96)
PLACES = ((0.2, 0.3), (0.55, 0.62), (0.85, 0.5))
LOOK_NS = NS_PER_S // 8
LOOKS = 24
HEIGHT = 360
LENGTHS = (3, 4, 5)
"""Seconds of the windows in which a speaker is asked for."""


def sizes(av_folder: Path) -> None:
    """Share of looks with the face found, over three seconds from its coming into view."""
    tracker = _tracker()
    behind = scenes.background(av_folder)
    beside = scenes.resized(scenes.film(av_folder, scenes.TALKERS[1]).pictures[0], 260 / 512)
    crowded = behind.copy()
    crowded[-beside.shape[0] :, -beside.shape[1] :] = beside
    found: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for name in scenes.FRONTAL:
        film = scenes.film(av_folder, name)
        pictures = film.pictures[:: max(1, len(film.pictures) // LOOKS)][:LOOKS]
        meshes = [dict(tracker.look(p, k * LOOK_NS)) for k, p in enumerate(pictures)]
        tracker = _tracker()
        known = [(p, next(iter(m.values()))) for p, m in zip(pictures, meshes, strict=True) if m]
        unit = float(np.ptp(known[0][1].points[:, 1]))
        for size, place, full in itertools.product(SIZES, PLACES, (False, True)):
            # Not behind the other face:
            at = (place[0] - 0.5, place[1]) if full and place[0] > 0.5 else place
            looker, hits = _tracker(), 0
            for k, (picture, mesh) in enumerate(known):
                onto = crowded if full else behind
                shown = scenes.paste(onto, picture, mesh, size / unit, at)
                seen = looker.look(shown.picture, k * LOOK_NS)
                centres = [m.points[:, :2].mean(axis=0) for _, m in seen]
                hits += any(np.hypot(c[0] - shown.x, c[1] - shown.y) < size / 2 for c in centres)
            found[size, full].append(hits / len(known))
    print("face, forehead to chin | alone in view | beside a large face (VGA, 8 looks a second)")
    for size in SIZES:
        print(
            f"{size:4d} px | {np.mean(found[size, False]):.2f} | {np.mean(found[size, True]):.2f}"
        )


def nobody(av_folder: Path) -> None:
    """Faces told where there are none, each picture looked at."""
    for name in scenes.FACELESS:
        tracker, film = _tracker(), scenes.film(av_folder, name)
        told = sum(len(tracker.look(p, t)) for t, p in zip(film.t_ns, film.pictures, strict=True))
        print(f"{name}: {told} faces in {len(film.pictures)} looks")


@dataclass(frozen=True, slots=True)
class Asked:
    """One window of a scene.

    Attributes:
        truth: Side of who speaks, `left` or `right`; empty for a voice from elsewhere.
        named: Side of who was named; empty if nobody was.
        forced: Side of the likeliest, however unclear; empty if nobody in view is.
        largest: Side of the larger face: what a robot without this would take.
    """

    truth: str
    named: str
    forced: str
    largest: str


def speaker(av_folder: Path) -> None:
    """Who speaks: two faces side by side, the sound of one, of none of them."""
    films = {n: scenes.film(av_folder, n, HEIGHT) for n in (*scenes.TALKERS, *scenes.LISTENERS)}
    heard = {n: scenes.sound(av_folder, n) for n in scenes.TALKERS}
    groups: dict[tuple[int, str], list[Asked]] = defaultdict(list)
    for left, right, voice, group in _casts():
        for length, asked in _play(films[left], films[right], voice, heard[voice]):
            groups[length, group].append(asked)
    for (length, group), windows in sorted(groups.items()):
        print(f"{length} s, {group}: {_summary(windows)}")


def _casts() -> Iterator[tuple[str, str, str, str]]:
    """Left, right, whose voice, and what kind of scene that is."""
    for a, b in itertools.combinations(scenes.TALKERS, 2):
        for voice in (a, b):
            yield a, b, voice, "both mouths talk"
    for a in scenes.TALKERS:
        for b in scenes.LISTENERS:
            yield a, b, a, "one talks, one makes faces"
    for k, voice in enumerate(scenes.TALKERS):
        others = [n for n in scenes.TALKERS if n != voice]
        yield others[k % 4], others[(k + 1) % 4], voice, "the voice is of neither"


def _play(
    left: scenes.Film, right: scenes.Film, voice: str, sound: Sound
) -> Iterator[tuple[int, Asked]]:
    """Show a scene as the face perceiver sees it; ask for the speaker of windows of each length."""
    ear, mouths, tracker = Ear(), Mouths(), _tracker()
    ear.start(sound[0])
    for block in sound[1]:
        ear.feed(block)
    border = left.pictures[0].shape[1]
    where: dict[str, list[float]] = defaultdict(list)
    size: dict[str, float] = defaultdict(float)
    times = [t for t in (right if right.name == voice else left).t_ns if t >= right.t_ns[0]]
    times = [t for t in times if left.t_ns[0] <= t <= min(left.t_ns[-1], right.t_ns[-1])]
    for k, t_ns in enumerate(times):
        picture = scenes.side_by_side(left.at(t_ns), right.at(t_ns))
        seen = (tracker.look if k % 3 == 0 else tracker.follow)(picture, t_ns)
        for track, mesh in seen:
            mouths.add(Mouth(t_ns, track, *mouth(mesh)))
            where[track].append(mesh.roi.x)
            size[track] = max(size[track], mesh.roi.side)
    sides = {t: "left" if np.median(x) < border else "right" for t, x in where.items()}
    largest = sides[max(size, key=lambda t: size[t])]
    truth = "left" if voice == left.name else "right" if voice == right.name else ""
    for length in LENGTHS:
        for t0 in range(times[0], times[-1] - length * NS_PER_S + 1, NS_PER_S):
            t1 = t0 + length * NS_PER_S
            named, forced = (
                of_span(turns(mouths, ear, t0, t1, clear=clear), t0, t1) for clear in (CLEAR, 0.0)
            )
            if turns(mouths, ear, t0, t1):
                asked = Asked(truth, sides.get(named, ""), sides.get(forced, ""), largest)
                yield length, asked


def _summary(asked: list[Asked]) -> str:
    """Named, and right of these, with the baselines; of a voice from elsewhere, wrongly named."""
    named = [a for a in asked if a.named]
    if not asked[0].truth:
        return f"{len(asked)} windows, somebody wrongly named in {len(named) / len(asked):.2f}"
    right = sum(a.named == a.truth for a in named)
    largest = sum(a.largest == a.truth for a in asked) / len(asked)
    forced = sum(a.forced == a.truth for a in asked) / len(asked)
    low, high = wilson(right, len(named))
    told = f"right in {right / max(1, len(named)):.2f} [{low:.2f}, {high:.2f}] of these"
    return (
        f"{len(asked)} windows, named in {len(named) / len(asked):.2f}, {told}; the likeliest is "
        f"right in {forced:.2f} of all, the largest face in {largest:.2f}, chance in 0.50"
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 22(158), 1927). Overlapping windows make it narrow."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return middle - half, middle + half


def _tracker() -> FaceTracker:
    return FaceTracker(ModelStore().path("face_mesh"))


def main() -> None:
    """Run one of the checks."""
    checks = {"sizes": sizes, "nobody": nobody, "speaker": speaker}
    told, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=told, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("check", choices=checks)
    given = parser.parse_args()
    checks[given.check](given.data / "av")


if __name__ == "__main__":
    main()
