"""Seeing faces: who is in view, what their face does, what it may express."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue, Modality
from thymos.errors import ModelError
from thymos.models import ModelStore
from thymos.perceive import expression
from thymos.perceive.action_units import measure, mouth
from thymos.perceive.face_cues import face_cues, leave_cues
from thymos.perceive.facemesh import Mesh
from thymos.perceive.gaze import IrisNet, gaze_of
from thymos.perceive.hearing import Ear
from thymos.perceive.looks import Look
from thymos.perceive.speaking import Mouth, Mouths, attribute
from thymos.perceive.tracks import FaceTracker
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

HISTORY_NS = 130 * NS_PER_S  # the longest window is 60 s, and it may be asked for late
BACK_NS = 30 * NS_PER_S  # a frame this much older: the clock was set back
GAZE_EYES = 24.0  # pixels between the outer corners: an iris is then 5 across
BETWEEN_NS = NS_PER_S // 40
"""Least time between two looks at known mouths. Speech needs 25 a second, expression does not."""


class FacePerceiver:
    """Looks at frames on a grid of capture time, `face_hz` a second; between them, at known mouths.

    Args:
        config: Rate.
        store: Where the weights are.
        ear: Where the voice is heard, to tell who speaks; None tells nothing of that.

    Attributes:
        notes: What was lacking in the window last asked for, in words.
        mouths: The mouths seen lately.
    """

    modality: ClassVar[Modality] = "face"
    kind: ClassVar[Kind] = Kind.VIDEO
    slow: ClassVar[bool] = False

    def __init__(self, config: PerceiveConfig, store: ModelStore, ear: Ear | None = None) -> None:
        self._hz = config.face_hz
        self._store = store
        self._ear = ear
        self.mouths = Mouths()
        self._followed_ns: int | None = None
        self._between_looks = 0
        self._later: list[str] = []
        self._tracker: FaceTracker | None = None
        self._model: expression.ExpressionModel | None = None
        self._iris: IrisNet | None = None
        self._lacking: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._cell: int | None = None
        size = int(self._hz * HISTORY_NS / NS_PER_S) + 1
        self._times: deque[int] = deque(maxlen=size)
        self._looks: deque[Look] = deque(maxlen=size * 2)

    def start(self, spec: StreamSpec) -> None:
        """Load the networks; see `Perceiver.start`."""
        self._tracker = FaceTracker(self._store.path("face_mesh"))
        self._model = expression.load(self._store)
        try:
            self._iris = IrisNet(self._store.path("face_iris"))
        except ModelError as err:
            self._lacking = (f"gaze is not measured: {err} ({err.hint})",)

    def observe(self, sample: Sample) -> None:
        """Look at the frame if it is the first of its grid cell; else only follow known faces."""
        if self._tracker is None or Flag.INVALID in sample.flags:
            return
        cell = int(sample.t_ns * self._hz // NS_PER_S)
        if self._cell is not None and cell <= self._cell:
            if sample.t_ns > self._times[-1] - BACK_NS:
                self._between(self._tracker, sample)
                return
            self._times.clear()
            self._looks.clear()
            self._later.clear()
            self.mouths.clear()
        self._cell = cell
        self._times.append(sample.t_ns)
        found = self._tracker.look(sample.payload, sample.t_ns)
        self._lips(sample, found)
        # Expressions are dear: where pictures come between looks, each takes one more face.
        first = max(1, len(found) - self._between_looks)
        self._later = [track for track, _ in found[first:]]
        self._between_looks = 0
        for track, mesh in found[:first]:
            self._looks.append(self._look(sample, track, mesh))

    def _between(self, tracker: FaceTracker, sample: Sample) -> None:
        """Follow known faces on a picture between two looks."""
        if self._followed_ns is None or sample.t_ns - self._followed_ns < BETWEEN_NS:
            return
        if self._ear is None and not self._later:
            return
        self._between_looks += 1
        found = tracker.follow(sample.payload, sample.t_ns)
        self._lips(sample, found)
        due, self._later = self._later[:1], self._later[1:]
        for track, mesh in found:
            if track in due:
                self._looks.append(self._look(sample, track, mesh))

    def _lips(self, sample: Sample, found: Sequence[tuple[str, Mesh]]) -> None:
        self._followed_ns = sample.t_ns
        for track, mesh in found:
            self.mouths.add(Mouth(sample.t_ns, track, *mouth(mesh)))

    def _look(self, sample: Sample, track: str, mesh: Mesh) -> Look:
        assert self._model is not None  # noqa: S101
        measures = measure(mesh)
        face = expression.face_crop(sample.payload, mesh)
        gaze = None
        if self._iris is not None and mesh.eye_distance >= GAZE_EYES:
            gaze = gaze_of(mesh, self._iris.look(sample.payload, mesh))
        quality = mesh.presence * _size(mesh.eye_distance) * _frontal(measures.yaw_deg)
        return Look(sample.t_ns, track, measures, quality, self._model.probabilities(face), gaze)

    def cues(self, window: Window) -> list[Cue]:
        """Sum up the looks of a window, person by person."""
        if self._model is None:
            return []
        times = [t for t in self._times if window.t0_ns <= t < window.t1_ns]
        past = [look for look in self._looks if look.t_ns < window.t1_ns]
        inside = [look for look in past if look.t_ns >= window.t0_ns]
        self.notes = self._lacking if inside else ()
        if times and not inside:
            self.notes = (f"no face was seen in {len(times)} frames looked at",)
        found: list[Cue] = []
        for track in sorted({look.track for look in past}, key=lambda name: int(name[1:])):
            own = [look for look in past if look.track == track]
            if own[-1].t_ns >= window.t0_ns:
                found += face_cues(own, times, list(self._times), window, self._model.reliability)
            found += leave_cues(own, list(self._times), window)
        return found

    def attribute(self, window: Window, cues: Sequence[Cue]) -> tuple[list[Cue], list[str]]:
        """Tell who speaks, see `thymos.perceive.base.Attributor`."""
        if self._ear is None:
            return list(cues), []
        return attribute(self.mouths, self._ear, window, cues)

    def close(self) -> None:
        """Let the networks go."""
        self._tracker = self._model = self._iris = None


def _size(eye_distance: float) -> float:
    """1 from 24 pixels between the eyes on, 0.2 at 8: below that a mesh is a guess."""
    return min(1.0, max(0.2, 0.2 + 0.8 * (eye_distance - 8.0) / 16.0))


def _frontal(yaw_deg: float) -> float:
    """1 up to 15 degrees, falling to 0.1 at 55, where half of the face is hidden."""
    return min(1.0, max(0.1, 1.0 - 0.9 * (abs(yaw_deg) - 15.0) / 40.0))
