"""Intrinsics of a camera from pictures of a board.

Method: Z. Zhang, "A flexible new technique for camera calibration", IEEE PAMI 22, 2000, with the
radial and tangential lens model of D. Brown (1971), as in OpenCV's `calibrateCamera`
(distortion k1 k2 p1 p2 k3; ROS calls it `plumb_bob`). A set of views is refused if it could not
have given a good answer: too few, too little of the picture, never tilted, blurred, or a result
whose reprojection error or uncertainty is high.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos_calibration.boards import Board, Gray, Seen, opencv
from thymos_calibration.store import Calibration

F64 = NDArray[np.float64]

KIND = "camera-intrinsics"
MODEL = "plumb_bob"

MIN_VIEWS = 10
MAX_VIEWS = 40
GRID = (8, 6)
MIN_COVERAGE = 0.6
"""Share of 8 × 6 cells of the picture in which a corner was seen."""
MIN_TILT_DEG = 20.0
"""A board seen only straight on says nothing about the focal length."""
MIN_TILTED = 4
MAX_EDGE_PX = 3.5
MAX_RMS_PX = 1.0
MAX_VIEW_PX = 2.0
MAX_FOCAL_SHARE = 0.02
"""Largest standard deviation of the focal length, as a share of it."""
_NEW_VIEW = 0.015
_BLURRED_SHARE = 0.5


@dataclass(slots=True)
class Views:
    """Views of a board, as far as they differ from each other.

    Attributes:
        board: The board.
        size: Width and height of the pictures, pixels; (0, 0) before the first.
        kept: The views.
        names: What each was called.
        looked: Pictures looked at.
        found: Pictures with a board.
        blurred: Boards too blurred to use.
    """

    board: Board
    size: tuple[int, int] = (0, 0)
    kept: list[Seen] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    looked: int = 0
    found: int = 0
    blurred: int = 0

    def add(self, gray: Gray, name: str = "") -> bool:
        """Look at a picture; True if it holds a view worth keeping.

        Raises:
            CalibrationError: It has another size than those before.
        """
        size = (int(gray.shape[1]), int(gray.shape[0]))
        if self.size not in ((0, 0), size):
            raise CalibrationError(
                f"'{name}' has {size[0]}x{size[1]} pixels, those before "
                f"{self.size[0]}x{self.size[1]}",
                hint="use pictures of one camera at one size",
            )
        self.size = size
        self.looked += 1
        seen = self.board.find(gray)
        if seen is None:
            return False
        self.found += 1
        if seen.sharpness > MAX_EDGE_PX:
            self.blurred += 1
            return False
        if len(self.kept) >= MAX_VIEWS or any(self._alike(seen, old) for old in self.kept):
            return False
        self.kept.append(seen)
        self.names.append(name or f"view {self.looked}")
        return True

    def _alike(self, new: Seen, old: Seen) -> bool:
        """Whether the shared corners hardly moved (1.5 % of the width on average)."""
        _, a, b = np.intersect1d(new.ids, old.ids, return_indices=True)
        if len(a) < len(new.ids) // 2:
            return False
        moved = np.linalg.norm(new.pixels[a] - old.pixels[b], axis=1).mean()
        return bool(moved < _NEW_VIEW * self.size[0])

    def coverage(self) -> NDArray[np.int64]:
        """Corners seen in each cell of the picture [6, 8]."""
        cells = np.zeros((GRID[1], GRID[0]), dtype=np.int64)
        for seen in self.kept:
            at = (seen.pixels / self.size * GRID).astype(int)
            at = np.clip(at, 0, (GRID[0] - 1, GRID[1] - 1))
            np.add.at(cells, (at[:, 1], at[:, 0]), 1)
        return cells


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A calibrated camera.

    Attributes:
        size: Width and height, pixels.
        matrix: [3, 3].
        distortion: k1 k2 p1 p2 k3.
        rms_px: Root mean square reprojection error over all corners.
        view_px: The same for each view.
        focal_std_px: Standard deviations of fx and fy.
        tilt_deg: Angle of the board to the picture plane in each view.
    """

    size: tuple[int, int]
    matrix: F64
    distortion: F64
    rms_px: float
    view_px: tuple[float, ...]
    focal_std_px: tuple[float, float]
    tilt_deg: tuple[float, ...]


def calibrate(views: Views) -> Intrinsics:
    """Work out the intrinsics.

    Raises:
        CalibrationError: The set is poor; the message says in which way, the hint what to do.
        MissingExtraError: OpenCV is not installed.
    """
    _refuse_poor(views)
    found = _solve(views)
    bad = [i for i, px in enumerate(found.view_px) if px > max(MAX_VIEW_PX, 3 * found.rms_px)]
    if bad and len(views.kept) - len(bad) >= MIN_VIEWS:  # a board that moved, a corner misread
        views.kept = [v for i, v in enumerate(views.kept) if i not in bad]
        views.names = [n for i, n in enumerate(views.names) if i not in bad]
        _refuse_poor(views)
        found = _solve(views)
    _refuse_doubtful(views, found)
    return found


