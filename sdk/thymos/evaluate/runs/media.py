"""Clips and pictures as arrays; whatever is wrong with a file becomes a `MediaError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MediaError, MissingExtraError, ThymosError

RATE = 16000
MAX_SECONDS = 3600
MAX_PIXELS = 64_000_000
_MAX_PLANES = 8
"""A frame of planar sound with more makes PyAV (18.1) read beyond its pointers: a crash."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what libraries raise over a bad file into a `MediaError` with its name."""
    try:
        yield
    except (ThymosError, KeyboardInterrupt):
        raise
    except Exception as err:  # libav, zip and numpy each have their own
        raise MediaError(f"{path.name} cannot be read: {err}") from err


def _av() -> Any:
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "perceive") from err
    return av


def read_audio(path: Path) -> NDArray[np.float32]:
    """Read the first sound track as mono 16 kHz float32 in [-1, 1], shape [samples].

    Raises:
        MediaError: The file is missing, damaged or has no sound.
    """
    av = _av()
    chunks: list[NDArray[np.float32]] = []
    with reading(path), av.open(str(path)) as container:
        if not container.streams.audio:
            raise MediaError(f"{path.name} has no sound track")
        stream = container.streams.audio[0]
        resample = av.AudioResampler("flt", "mono", RATE)
        try:
            for frame in container.decode(stream):
                _refuse(path, frame, sum(map(len, chunks)))
                chunks += [part.to_ndarray().reshape(-1) for part in resample.resample(frame)]
        except av.error.InvalidDataError:  # bytes after the end are no reason to refuse a clip
            if sum(map(len, chunks)) * stream.rate < (stream.duration or 1) * RATE * 0.99:
                raise
        chunks += [part.to_ndarray().reshape(-1) for part in resample.resample(None)]
    if not chunks:
        raise MediaError(f"{path.name} holds no sound")
    return np.concatenate(chunks)


def _refuse(path: Path, frame: Any, samples: int) -> None:
    channels = len(frame.layout.channels)
    if frame.format.is_planar and channels > _MAX_PLANES:
        raise MediaError(f"{path.name} claims {channels} channels of sound: at most 8 are read")
    if samples > MAX_SECONDS * RATE:
        raise MediaError(
            f"{path.name} is longer than an hour: cut it, or use `thymos eval explain`"
        )


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB [h, w, 3] uint8.

    Raises:
        MediaError: The file is missing, damaged or no picture.
    """
    with reading(path), _av().open(str(path)) as container:
        size = container.streams.video[0].codec_context
        if size.width * size.height > MAX_PIXELS:
            raise MediaError(f"{path.name} claims {size.width} x {size.height} pixels: too many")
        frame = next(container.decode(video=0))
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def read_archive(path: Path) -> NDArray[np.uint8]:
    """Read the array `images` of an npz: [n, h, w] grey or [n, h, w, 3] RGB, uint8.

    Raises:
        MediaError: The file is missing, damaged or holds no such array.
    """
    with reading(path), np.load(path, allow_pickle=False) as data:
        images = np.asarray(data["images"])
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise MediaError(f"{path.name}: 'images' is no uint8 [n, h, w] or [n, h, w, 3]")
    return images
