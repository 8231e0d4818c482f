"""Finding faces and their 468 landmarks in a picture.

The networks are MediaPipe's BlazeFace detectors (Bazarevsky et al., arXiv 1907.05047) and its
face mesh (Kartynnik et al., arXiv 1907.06724), Apache-2.0, run through the TFLite runtime. The
pre- and post-processing follow the published graph options of MediaPipe 0.10.18. MediaPipe's own
runtime is not used: it logs past Python, brings its own threads, and its mesh looks only at faces
that its short-range detector sees.

Pictures are uint8 [height, width, 3] RGB; coordinates are pixels, x right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.perceive.tflite import F32, TfLite

U8 = NDArray[np.uint8]

RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners, of the person
MIN_SCORE = 0.6
MIN_PRESENCE = 0.5
ROI_SCALE = 1.5


@dataclass(frozen=True, slots=True)
class Roi:
    """A rotated square: centre and side in pixels, angle in radians (clockwise on the screen)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def overlap(self, other: Roi) -> float:
        """Intersection over union, rotation left out."""
        half, other_half = self.side / 2, other.side / 2
        w = min(self.x + half, other.x + other_half) - max(self.x - half, other.x - other_half)
        h = min(self.y + half, other.y + other_half) - max(self.y - half, other.y - other_half)
        if w <= 0 or h <= 0:
            return 0.0
        return w * h / (self.side**2 + other.side**2 - w * h)


@dataclass(frozen=True, slots=True)
class Mesh:
    """A face found in a picture.

    Attributes:
        points: Landmarks [468, 3], pixels; z in the same unit, smaller is nearer to the camera.
        presence: Probability that this is a face at all.
    """

    points: F32
    presence: float

    @property
    def roi(self) -> Roi:
        """The rotated square that holds the face with a margin, for the next picture."""
        eyes = self.points[LEFT_EYE, :2] - self.points[RIGHT_EYE, :2]
        angle = math.atan2(float(eyes[1]), float(eyes[0]))
        low, high = self.points[:, :2].min(axis=0), self.points[:, :2].max(axis=0)
        centre = (low + high) / 2
        side = float((high - low).max()) * ROI_SCALE
        return Roi(float(centre[0]), float(centre[1]), side, angle)

    @property
    def eye_distance(self) -> float:
        """Distance of the outer eye corners in the picture, pixels."""
        return float(np.linalg.norm(self.points[LEFT_EYE] - self.points[RIGHT_EYE]))


def cut(image: U8, roi: Roi, out: int) -> F32:
    """Sample a rotated square from a picture, bilinear, black outside.

    Returns:
        float32 [out, out, 3], 0 … 255.
    """
    # Only the part that is needed (a 4K frame is large), thinned out where the square is much
    # larger than what is asked for, so that nothing aliases.
    reach = roi.side * 0.708 + 2
    x0, y0 = max(0, int(roi.x - reach)), max(0, int(roi.y - reach))
    part = image[y0 : max(y0 + 1, int(roi.y + reach)), x0 : max(x0 + 1, int(roi.x + reach))]
    if part.size == 0:
        return np.zeros((out, out, 3), dtype=np.float32)
    step = min(max(1, int(roi.side / out)), *part.shape[:2])
    source: NDArray[np.generic] = part if step == 1 else _thin(part, step)
    grid = (np.arange(out, dtype=np.float32) + 0.5) / out - 0.5
    cos, sin = math.cos(roi.angle) * roi.side / step, math.sin(roi.angle) * roi.side / step
    x = (roi.x - x0) / step + cos * grid[None, :] - sin * grid[:, None] - 0.5
    y = (roi.y - y0) / step + sin * grid[None, :] + cos * grid[:, None] - 0.5
    return _bilinear(source, x, y)


