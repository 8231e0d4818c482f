"""Pictures for the camera calibration: from a folder, a film, or a live camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Flag, Kind, Source
from thymos_calibration.boards import Board, Gray, opencv
from thymos_calibration.camera import MAX_VIEWS, MIN_COVERAGE, MIN_VIEWS, Views
from thymos_calibration.reading import samples_of

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LOOKS_HZ = 3.0
"""Pictures looked at each second of a film or of a live camera."""
_MAX_PICTURES = 2000

Progress = Callable[[float], None]


def image_files(place: Path) -> list[Path]:
    """The picture, or all pictures of a folder, by name; empty if it is something else."""
    if place.is_dir():
        return sorted(p for p in place.iterdir() if p.suffix.lower() in PICTURES)[:_MAX_PICTURES]
    return [place] if place.suffix.lower() in PICTURES and place.is_file() else []


def from_files(paths: list[Path], board: Board, progress: Progress | None = None) -> Views:
    """Look at picture files.

    Raises:
        CalibrationError: One cannot be read, or sizes differ.
    """
    cv2 = opencv()
    views = Views(board)
    for n, path in enumerate(paths):
        gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise CalibrationError(
                f"'{path}' is no picture that can be read", hint="leave it out, or save it as PNG"
            )
        views.add(gray, path.name)
        if progress is not None:
            progress((n + 1) / len(paths))
    return views


def from_source(
    source: Source,
    board: Board,
    *,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: Callable[[str], None] | None = None,
) -> Views:
    """Look at three pictures a second of an open source until it ends, or enough was seen.

    Args:
        source: An open camera or film.
        board: The board.
        seconds: At most so long (of its own time).
        progress: Told the share that is done.
        told: Told in words whenever a view is kept.

    Raises:
        CalibrationError: It is no camera, or its pictures are made smaller than they are.
        DeviceLostError: It went away.
    """
    if source.spec.kind is not Kind.VIDEO:
        raise CalibrationError(f"'{source.spec.name}' is no camera ({source.spec.kind.value})")
    views = Views(board)
    first = last = None
    for sample in samples_of(source, "camera", patience_s=10):
        first = sample.t_ns if first is None else first
        passed = (sample.t_ns - first) / NS_PER_S
        if seconds is not None and passed > seconds:
            break
        if sample.flags & Flag.INVALID or (
            last is not None and sample.t_ns - last < NS_PER_S / LOOKS_HZ
        ):
            continue
        last = sample.t_ns
        if views.add(_gray(sample.payload), f"{passed:.1f} s") and told is not None:
            share = float((views.coverage() > 0).mean())
            told(f"view {len(views.kept)} at {passed:.1f} s, {share:.0%} of the picture covered")
        if progress is not None:
            progress(min(1.0, max(len(views.kept) / MAX_VIEWS, passed / (seconds or 1e9))))
        if len(views.kept) >= MAX_VIEWS or (source.live and _plenty(views)):
            break
    return views


def _plenty(views: Views) -> bool:
    covered = float((views.coverage() > 0).mean())
    return len(views.kept) >= 2 * MIN_VIEWS and covered >= MIN_COVERAGE + 0.25


def _gray(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Gray:
    """Luma of BT.601, as OpenCV's `COLOR_RGB2GRAY`."""
    out: Gray = opencv().cvtColor(np.ascontiguousarray(rgb), opencv().COLOR_RGB2GRAY)
    return out
