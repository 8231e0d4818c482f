"""Following faces from look to look, with ids that depend on the pictures alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from thymos.perceive.facemesh import U8, Detector, Mesh, MeshNet, Roi, cut, whole
from thymos.perceive.tflite import F32
from thymos.samples import NS_PER_S

MAX_FACES = 4
DETECT_EVERY = 4
"""Looks between searches of the whole picture while all known faces are in view."""
TILES_ALONE = 2
"""Tiles searched in a look while nobody is in view; one otherwise."""
FORGET_AFTER_NS = 3 * NS_PER_S
NEAR_NS = NS_PER_S  # so long a lost face is expected where it was
SURE_SCORE = 0.75
"""A newcomer below this is told only once it was seen twice."""
DOUBT_NS = NS_PER_S // 2
"""How long a newcomer is watched who appears where somebody known was lost."""
SAME = 0.3  # overlap above which two squares hold the same face
PORTRAIT = 12  # pixels a side
STRANGER = 0.5
"""Likeness of a face to a track's portrait below which somebody else has got in between. Of one
person from look to look it is above 0.65, of two people 0.5 in the middle and 0.8 at most (eight
clips): enough to tell who of two it is, not to know somebody again among many."""
BACK = 0.35
"""Likeness from which a lost face is recognised where it was."""
ALIKE = 0.8
"""Likeness from which it is recognised elsewhere."""
LEARN = 0.1  # share of the newest look in a portrait


@dataclass(slots=True)
class Track:
    """One person as long as they stay in view.

    Attributes:
        id: `p1`, `p2`, … in order of appearance; empty until it is sure that it is a face.
        roi: Where the face was last.
        seen_ns: When that was.
        portrait: What it looks like; see `portrait`.
        told_ns: From when it may have an id.
        speed: Of the square's centre, pixels a second, x and y.
    """

    id: str
    roi: Roi
    seen_ns: int
    portrait: F32
    told_ns: int = 0
    speed: tuple[float, float] = field(default=(0.0, 0.0))

    def expected(self, t_ns: int) -> Roi:
        """Where the face should be now."""
        dt = min(t_ns - self.seen_ns, NEAR_NS // 4) / NS_PER_S
        x, y = self.roi.x + self.speed[0] * dt, self.roi.y + self.speed[1] * dt
        return Roi(x, y, self.roi.side, self.roi.angle)


@dataclass(slots=True)
class _Seen:
    track: Track
    mesh: Mesh
    portrait: F32
    likeness: float


class FaceTracker:
    """Finds and follows up to four faces.

    A known face is looked for where it should be, by the landmark network, which also tells
    whether there is a face at all; a small portrait tells whether it is still the same one, so
    that somebody who passes in front of another takes neither their id nor their place. Newcomers
    are searched for in the whole picture and, tile after tile, in its parts at three times the
    size: a face of a thirtieth of the picture's width is found within two seconds.

    Args:
        folder: Weights of the role `face_mesh`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._near, self._far = Detector.near(folder), Detector.far(folder)
        self._mesh = MeshNet(folder)
        self._tracks: list[Track] = []
        self._born = 0
        self._looks = 0
        self._tiles = 0

    def look(self, image: U8, t_ns: int) -> list[tuple[str, Mesh]]:
        """Find the faces in one picture: those known, and newcomers."""
        seen = self._follow(image, t_ns)
        if len(seen) < MAX_FACES:
            self._search(image, t_ns, seen)
        self._looks += 1
        return _told(seen)

    def follow(self, image: U8, t_ns: int) -> list[tuple[str, Mesh]]:
        """Find the known faces only: 2 ms each."""
        return _told(self._follow(image, t_ns))

    def _follow(self, image: U8, t_ns: int) -> list[_Seen]:
        self._tracks = [t for t in self._tracks if 0 <= t_ns - t.seen_ns <= FORGET_AFTER_NS]
        claims: list[_Seen] = []
        for track in self._tracks:
            if t_ns - track.seen_ns > NEAR_NS:
                continue  # only a search finds it again
            expected = track.expected(t_ns)
            mesh = self._mesh.look(image, expected)
            if mesh is None or mesh.roi.overlap(expected) < SAME:
                continue
            shown = portrait(image, mesh)
            likeness = _likeness(shown, track.portrait)
            if likeness >= STRANGER:
                claims.append(_Seen(track, mesh, shown, likeness))
        seen: list[_Seen] = []
        # Two tracks may have run into one face: it is that of whom it looks like.
        for claim in sorted(claims, key=lambda c: -c.likeness):
            if not _among(claim.mesh.roi, seen):
                seen.append(claim)
        for one in seen:
            self._keep(one, t_ns)
        return sorted(seen, key=lambda one: self._tracks.index(one.track))

    def _search(self, image: U8, t_ns: int, seen: list[_Seen]) -> None:
        lost = [t for t in self._tracks if all(t is not one.track for one in seen)]
        for score, roi in self._candidates(image, seen=bool(seen), lost=bool(lost)):
            if len(seen) >= MAX_FACES:
                return
            if _among(roi, seen):
                continue
            mesh = self._mesh.look(image, roi)
            if mesh is None or _among(mesh.roi, seen):
                continue
            shown = portrait(image, mesh)
            back = _recognised(mesh.roi, shown, lost, t_ns)
            if back is not None:
                lost.remove(back)
                back.speed = (0.0, 0.0)
                back.roi, likeness = mesh.roi, _likeness(shown, back.portrait)
                seen.append(_Seen(back, mesh, shown, likeness))
            elif self._is_face(image, mesh):
                wait = DOUBT_NS if _in_place_of(mesh.roi, lost) else score < SURE_SCORE
                track = Track("", mesh.roi, t_ns, shown, told_ns=t_ns + int(wait))
                self._tracks.append(track)
                seen.append(_Seen(track, mesh, shown, 1.0))
            else:
                continue
            self._keep(seen[-1], t_ns, moved=False)

    def _is_face(self, image: U8, mesh: Mesh) -> bool:
        """A second look from close by, before anybody is told of a newcomer."""
        close = Roi(mesh.roi.x, mesh.roi.y, mesh.roi.side * 1.4, mesh.roi.angle)
        return any(
            Roi(roi.x, roi.y, roi.side).overlap(mesh.roi) > SAME
            for _, roi in self._near.find(image, close)
        )

    def _candidates(self, image: U8, *, seen: bool, lost: bool) -> list[tuple[float, Roi]]:
        found: list[tuple[float, Roi]] = []
        if lost or not seen:
            found += self._far.find(image, whole(image)) + self._near.find(image, whole(image))
        elif self._looks % DETECT_EVERY == 0:  # just for newcomers: one detector at a time will do
            turn = self._looks // DETECT_EVERY % 2
            found += (self._near if turn else self._far).find(image, whole(image))
        for _ in range(1 if seen else TILES_ALONE):
            found += self._far.find(image, tile(image, self._tiles))
            self._tiles += 1
        # A face found twice is as sure as the surer says. Large first: who is near matters most
        # when there are more faces than room.
        best = [
            (max(s for s, other in found if roi.overlap(other) > SAME), roi) for _, roi in found
        ]
        return sorted(best, key=lambda one: (-one[1].side, one[1].x))

    def _keep(self, one: _Seen, t_ns: int, *, moved: bool = True) -> None:
        track, roi = one.track, one.mesh.roi
        if moved:
            dt = max(t_ns - track.seen_ns, 1) / NS_PER_S
            new = ((roi.x - track.roi.x) / dt, (roi.y - track.roi.y) / dt)
            track.speed = (0.5 * (track.speed[0] + new[0]), 0.5 * (track.speed[1] + new[1]))
            track.portrait = (1 - LEARN) * track.portrait + np.float32(LEARN) * one.portrait
        track.roi, track.seen_ns = roi, t_ns
        if not track.id and t_ns >= track.told_ns:
            self._born += 1
            track.id = f"p{self._born}"


