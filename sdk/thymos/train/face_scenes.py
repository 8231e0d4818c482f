"""Scenes with known answers, put together from real clips: small faces, people side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.devices import StreamRole, open_uri
from thymos.errors import ConfigError, MissingExtraError
from thymos.perceive.facemesh import U8, Mesh
from thymos.samples import EndOfStream, Sample, Source, StreamSpec

F32 = NDArray[np.float32]

TALKERS = (
    "sadtalker/WDA_AlexandriaOcasioCortez_000.mp4",
    "sadtalker/WDA_KatieHill_000.mp4",
    "synchformer/lrs3_C8zY0oAdQrs_00018.mp4",
    "video_retalking/1.mp4",
    "video_retalking/5.mp4",
)
"""One person who speaks, in sight and sound."""
LISTENERS = ("pyfeat/WolfgangLanger_Pexels.mp4",)
"""One person whose mouth moves (he smiles and makes faces) but who says nothing."""
FACELESS = (
    "pyfeat/no_face.mp4",
    "synchformer/vggsound_ZYc410CE4Rg_0_10000.mp4",
    "mediapipe/format_FLV_H264_AAC.video",
    "mediapipe/format_MKV_VP8_VORBIS.video",
)
BEHIND = FACELESS[1]  # a picture of it is what small faces are pasted on
FRONTAL = (*TALKERS[:2], *TALKERS[3:], *LISTENERS, "pyfeat/single_face.mp4")


@dataclass(frozen=True, slots=True)
class Film:
    """A clip in memory.

    Attributes:
        name: Its path in the data.
        t_ns: Capture times.
        pictures: RGB, one a time.
    """

    name: str
    t_ns: tuple[int, ...]
    pictures: tuple[U8, ...]

    def at(self, t_ns: int) -> U8:
        """The picture that stood at a time; before the first one, the first."""
        k = int(np.searchsorted(self.t_ns, t_ns, side="right")) - 1
        return self.pictures[max(0, k)]


def samples(source: Source) -> Iterator[Sample]:
    """All samples of a source that ends."""
    while True:
        try:
            sample = source.read()
        except EndOfStream:
            return
        if sample is not None:
            yield sample


def film(av_folder: Path, name: str, height: int = 0) -> Film:
    """Read the pictures of a clip, brought to a height if that is not 0."""
    with _opened("camera", av_folder / name) as source:
        read = [(s.t_ns, s.payload.copy()) for s in samples(source)]
    pictures = [resized(p, height / p.shape[0]) if height else p for _, p in read]
    return Film(name, tuple(t for t, _ in read), tuple(pictures))


def sound(av_folder: Path, name: str) -> tuple[StreamSpec, list[Sample]]:
    """Read the sound of a clip."""
    with _opened("microphone", av_folder / name) as source:
        return source.spec, list(samples(source))


def _opened(role: StreamRole, path: Path) -> Source:
    if not path.is_file():
        raise ConfigError(
            f"there is no clip '{path}'", hint="name the folder that holds av/ as DATA"
        )
    source = open_uri(role, f"file:{path}")
    if source is None:
        raise ConfigError(f"'{path}' has no {role}")
    return source


def resized(picture: U8, scale: float) -> U8:
    """A picture at another size, means over areas."""
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "media") from err
    height, width = (max(2, round(n * scale)) for n in picture.shape[:2])
    frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    made = frame.reformat(width=width, height=height, interpolation="AREA")
    return np.asarray(made.to_ndarray(format="rgb24"))


def side_by_side(left: U8, right: U8) -> U8:
    """Two pictures of one height beside each other."""
    return np.hstack([left, right])


def background(av_folder: Path) -> U8:
    """A VGA picture without a face."""
    picture = film(av_folder, BEHIND).pictures[3]
    big = resized(picture, max(640 / picture.shape[1], 480 / picture.shape[0]))
    return np.ascontiguousarray(big[:480, :640])


@dataclass(frozen=True, slots=True)
class Pasted:
    """A face in a picture: the picture, and where the face's centre is (pixels)."""

    picture: U8
    x: float
    y: float


def paste(onto: U8, picture: U8, mesh: Mesh, scale: float, place: tuple[float, float]) -> Pasted:
    """Paste a face and a little of what is around it, shrunk.

    Args:
        onto: Background; not changed.
        picture: Where the face comes from.
        mesh: Where it is in that picture.
        scale: How much it shall be shrunk.
        place: Where to, as shares of the background.
    """
    small = resized(picture, scale)
    x, y = (float(v) * scale for v in mesh.points[:, :2].mean(axis=0))
    reach = 1.1 * scale * float(np.ptp(mesh.points[:, 1]))
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    patch = small[top : int(y + reach), left : int(x + reach)]
    height, width = onto.shape[:2]
    at_x = min(max(0, int(place[0] * width) - patch.shape[1] // 2), width - patch.shape[1])
    at_y = min(max(0, int(place[1] * height) - patch.shape[0] // 2), height - patch.shape[0])
    made = onto.copy()
    made[at_y : at_y + patch.shape[0], at_x : at_x + patch.shape[1]] = patch
    return Pasted(made, x - left + at_x, y - top + at_y)