def _refuse_poor(views: Views) -> None:
    if not views.found:
        raise CalibrationError(
            f"no board in {views.looked} pictures",
            hint="check --board, --square and --chessboard against the print; fill a third of view",
        )
    if views.blurred > _BLURRED_SHARE * views.found:
        raise CalibrationError(
            f"{views.blurred} of {views.found} views are blurred",
            hint="more light, hold the board still for each view, check the focus",
        )
    if len(views.kept) < MIN_VIEWS:
        raise CalibrationError(
            f"{len(views.kept)} different views are too few (at least {MIN_VIEWS})",
            hint="move the board between views: near and far, all corners of the picture, tilted",
        )
    share = float((views.coverage() > 0).mean())
    if share < MIN_COVERAGE:
        raise CalibrationError(
            f"the board was seen in {share:.0%} of the picture (at least {MIN_COVERAGE:.0%})",
            hint=f"hold it {_emptiest(views.coverage())} as well; distortion shows at the edges",
        )


def _emptiest(cells: NDArray[np.int64]) -> str:
    """Where in the picture the board was seen least, in words."""
    rows, columns = cells.shape
    thirds = {
        f"{v}{h}": int(
            cells[i * rows // 3 : (i + 1) * rows // 3, j * columns // 3 : (j + 1) * columns // 3]
            .astype(bool)
            .sum()
        )
        for i, v in enumerate(("at the top", "in the middle", "at the bottom"))
        for j, h in enumerate((" left", "", " right"))
    }
    return min(thirds, key=lambda name: thirds[name])


def _solve(views: Views) -> Intrinsics:
    cv2 = opencv()
    corners = views.board.corners
    objects = [corners[seen.ids] for seen in views.kept]
    pixels = [seen.pixels for seen in views.kept]
    try:
        rms, matrix, distortion, turns, _, spread, _, errors = cv2.calibrateCameraExtended(
            objects, pixels, views.size, None, None
        )
    except cv2.error as err:
        raise CalibrationError(
            "the views allow no solution", hint="take new ones, tilted in all directions"
        ) from err
    values = np.concatenate([np.ravel(matrix), np.ravel(distortion)])
    if not np.isfinite(values).all():
        raise CalibrationError("the views allow no solution", hint="take new ones, tilted")
    std = np.ravel(spread)
    return Intrinsics(
        views.size,
        np.asarray(matrix, dtype=np.float64),
        np.ravel(distortion)[:5].astype(np.float64),
        float(rms),
        tuple(float(e) for e in np.ravel(errors)),
        (float(std[0]), float(std[1])),
        tuple(_tilt(cv2, turn) for turn in turns),
    )


def _tilt(cv2: Any, turn: F64) -> float:
    """Angle between the board's normal and the optical axis, degrees."""
    normal = cv2.Rodrigues(turn)[0][:, 2]
    return float(np.degrees(np.arccos(min(1.0, abs(float(normal[2]))))))


def _refuse_doubtful(views: Views, found: Intrinsics) -> None:
    tilted = sum(t >= MIN_TILT_DEG for t in found.tilt_deg)
    if tilted < MIN_TILTED:
        raise CalibrationError(
            f"the board was tilted in {tilted} views (at least {MIN_TILTED} by "
            f"{MIN_TILT_DEG:.0f} degrees)",
            hint="tilt it left, right, up and down by 30 to 45 degrees",
        )
    if found.rms_px > MAX_RMS_PX:
        worst = int(np.argmax(found.view_px))
        raise CalibrationError(
            f"the reprojection error is {found.rms_px:.2f} pixels (at most {MAX_RMS_PX:g}); worst: "
            f"'{views.names[worst]}' {found.view_px[worst]:.2f}",
            hint="is the board flat and --square right? leave bad pictures out and add sharp ones",
        )
    share = max(
        found.focal_std_px[0] / found.matrix[0, 0], found.focal_std_px[1] / found.matrix[1, 1]
    )
    if not 0 <= share <= MAX_FOCAL_SHARE:
        raise CalibrationError(
            f"the focal length is uncertain by {share:.1%} (at most {MAX_FOCAL_SHARE:.0%})",
            hint="more tilted views, nearer to the camera",
        )


def as_calibration(views: Views, found: Intrinsics, device: str, origin: str) -> Calibration:
    """A result that can be stored."""
    k = found.matrix
    return Calibration(
        kind=KIND,
        device=device,
        values={
            "width": found.size[0],
            "height": found.size[1],
            "distortion_model": MODEL,
            "matrix": [round(float(v), 6) for v in k.ravel()],
            "distortion": [round(float(v), 8) for v in found.distortion],
        },
        method=f"Zhang 2000, {views.board.kind} {views.board.columns}x{views.board.rows}, "
        f"square {views.board.square_m * 1000:g} mm",
        quality={
            "rms_px": round(found.rms_px, 4),
            "views": len(views.kept),
            "view_px": {
                f"{i + 1}. {name}": round(px, 3)
                for i, (name, px) in enumerate(zip(views.names, found.view_px, strict=True))
            },
            "coverage": round(float((views.coverage() > 0).mean()), 3),
            "tilt_deg_max": round(max(found.tilt_deg), 1),
            "focal_std_px": [round(v, 3) for v in found.focal_std_px],
            "pictures_looked_at": views.looked,
            "blurred": views.blurred,
            "origin": origin,
        },
    )