def _told(seen: list[_Seen]) -> list[tuple[str, Mesh]]:
    return [(one.track.id, one.mesh) for one in seen if one.track.id]


def _among(roi: Roi, seen: list[_Seen]) -> bool:
    return any(roi.overlap(one.mesh.roi) > SAME for one in seen)


def _in_place_of(roi: Roi, lost: list[Track]) -> bool:
    """Whether somebody known was lost just here: then it may be half of them that is seen."""
    return any(track.id and roi.overlap(track.roi) > 0.0 for track in lost)


def _recognised(roi: Roi, shown: F32, lost: list[Track], t_ns: int) -> Track | None:
    """Who of the lost this is: near where they were and not unlike them, or very like them."""
    best, most = None, -1.0
    for track in lost:
        likeness = _likeness(shown, track.portrait)
        near = t_ns - track.seen_ns <= NEAR_NS and roi.overlap(track.roi) > 0.0
        if likeness > most and likeness >= (BACK if near else ALIKE):
            best, most = track, likeness
    return best


def portrait(image: U8, mesh: Mesh) -> F32:
    """A face upright, 12 × 12 pixels in colour, of mean 0 and length 1: [432]."""
    eyes = mesh.roi
    side = eyes.side / 1.5 * 1.1
    small = cut(image, Roi(eyes.x, eyes.y, side, eyes.angle), PORTRAIT).ravel()
    small = small - small.mean()
    return np.asarray(small / max(1e-6, math.sqrt(float((small * small).sum()))), dtype=np.float32)


def _likeness(a: F32, b: F32) -> float:
    """Correlation of two portraits, −1 … 1."""
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / max(size, 1e-9)


def tile(image: U8, turn: int) -> Roi:
    """One of the overlapping squares of a third of the picture's longer side, in a mixed order."""
    height, width = image.shape[:2]
    side = max(height, width) / 3
    columns, rows = (max(1, math.ceil((n - side) / (0.75 * side)) + 1) for n in (width, height))
    count = columns * rows
    stride = next(k for k in (5, 7, 11, 1) if math.gcd(k, count) == 1)
    row, column = divmod(turn * stride % count, columns)
    x = side / 2 + column * (width - side) / max(1, columns - 1)
    y = side / 2 + row * (height - side) / max(1, rows - 1) if rows > 1 else height / 2
    return Roi(x, y, side)
