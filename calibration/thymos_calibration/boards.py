"""Calibration boards: printing them and finding them in pictures, by OpenCV.

A ChArUco board (S. Garrido-Jurado et al., Pattern Recognition 47, 2014) is a chessboard whose white
squares carry numbered markers, so that any part of it will do; a plain chessboard must be seen
whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError, ConfigError, MissingExtraError

F32 = NDArray[np.float32]
Gray = NDArray[np.uint8]
BoardKind = Literal["charuco", "chessboard"]

_DICTIONARY = "DICT_5X5_250"
_MARKER_SHARE = 0.75
_MM_PER_INCH = 25.4
MIN_CORNERS = 8


def opencv() -> Any:
    """Import OpenCV.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import cv2
    except ImportError as err:
        raise MissingExtraError("opencv-python-headless", "calibrate") from err
    return cv2


@dataclass(frozen=True, slots=True)
class Seen:
    """The corners of a board in one picture.

    Attributes:
        ids: Which inner corners [n].
        pixels: Where [n, 2].
        sharpness: Blur of the edges, pixels from dark to light; 1 to 2 is sharp.
    """

    ids: NDArray[np.int32]
    pixels: F32
    sharpness: float


@dataclass(frozen=True, slots=True)
class Board:
    """A flat board.

    Attributes:
        kind: `charuco` or `chessboard`.
        columns: Squares across.
        rows: Squares down.
        square_m: Side of a square, metres, as measured on the print.
    """

    kind: BoardKind = "charuco"
    columns: int = 9
    rows: int = 6
    square_m: float = 0.03

    def __post_init__(self) -> None:
        if not (4 <= self.columns <= 20 and 4 <= self.rows <= 20):
            raise ConfigError("a board has 4 to 20 squares each way", hint="--board 9x6")
        if not 0.001 <= self.square_m <= 1.0:
            raise ConfigError("a square is 1 mm to 1 m wide", hint="--square 30 (millimetres)")
        if self.kind == "chessboard" and (self.columns + self.rows) % 2 == 0:
            raise ConfigError(
                "a chessboard needs an odd number of squares one way and an even one the other, or "
                "it looks the same upside down",
                hint="--board 9x6",
            )

    @property
    def corners(self) -> F32:
        """Inner corners on the board [n, 3], metres, z = 0."""
        y, x = np.mgrid[1 : self.rows, 1 : self.columns]
        flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) * self.square_m
        return flat.astype(np.float32)

    def find(self, gray: Gray) -> Seen | None:
        """Find the board in a grey picture [height, width]; None if too little of it is there."""
        ids, pixels = self._charuco(gray) if self.kind == "charuco" else self._chessboard(gray)
        if len(ids) < MIN_CORNERS:
            return None
        return Seen(ids, pixels, _edge_width(gray, pixels))

    def picture(self, pixels_per_square: int = 100, margin: float = 0.5) -> Gray:
        """The board [height, width], white around it by `margin` squares."""
        white = round(margin * pixels_per_square)
        size = (self.columns * pixels_per_square, self.rows * pixels_per_square)
        if self.kind == "charuco":
            inner: Gray = self._cv().generateImage(size, marginSize=0, borderBits=1)
        else:
            y, x = np.mgrid[: size[1], : size[0]] // pixels_per_square
            inner = np.where((x + y) % 2 == 0, 0, 255).astype(np.uint8)
        return np.pad(inner, white, constant_values=255)

    def write(self, path: Path) -> None:
        """Write the board to print: `.pdf` and `.svg` in true size, `.png` at 300 dots an inch.

        Raises:
            ConfigError: Another suffix.
            CalibrationError: It cannot be written.
        """
        suffix = path.suffix.lower()
        try:
            if suffix == ".svg":
                path.write_text(_svg(self.picture(84), self.square_m * 1000 / 84), "utf-8")
            elif suffix in (".png", ".pdf"):
                self._bitmap(path)
            else:
                raise ConfigError(
                    f"a board is a .pdf, .svg or .png, not '{path.name}'", hint="--print board.pdf"
                )
        except OSError as err:
            raise CalibrationError(f"cannot write '{path}': {err.strerror}") from err

    def _bitmap(self, path: Path) -> None:
        try:
            from PIL import Image
        except ImportError as err:
            raise MissingExtraError("pillow", "record") from err
        side = max(84, round(self.square_m * 1000 / _MM_PER_INCH * 300))
        dpi = side / (self.square_m * 1000 / _MM_PER_INCH)
        image = Image.fromarray(self.picture(side))
        if path.suffix.lower() == ".png":
            image.save(path, dpi=(dpi, dpi))
        else:
            image.save(path, resolution=dpi)

    def _cv(self) -> Any:
        cv2 = opencv()
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, _DICTIONARY))
        marker = self.square_m * _MARKER_SHARE
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, marker, dictionary)

    def _charuco(self, gray: Gray) -> tuple[NDArray[np.int32], F32]:
        detector = opencv().aruco.CharucoDetector(self._cv())
        pixels, ids, _, _ = detector.detectBoard(gray)
        if ids is None or pixels is None:
            return np.zeros(0, np.int32), np.zeros((0, 2), np.float32)
        return ids.ravel().astype(np.int32), pixels.reshape(-1, 2).astype(np.float32)

    def _chessboard(self, gray: Gray) -> tuple[NDArray[np.int32], F32]:
        cv2 = opencv()
        size = (self.columns - 1, self.rows - 1)
        found, pixels = cv2.findChessboardCornersSB(gray, size, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not found:
            return np.zeros(0, np.int32), np.zeros((0, 2), np.float32)
        return np.arange(size[0] * size[1], dtype=np.int32), pixels.reshape(-1, 2)


def _edge_width(gray: Gray, pixels: F32) -> float:
    """Median width of the edges at the corners, pixels: contrast over steepest slope.

    An edge of contrast c blurred by a Gaussian of deviation s has the slope c / (s √(2π)).
    """
    reach = 8
    widths = []
    for x, y in pixels:
        x0, y0 = int(x) - reach, int(y) - reach
        part = gray[max(0, y0) : y0 + 2 * reach, max(0, x0) : x0 + 2 * reach].astype(np.float32)
        if min(part.shape) < reach:
            continue
        low, high = np.percentile(part, (10, 90))
        slope = max(np.abs(np.diff(part, axis=a)).max() for a in (0, 1))
        if slope > 0 and high - low > 10:
            widths.append(float((high - low) / slope))
    return float(np.median(widths)) if widths else float("inf")


def _svg(picture: Gray, mm_per_pixel: float) -> str:
    """Black runs of each row as rectangles, equal rows joined."""
    height, width = picture.shape
    rows: list[str] = []
    begin = 0
    for y in range(1, height + 1):
        if y < height and np.array_equal(picture[y], picture[begin]):
            continue
        edges = np.flatnonzero(np.diff(np.pad((picture[begin] < 128).astype(np.int8), 1)))
        rows += [
            f'<rect x="{a}" y="{begin}" width="{b - a}" height="{y - begin}"/>'
            for a, b in edges.reshape(-1, 2)
        ]
        begin = y
    size = f'width="{width * mm_per_pixel:.3f}mm" height="{height * mm_per_pixel:.3f}mm"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" '
        f'shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(rows)}</svg>\n"
    )