def _thin(image: U8, step: int) -> F32:
    """Every `step`-th pixel, each the mean of four from its cell."""
    rows, cols = (n // step * step for n in image.shape[:2])
    low, high = (step - 1) // 2, step // 2
    small = image[low:rows:step, low:cols:step].astype(np.float32)
    small += image[high:rows:step, high:cols:step]
    small += image[low:rows:step, high:cols:step]
    small += image[high:rows:step, low:cols:step]
    return small * np.float32(0.25)


def _bilinear(source: NDArray[np.generic], x: F32, y: F32) -> F32:
    height, width = source.shape[:2]
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = (x - x0).ravel()[:, None], (y - y0).ravel()[:, None]
    left = np.clip(x0, 0, width - 1).astype(np.intp)
    right = np.minimum(left + 1, width - 1)
    top = np.clip(y0, 0, height - 1).astype(np.intp) * width
    bottom = np.minimum(top + width, (height - 1) * width)
    flat = source.reshape(-1, 3)

    def row(line: NDArray[np.intp]) -> F32:
        """Mix the two pixels left and right of each place on one line."""
        mixed: F32 = np.take(flat, (line + left).ravel(), axis=0).astype(np.float32)
        other: F32 = np.take(flat, (line + right).ravel(), axis=0).astype(np.float32)
        other -= mixed
        other *= fx
        mixed += other
        return mixed

    upper, lower = row(top), row(bottom)
    lower -= upper
    lower *= fy
    upper += lower
    if x.min() <= -1 or y.min() <= -1 or x.max() >= width or y.max() >= height:
        upper *= ((x > -1) & (y > -1) & (x < width) & (y < height)).ravel()[:, None]
    out: F32 = upper.reshape(*x.shape, 3)
    return out


class Detector:
    """One BlazeFace detector.

    Args:
        path: Its weights.
        size: Side of its input, pixels.
        layers: Feature map side and anchors per cell, in the order of its outputs.
    """

    def __init__(self, path: Path, size: int, layers: tuple[tuple[int, int], ...]) -> None:
        self._net = TfLite(path)
        self._size = size
        centres = []
        for side, count in layers:
            y, x = np.mgrid[0:side, 0:side]
            cells = np.stack([x, y], axis=-1).reshape(-1, 2)
            centres.append(np.repeat((cells + 0.5) / side, count, axis=0))
        self._anchors = np.concatenate(centres).astype(np.float32)

    @classmethod
    def near(cls, folder: Path) -> Detector:
        """The short-range model: faces up to about two metres."""
        name = "face_detection_short_range.tflite"
        return cls(folder / name, 128, ((16, 2), (8, 6)))

    @classmethod
    def far(cls, folder: Path) -> Detector:
        """The full-range model: faces up to about five metres."""
        return cls(folder / "face_detection_full_range_sparse.tflite", 192, ((48, 1),))

    def find(self, image: U8, view: Roi) -> list[tuple[float, Roi]]:
        """Look at one square of the picture.

        Returns:
            Score and square of each face, best first, without overlaps.
        """
        x = cut(image, view, self._size)
        boxes, logits = self._net(x[None] / 127.5 - 1.0)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -60.0, 60.0)))
        kept = np.flatnonzero(scores >= MIN_SCORE)
        values = boxes[0, kept].reshape(-1, 8, 2) / self._size
        values[:, 0] += self._anchors[kept]
        values[:, 2:] += self._anchors[kept][:, None]
        found: list[tuple[float, Roi]] = []
        for k in np.argsort(-scores[kept], kind="stable"):
            roi = _roi_of(values[k], view)
            if all(roi.overlap(other) < 0.3 for _, other in found):
                found.append((float(scores[kept[k]]), roi))
        return found


def _roi_of(box: F32, view: Roi) -> Roi:
    """The square around one detection: rows of `box` are centre, size, then six keypoints."""
    centre = (box[0] - 0.5) * view.side
    eyes = (box[3] - box[2]) * view.side
    side = float(box[1].max()) * view.side * ROI_SCALE
    angle = math.atan2(float(eyes[1]), float(eyes[0]))
    return Roi(view.x + float(centre[0]), view.y + float(centre[1]), side, angle)


class MeshNet:
    """The landmark network.

    Args:
        folder: Where `face_landmark.tflite` is.
    """

    SIZE = 192

    def __init__(self, folder: Path) -> None:
        self._net = TfLite(folder / "face_landmark.tflite")

    def look(self, image: U8, roi: Roi) -> Mesh | None:
        """Landmarks of the face in `roi`; None if there is none."""
        outputs = self._net(cut(image, roi, self.SIZE)[None] / np.float32(255.0))
        raw = next(out for out in outputs if out.size == 468 * 3).reshape(468, 3)
        logit = float(next(out for out in outputs if out.size == 1).ravel()[0])
        presence = 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
        if presence < MIN_PRESENCE:
            return None
        points = np.empty_like(raw)
        unit = roi.side / self.SIZE
        x, y = raw[:, 0] * unit - roi.side / 2, raw[:, 1] * unit - roi.side / 2
        cos, sin = math.cos(roi.angle), math.sin(roi.angle)
        points[:, 0] = roi.x + cos * x - sin * y
        points[:, 1] = roi.y + sin * x + cos * y
        points[:, 2] = raw[:, 2] * unit
        return Mesh(points, presence)


def whole(image: U8) -> Roi:
    """The square that holds the whole picture."""
    height, width = image.shape[:2]
    return Roi(width / 2, height / 2, float(max(height, width)))
