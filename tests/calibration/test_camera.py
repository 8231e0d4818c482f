"""Lens calibration: known lenses are recovered from drawn views; poor sets are refused."""

from __future__ import annotations

import datetime as dt
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from thymos.errors import CalibrationError, ConfigError
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec
from thymos_calibration.boards import Board
from thymos_calibration.camera import Intrinsics, Views, calibrate
from thymos_calibration.camera_report import stored_camera_info
from thymos_calibration.camera_watch import from_source
from thymos_calibration.cli import app
from thymos_calibration.store import Calibration, CalibrationStore
from thymos_drivers.testing import ListSource

cv2 = pytest.importorskip("cv2", reason="pip install 'thymos[calibrate]'")

SIZE = (640, 480)
MATRIX = np.array([[520.0, 0, 331.0], [0, 515.0, 229.0], [0, 0, 1]])
DISTORTION = np.array([-0.28, 0.09, 0.0008, -0.0006, 0.0])
BOARD = Board(columns=9, rows=6, square_m=0.03)
PER_SQUARE = 32


@lru_cache
def lens() -> np.ndarray:
    """The ray of every pixel."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    pixels = np.stack([x, y], -1).reshape(-1, 1, 2).astype(float)
    return cv2.undistortPoints(pixels, MATRIX, DISTORTION).reshape(-1, 2)


def draw(board: Board, turn: tuple[float, float, float], at: tuple[float, float, float]):
    """What the camera sees of a board turned by degrees about x, y, z, its middle at metres."""
    picture, rays = board.picture(PER_SQUARE), lens()
    spin = np.eye(3)
    for axis, angle in enumerate(np.radians(turn)):
        vector = np.zeros(3)
        vector[axis] = angle
        spin = cv2.Rodrigues(vector)[0] @ spin
    middle = np.array([board.columns, board.rows, 0]) * board.square_m / 2
    shift = np.array(at) - spin @ middle
    # Board point (u, v, 0) → camera: H maps board to ray, its inverse ray to board.
    h = np.linalg.inv(np.column_stack([spin[:, 0], spin[:, 1], shift]))
    where = np.column_stack([rays, np.ones(len(rays))]) @ h.T
    where = where[:, :2] / where[:, 2:] / board.square_m * PER_SQUARE + PER_SQUARE // 2 - 0.5
    shape = (SIZE[1], SIZE[0], 2)
    drawn = cv2.remap(
        picture,
        where.reshape(shape).astype(np.float32),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=128,
    )
    small = cv2.GaussianBlur(drawn, (0, 0), 0.7)  # soft edges, as through a lens
    rng = np.random.default_rng(len(turn) + round(sum(at) * 1000))
    return np.clip(small + rng.normal(0, 2, small.shape), 0, 255).astype(np.uint8)


def poses() -> list[tuple[tuple[float, float, float], tuple[float, float, float]]]:
    """Fourteen views: all parts of the picture, tilted every way."""
    tilts = [
        (0, 0, 0),
        (35, 0, 5),
        (-35, 0, -5),
        (0, 35, 0),
        (0, -35, 10),
        (25, 25, 0),
        (-25, 25, 0),
    ]
    places = [
        (0, 0, 0.42), (-0.14, -0.1, 0.45), (0.14, -0.1, 0.45), (-0.14, 0.1, 0.45),
        (0.14, 0.1, 0.45), (0, -0.1, 0.5), (0, 0.1, 0.5),
    ]  # fmt: skip
    first = list(zip(tilts, places, strict=True))
    return first + list(zip(tilts[1:] + tilts[:1], places, strict=True))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [draw(BOARD, turn, at) for turn, at in poses()]


def look(pictures: list[np.ndarray], board: Board = BOARD) -> Views:
    views = Views(board)
    for n, picture in enumerate(pictures):
        views.add(picture, f"{n}.png")
    return views


def check(found: Intrinsics) -> None:
    """Tolerances: focal lengths 0.5 %, centre 2 px; no pixel is mapped wrongly by 1.5 px."""
    assert found.matrix[0, 0] == pytest.approx(520, rel=0.005)
    assert found.matrix[1, 1] == pytest.approx(515, rel=0.005)
    assert found.matrix[0, 2] == pytest.approx(331, abs=2)
    assert found.matrix[1, 2] == pytest.approx(229, abs=2)
    y, x = np.mgrid[20:460:40, 20:620:40]
    rays = cv2.undistortPoints(
        np.stack([x, y], -1).reshape(-1, 1, 2).astype(float), MATRIX, DISTORTION
    )
    space = np.column_stack([rays.reshape(-1, 2), np.ones(x.size)])
    again, _ = cv2.projectPoints(space, np.zeros(3), np.zeros(3), found.matrix, found.distortion)
    off = np.linalg.norm(again.reshape(-1, 2) - np.stack([x, y], -1).reshape(-1, 2), axis=1)
    assert off.max() < 1.5


def test_a_known_lens_is_recovered(pictures: list[np.ndarray]) -> None:
    views = look(pictures)
    found = calibrate(views)
    check(found)
    assert found.rms_px < 0.3
    assert len(found.view_px) == len(views.kept) >= 10
    assert max(found.tilt_deg) > 30


def test_a_chessboard_does_as_well() -> None:
    board = Board("chessboard", 9, 6, 0.03)
    shrunk = [(turn, (x * 1.5, y * 1.35, z * 1.4)) for turn, (x, y, z) in poses()]
    views = look([draw(board, turn, at) for turn, at in shrunk[:12]], board)
    assert views.found >= 10
    found = calibrate(views)
    assert found.rms_px < 0.3
    assert found.matrix[0, 0] == pytest.approx(520, rel=0.02)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda p: p[:6], "too few"),
        (lambda p: [p[0]] * 14, "too few"),
        (lambda p: [np.full_like(p[0], 90)] * 12, "no board"),
        (lambda p: [cv2.GaussianBlur(x, (0, 0), 4.5) for x in p], "blurred|no board"),
    ],
)
def test_poor_sets_are_refused(pictures: list[np.ndarray], spoil, word: str) -> None:
    with pytest.raises(CalibrationError, match=word) as refused:
        calibrate(look(spoil(pictures)))
    assert refused.value.hint


def test_blur_is_told() -> None:
    views = [
        cv2.GaussianBlur(draw(BOARD, t, (x / 2, y / 2, 0.25)), (0, 0), 2.2)
        for t, (x, y, _) in poses()[:3]
    ]
    with pytest.raises(CalibrationError, match="blurred"):
        calibrate(look(views))


def test_one_corner_of_the_picture_is_not_enough() -> None:
    tilts = [t for t, _ in poses()]
    small = [
        draw(BOARD, t, (-0.15 + 0.03 * (n % 4), -0.1 + 0.03 * (n // 4), 0.55))
        for n, t in enumerate(tilts[:11])
    ]
    with pytest.raises(CalibrationError, match="of the picture") as refused:
        calibrate(look(small))
    assert "hold it" in refused.value.hint


def test_a_board_never_tilted_is_refused() -> None:
    flat = [draw(BOARD, (0, 0, 15 * n), (x, y, z)) for n, (_, (x, y, z)) in enumerate(poses()[:11])]
    with pytest.raises(CalibrationError, match=r"tilted|uncertain"):
        calibrate(look(flat))


def test_a_warped_board_shows_as_error(pictures: list[np.ndarray]) -> None:
    views = look(pictures)
    rng = np.random.default_rng(3)
    for seen in views.kept:
        seen.pixels[:] += rng.normal(0, 2.5, seen.pixels.shape).astype(np.float32)
    with pytest.raises(CalibrationError, match="reprojection error"):
        calibrate(views)


def test_sizes_must_agree(pictures: list[np.ndarray]) -> None:
    views = look(pictures[:1])
    with pytest.raises(CalibrationError, match="pixels"):
        views.add(np.zeros((100, 100), np.uint8), "other.png")


def test_the_command_writes_everything(
    pictures: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "store"))
    folder = tmp_path / "views"
    folder.mkdir()
    for n, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{n:02d}.png"), picture)
    run = CliRunner().invoke(app, ["camera", str(folder), "--name", "C920", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["device"] == "C920"
    assert told["quality"]["rms_px"] < 0.3
    assert len(told["quality"]["view_px"]) == told["quality"]["views"]
    path = Path(told["file"])
    info = yaml.safe_load(path.with_name(path.stem + ".camera_info.yaml").read_text())
    assert info["image_width"] == 640
    assert info["camera_matrix"]["data"] == told["matrix"]
    assert len(info["projection_matrix"]["data"]) == 12
    assert info["distortion_coefficients"]["cols"] == 5
    svg = path.with_name(path.stem + ".coverage.svg").read_text()
    assert svg.startswith("<svg")
    assert "circle" in svg
    listed = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert [row["kind"] for row in listed] == ["camera-intrinsics"]
    shown = CliRunner().invoke(app, ["show", "camera-intrinsics", "C920"]).stdout
    assert "Zhang 2000" in shown


def film(pictures: list[np.ndarray], *, live: bool) -> ListSource:
    frames = [
        Sample("camera", n, n * NS_PER_S // 2, n * NS_PER_S // 2, np.dstack([picture] * 3))
        for n, picture in enumerate(pictures)
    ]
    return ListSource(spec(640, 480), frames, live=live)


def test_from_a_camera(pictures: list[np.ndarray]) -> None:
    told: list[str] = []
    with film(pictures, live=False) as camera:
        views = from_source(camera, BOARD, told=told.append)
    check(calibrate(views))
    assert len(told) == len(views.kept)
    assert "of the picture covered" in told[-1]
    with film(pictures * 3, live=True) as camera:
        short = from_source(camera, BOARD, seconds=2.0)
    assert short.looked == 5
    with ListSource(spec(640, 480), [None]) as mute:
        assert from_source(mute, BOARD).looked == 0


def known(device: str, made_at: dt.datetime) -> Calibration:
    values = {
        "width": 640,
        "height": 480,
        "distortion_model": "plumb_bob",
        "matrix": MATRIX.ravel().tolist(),
        "distortion": DISTORTION.tolist(),
    }
    return Calibration("camera-intrinsics", device, values, "by hand", made_at=made_at)


def spec(width: int, height: int) -> StreamSpec:
    shape = (height, width, 3)
    return StreamSpec(
        "camera", Kind.VIDEO, 30.0, shape, "rgb8", device="C920", extra={"serial": "S1"}
    )


def test_a_camera_finds_its_own_by_serial_number_and_size(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    now = dt.datetime.now(dt.timezone.utc)
    with pytest.raises(CalibrationError, match="no calibration"):
        stored_camera_info(spec(640, 480), store)
    store.save(known("C920", now))
    by_name = stored_camera_info(spec(640, 480), store)
    store.save(known("S1", now))
    path = stored_camera_info(spec(640, 480), store)
    assert path != by_name
    assert yaml.safe_load(path.read_text())["camera_name"] == "S1"
    with pytest.raises(CalibrationError, match="640x480 pixels and now gives 1280x720") as other:
        stored_camera_info(spec(1280, 720), store)
    assert other.value.hint
    store.save(known("S1", now - dt.timedelta(days=1)))
    assert stored_camera_info(spec(640, 480), store) == path
    old = CalibrationStore(tmp_path / "old")
    old.save(known("S1", now - dt.timedelta(days=500)))
    with pytest.raises(CalibrationError, match="500 days old"):
        stored_camera_info(spec(640, 480), old)


def test_ros_reads_the_yaml(tmp_path: Path) -> None:
    convert = pytest.importorskip("thymos_nodes.convert_sensors", reason="needs ROS 2 messages")
    store = CalibrationStore(tmp_path)
    store.save(known("S1", dt.datetime.now(dt.timezone.utc)))
    info = convert.camera_info(stored_camera_info(spec(640, 480), store))
    assert (info.width, info.height) == (640, 480)
    assert list(info.k) == MATRIX.ravel().tolist()
    assert list(info.d) == DISTORTION.tolist()
    assert info.p[0] == 520


def test_a_refusal_is_json_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64), np.uint8))
    run = CliRunner().invoke(app, ["camera", str(tmp_path / "a.png"), "--json"])
    assert run.exit_code == 1
    assert "no board" in json.loads(run.stdout)["refused"]


@pytest.mark.parametrize("name", ["board.png", "board.pdf", "board.svg"])
def test_a_board_is_printed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    BOARD.write(path)
    data = path.read_bytes()
    if name.endswith("png"):
        seen = BOARD.find(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        assert seen is not None
        assert len(seen.ids) == 8 * 5
    elif name.endswith("pdf"):
        assert data.startswith(b"%PDF")
    else:
        # 9 squares of 30 mm and half a square of white on both sides
        assert b'width="300.000mm"' in data
        assert b'height="210.000mm"' in data


def test_boards_that_cannot_be() -> None:
    for wrong in (
        lambda: Board(columns=2),
        lambda: Board(square_m=0),
        lambda: Board("chessboard", 8, 6),
    ):
        with pytest.raises(ConfigError):
            wrong()
    with pytest.raises(ConfigError):
        BOARD.write(Path("board.doc"))
