"""What is written beside a camera calibration: ROS `camera_info` YAML and a coverage picture."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from thymos.errors import CalibrationError
from thymos.samples import StreamSpec
from thymos_calibration.camera import GRID, KIND, Intrinsics, Views
from thymos_calibration.store import MAX_AGE_DAYS, Calibration, CalibrationStore


def camera_info(result: Calibration) -> str:
    """The YAML that ROS's camera_info_manager and image_pipeline read.

    Field names of `sensor_msgs/CameraInfo`; rectification is the identity and the projection the
    camera matrix (one camera, nothing cut away).
    """
    try:
        width, height = int(result.values["width"]), int(result.values["height"])
        matrix = [float(v) for v in result.values["matrix"]]
        distortion = [float(v) for v in result.values["distortion"]]
        model = str(result.values["distortion_model"])
    except (KeyError, TypeError, ValueError) as err:
        raise CalibrationError(f"this is no camera calibration: {err}") from err
    projection = [v for row in range(3) for v in (*matrix[3 * row : 3 * row + 3], 0.0)]
    return "\n".join(
        [
            f"image_width: {width}",
            f"image_height: {height}",
            f"camera_name: {_plain(result.device)}",
            "camera_matrix:",
            *_table(3, 3, matrix),
            f"distortion_model: {model}",
            "distortion_coefficients:",
            *_table(1, len(distortion), distortion),
            "rectification_matrix:",
            *_table(3, 3, [float(v) for v in np.eye(3).ravel()]),
            "projection_matrix:",
            *_table(3, 4, projection),
            "",
        ]
    )


def stored_camera_info(spec: StreamSpec, store: CalibrationStore | None = None) -> Path:
    """The `camera_info` YAML of a camera, by its serial number or name, at the size it gives.

    Raises:
        CalibrationError: It was never calibrated, too long ago, or at another size.
    """
    store = store or CalibrationStore()
    result = store.load_for(KIND, spec, max_age_days=MAX_AGE_DAYS[KIND])
    text = camera_info(result)
    size = (result.values["width"], result.values["height"])
    if spec.shape[:2] != (size[1], size[0]):
        raise CalibrationError(
            f"'{result.device}' was calibrated at {size[0]}x{size[1]} pixels and now gives "
            f"{spec.shape[1]}x{spec.shape[0]}",
            hint="open it at that size, or calibrate it at this one",
        )
    path = store.path(result).with_suffix(".camera_info.yaml")
    if not path.exists():
        _write(path, text)
    return path


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name) or "camera"


def _table(rows: int, columns: int, values: list[float]) -> list[str]:
    numbers = ", ".join(repr(v) for v in values)
    return [f"  rows: {rows}", f"  cols: {columns}", f"  data: [{numbers}]"]


def coverage_svg(views: Views, found: Intrinsics | None = None) -> str:
    """Where in the picture corners were seen: a grid of 8 × 6 cells and every corner."""
    width, height = views.size if views.size != (0, 0) else (640, 480)
    unit = width / 640
    cells = views.coverage()
    most = max(1, int(cells.max()))
    step_x, step_y = width / GRID[0], height / GRID[1]
    parts = [
        f'<rect x="{x * step_x:.1f}" y="{y * step_y:.1f}" width="{step_x:.1f}" '
        f'height="{step_y:.1f}" fill="#2e7d6b" fill-opacity="{0.75 * cells[y, x] / most:.2f}" '
        f'stroke="#999" stroke-width="{0.5 * unit:.2f}"/>'
        for y in range(GRID[1])
        for x in range(GRID[0])
    ]
    for seen in views.kept:
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.5 * unit:.1f}" fill="#b3541e"/>'
            for x, y in seen.pixels
        ]
    share = float((cells > 0).mean())
    told = f"{len(views.kept)} views, {share:.0%} of the picture covered"
    if found is not None:
        told += f", reprojection error {found.rms_px:.2f} px (worst view {max(found.view_px):.2f})"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 40 * unit:.0f}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}'
        f'<text x="{8 * unit:.0f}" y="{height + 26 * unit:.0f}" font-size="{15 * unit:.0f}" '
        f'fill="#222">{escape(told)}</text></svg>\n'
    )


def write_beside(path: Path, result: Calibration, views: Views, found: Intrinsics) -> list[Path]:
    """Write `….camera_info.yaml` and `….coverage.svg` beside a stored result.

    Raises:
        CalibrationError: They cannot be written.
    """
    texts = {".camera_info.yaml": camera_info(result), ".coverage.svg": coverage_svg(views, found)}
    out = []
    for suffix, text in texts.items():
        beside = path.with_suffix(suffix)
        _write(beside, text)
        out.append(beside)
    return out


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise CalibrationError(f"cannot write '{path}': {err.strerror}") from err
