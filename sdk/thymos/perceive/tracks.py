"""Following faces from look to look, with ids that depend on the pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thymos.perceive.facemesh import U8, Detector, Mesh, MeshNet, Roi, whole
from thymos.samples import NS_PER_S

MAX_FACES = 4
DETECT_EVERY = 4
"""Looks between searches for new faces while all known ones are in view."""
FORGET_AFTER_NS = NS_PER_S
_SAME = 0.3  # overlap above which two squares hold the same face


@dataclass(slots=True)
class Track:
    """One person as long as they stay in view.

    Attributes:
        id: `p1`, `p2`, … in order of appearance.
        roi: Where the face was last.
        seen_ns: When that was.
    """

    id: str
    roi: Roi
    seen_ns: int


class FaceTracker:
    """Finds and follows up to four faces.

    A known face is looked for where it was, by the landmark network, which also tells whether
    there is a face at all; the slower detectors run for new and lost faces. With nobody in view
    one tile of the picture a look is searched at double size, so far faces are found too.

    Args:
        folder: Weights of the role `face_mesh`.
    """

    def __init__(self, folder: Path) -> None:
        self._near, self._far = Detector.near(folder), Detector.far(folder)
        self._mesh = MeshNet(folder)
        self._tracks: list[Track] = []
        self._born = 0
        self._looks = 0

    def look(self, image: U8, t_ns: int) -> list[tuple[str, Mesh]]:
        """Find the faces in one picture, known ones first."""
        self._tracks = [t for t in self._tracks if t_ns - t.seen_ns <= FORGET_AFTER_NS]
        seen = self._follow(image, t_ns)
        lost = [t for t in self._tracks if t.id not in seen]
        if len(seen) < MAX_FACES and (lost or not seen or self._looks % DETECT_EVERY == 0):
            self._search(image, t_ns, seen, lost)
        self._looks += 1
        return list(seen.items())

    def _follow(self, image: U8, t_ns: int) -> dict[str, Mesh]:
        seen: dict[str, Mesh] = {}
        for track in self._tracks:
            mesh = self._mesh.look(image, track.roi)
            if mesh is None or mesh.roi.overlap(track.roi) < _SAME:
                continue
            if any(mesh.roi.overlap(other.roi) > _SAME for other in seen.values()):
                continue  # two tracks have run into one face: the older keeps it
            self._keep(track, mesh, t_ns, seen)
        return seen

    def _search(self, image: U8, t_ns: int, seen: dict[str, Mesh], lost: list[Track]) -> None:
        for roi in self._candidates(image, seen=bool(seen), lost=bool(lost)):
            if len(seen) >= MAX_FACES:
                return
            if any(roi.overlap(mesh.roi) > _SAME for mesh in seen.values()):
                continue
            mesh = self._mesh.look(image, roi)
            if mesh is None or any(mesh.roi.overlap(m.roi) > _SAME for m in seen.values()):
                continue
            back = max(lost, key=lambda t: t.roi.overlap(mesh.roi), default=None)
            if back is not None and back.roi.overlap(mesh.roi) > 0.0:
                lost.remove(back)
                self._keep(back, mesh, t_ns, seen)
            else:
                self._born += 1
                track = Track(f"p{self._born}", mesh.roi, t_ns)
                self._tracks.append(track)
                self._keep(track, mesh, t_ns, seen)

    def _candidates(self, image: U8, *, seen: bool, lost: bool) -> list[Roi]:
        view = whole(image)
        if seen and not lost:  # just looking for newcomers: one detector at a time will do
            turn = self._looks // DETECT_EVERY % 2
            found = (self._near if turn else self._far).find(image, view)
        else:
            found = self._far.find(image, view) + self._near.find(image, view)
        if not seen and not found:
            found = self._far.find(image, _tile(image, self._looks))
        # Large first: who is near matters most when there are more faces than room.
        return sorted((roi for _, roi in found), key=lambda roi: (-roi.side, roi.x))

    @staticmethod
    def _keep(track: Track, mesh: Mesh, t_ns: int, seen: dict[str, Mesh]) -> None:
        track.roi, track.seen_ns = mesh.roi, t_ns
        seen[track.id] = mesh


def _tile(image: U8, turn: int) -> Roi:
    """One of 3 × 2 overlapping tiles of half the picture's longer side."""
    height, width = image.shape[:2]
    side = max(height, width) / 2
    column, row = turn % 3, turn // 3 % 2
    x = side / 2 + column * max(0.0, width - side) / 2
    y = side / 2 + row * max(0.0, height - side)
    return Roi(x, y, side)
