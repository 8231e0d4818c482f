"""Films and sound for `fuzz_rest`: small good files of many kinds, and what reads them."""

from __future__ import annotations

import contextlib
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rest_good import check

from thymos.config import RecordConfig
from thymos.errors import ThymosError
from thymos.record.encode import Encoder
from thymos.samples import Encoded, EndOfStream, Kind, Sample, StreamSpec
from thymos_drivers.media import AudioFile, VideoFile, probe
from thymos_drivers.realsense import RealSense

SUFFIXES = (".mp4", ".mkv", ".flac", ".wav", ".avi", ".ogg", ".ts")
MOST = 400
"""Samples read of one file: a damaged header may promise years."""


@cache
def _place() -> Path:
    folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    _kept.append(folder)
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def read_media(data: bytes) -> None:
    """The first byte chooses the name: look into it, read picture and sound to their ends."""
    if not data:
        return
    path = _place() / f"case{SUFFIXES[data[0] % len(SUFFIXES)]}"
    path.write_bytes(data[1:])
    with contextlib.suppress(ThymosError):
        probe(path)
    readers: tuple[Callable[[Path], Any], ...] = (VideoFile, AudioFile)
    for reader in readers:
        with contextlib.suppress(ThymosError, EndOfStream), reader(path) as source:
            newest = -(2**63)
            for _ in range(MOST):
                sample = source.read(0.0)
                check(source.spec.kind, sample.payload)
                assert newest < sample.t_ns < 2**63  # time goes on, whatever the file says
                newest = sample.t_ns


@cache
def media() -> list[bytes]:
    """Picture and sound in each container."""
    made = []
    for at, suffix in enumerate(SUFFIXES):
        path = _place() / f"good{suffix}"
        if suffix in (".flac", ".wav", ".ogg"):
            codec = {".flac": "flac", ".wav": "pcm_s16le", ".ogg": "opus"}[suffix]
            _write(path, "", codec)
        else:
            _write(path, "libx264" if suffix in (".mp4", ".ts") else "mpeg4", "aac")
        made.append(bytes([at]) + path.read_bytes())
    return made


def _write(path: Path, picture: str, sound: str) -> None:
    import av

    rate = 48_000 if sound == "opus" else 8000
    with av.open(str(path), "w") as out:
        if picture:
            video: Any = out.add_stream(picture, rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio: Any = out.add_stream(sound, rate=rate, layout="mono")
        if picture:
            for n in range(5):
                rgb = np.full((32, 32, 3), 40 * n, np.uint8)
                rgb[n : n + 9, 4:20] = 255
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, 10)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        wave = (8000 * np.sin(np.arange(rate // 4) / 9)).astype(np.int16)[None]
        block = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(
            format=audio.codec_context.format,
            layout="mono",
            rate=rate,
            frame_size=audio.codec_context.frame_size or None,
        )
        for part in (*resampler.resample(block), *resampler.resample(None)):
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))


SPEC = StreamSpec("camera", Kind.VIDEO, 10.0, (32, 32, 3), "rgb8")


def keep_film(data: bytes) -> None:
    """A camera's H.264 with damaged pieces, between sound ones, into a recording."""
    encoder = Encoder(RecordConfig(video="h264"))
    first, other = _pieces()[0], _pieces()[1]
    for n, piece in enumerate((first, data, other, first, data)):
        rgb = np.full((32, 32, 3), n, np.uint8)
        sample = Sample("camera", n, n, n, rgb, encoded=Encoded("h264", piece))
        assert encoder.sample(sample, SPEC, "h264")


@cache
def _pieces() -> list[bytes]:
    from thymos.record.h264 import H264Encoder

    coder = H264Encoder(32, 32)
    return [coder.encode(np.full((32, 32, 3), 60 * n, np.uint8), n * 100_000_000) for n in range(4)]


def pieces() -> list[bytes]:
    """A key frame and those after it."""
    return list(_pieces())


@dataclass(frozen=True)
class Frame:
    """What librealsense might hand over: number, stamp, unit and domain out of bytes."""

    data: bytes
    deep: bool = False

    def get_frame_number(self) -> int:
        return int.from_bytes(self.data[:4], "little")

    def get_timestamp(self) -> float:
        return float(struct.unpack("<d", self.data[4:12])[0])

    def get_units(self) -> float:
        return float(struct.unpack("<f", self.data[12:16])[0])

    def get_frame_timestamp_domain(self) -> int:
        return self.data[16] % 3

    def get_data(self) -> NDArray[Any]:
        if not self.data[17:]:
            raise RuntimeError('null pointer passed for argument "frame_ref"')
        pixels = np.frombuffer(self.data[17:], np.uint8)
        return pixels[: len(pixels) // 2 * 2].view(np.uint16) if self.deep else pixels

    def as_depth_frame(self) -> Frame:
        return self


RS: Any = SimpleNamespace(timestamp_domain=SimpleNamespace(hardware_clock=0))
HIGH, WIDE = 4, 6


def take_frame(data: bytes) -> None:
    """A frame as colours and as depth, of a camera and of a recording; a sound one comes after."""
    if len(data) < 17:
        return
    for depth in (False, True):
        for name in ("", "session.db3"):
            source = RealSense(name, depth=depth)
            source._clock = source._zero_ns = None
            source._order = (2, 1, 0)
            shape = (HIGH, WIDE) if depth else (HIGH, WIDE, 3)
            source._spec = replace(source.spec, shape=shape)
            for one in (data, frames()[depth]):
                source._arrived(RS, Frame(one, depth))
            source._opened = True
            last: Sample | None = None
            for _ in range(len(source._inbox._items)):
                last = source.read(0.0)
                assert last is not None
                check(source.spec.kind, last.payload)
                assert last.payload.shape == shape
            assert last is not None
            assert source.counters.corrupt <= 1


@cache
def frames() -> list[bytes]:
    """Colours and depth."""
    head = struct.pack("<IdfB", 7, 50_000.0, 0.001, 0)
    return [head + bytes(range(HIGH * WIDE * n)) for n in (3, 2)]
