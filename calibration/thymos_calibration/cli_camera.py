"""`thymos calibrate camera`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thymos.errors import CalibrationError, ConfigError
from thymos_calibration.boards import Board, BoardKind
from thymos_calibration.camera import Views, as_calibration, calibrate
from thymos_calibration.camera_report import coverage_svg, write_beside
from thymos_calibration.camera_watch import from_files, from_source, image_files
from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source, stderr
from thymos_calibration.store import CalibrationStore, identity


def camera(
    uri: Annotated[
        str | None,
        typer.Argument(
            help="v4l2:/dev/video0, a folder of pictures, a film.", metavar="URI|FOLDER|FILE"
        ),
    ] = None,
    board: Annotated[str, typer.Option(help="Squares across x down.")] = "9x6",
    square: Annotated[
        float, typer.Option(help="Side of a square, mm, measured; 28 fits A4.")
    ] = 28.0,
    chessboard: Annotated[
        bool, typer.Option("--chessboard", help="A plain chessboard, not ChArUco.")
    ] = False,
    print_board: Annotated[
        Path | None, typer.Option("--print", help="Write the board here (.pdf .svg .png), no more.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="How long to watch a live camera at most.", min=5)
    ] = 120.0,
    name: Annotated[
        str, typer.Option(help="Name or serial number to keep it under (pictures have none).")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Measure the lens: focal length, centre and distortion, from views of a board.

    Print the board (--print board.pdf), fix it to something flat, and hold it into all parts of
    the picture, near and far, tilted left, right, up and down.
    """
    with refusals(json):
        plan = _board(board, square, chessboard=chessboard)
        if print_board is not None:
            plan.write(print_board)
            typer.echo(str(print_board))
            stderr.print("print at 100 %, then measure a square: --square (mm)")
            return
        if uri is None:
            raise ConfigError(
                "name a camera, a film or a folder of pictures",
                hint="thymos calibrate camera --print board.pdf, then v4l2:/dev/video0",
            )
        views, device, origin = _look(uri, plan, seconds)
        device = name or device
        try:
            found = calibrate(views)
        except CalibrationError:
            _show_coverage(views)
            raise
        result = as_calibration(views, found, device, origin)
        path = save(
            result,
            json=json,
            use=f"{len(views.kept)} views, reprojection error {found.rms_px:.2f} px",
        )
        for beside in write_beside(path, result, views, found):
            stderr.print(str(beside), markup=False, soft_wrap=True)


def _board(text: str, square_mm: float, *, chessboard: bool) -> Board:
    columns, times, rows = text.lower().partition("x")
    if not times or not columns.isdecimal() or not rows.isdecimal():
        raise ConfigError(f"'{text}' is no board", hint="--board 9x6 (squares across x down)")
    kind: BoardKind = "chessboard" if chessboard else "charuco"
    return Board(kind, int(columns), int(rows), square_mm / 1000)


def _look(uri: str, board: Board, seconds: float) -> tuple[Views, str, str]:
    """Views, the device's name and where they come from."""
    place = Path(uri.removeprefix("file:"))
    files = image_files(place)
    if files:
        with progress("looking at pictures") as told:
            return from_files(files, board, told), place.name, "recorded"
    if place.is_dir() and not (place / "metadata.yaml").exists():
        raise CalibrationError(f"no pictures in '{place}'", hint="PNG, JPEG, BMP, TIFF or WebP")
    with source("camera", uri) as one, progress("watching") as told:
        views = from_source(
            one,
            board,
            seconds=seconds if one.live else None,
            progress=told,
            told=lambda line: stderr.print(line, markup=False),
        )
        if "scaled_from" in one.spec.extra:
            raise CalibrationError(
                f"the film was scaled down from {one.spec.extra['scaled_from']}",
                hint="save single pictures at full size and give the folder",
            )
        return views, identity(one.spec), one.spec.origin.value


def _show_coverage(views: Views) -> None:
    """Leave a picture of what is lacking."""
    if not views.kept:
        return
    path = CalibrationStore().folder / "refused-coverage.svg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(coverage_svg(views), encoding="utf-8")
    except OSError:
        return
    stderr.print(f"what was covered: {path}", markup=False, soft_wrap=True)
