"""Makes small media files of every kind, with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def picture(n: int, width: int, height: int) -> np.ndarray:
    """A grey field that brightens with n; the top left corner is red."""
    rgb = np.full((height, width, 3), 40 + n % 100, np.uint8)
    rgb[: height // 4, : width // 4] = (250, 10, 10)
    return rgb


def make_video(
    path: Path,
    *,
    times_ms: list[int] | None = None,
    frames: int = 30,
    fps: int = 30,
    size: tuple[int, int] = (64, 48),
    codec: str = "mpeg4",
    rotate: int = 0,
    sound: tuple[int, float] | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video; `sound` is (rate, seconds) of a mono tone."""
    with av.open(str(path), "w", format=container, container_options=options or {}) as out:
        video = out.add_stream(codec, rate=fps)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        if times_ms is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        if rotate:
            video.set_display_rotation(rotate)
        audio = None
        if sound is not None:
            audio = out.add_stream("aac", rate=sound[0], layout="mono")
        for n in range(len(times_ms) if times_ms is not None else frames):
            frame = av.VideoFrame.from_ndarray(picture(n, *size), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[n], Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = n, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None and sound is not None:
            rate, seconds = sound
            for start in range(0, int(rate * seconds), 1024):
                t = np.arange(start, start + 1024) / rate
                wave = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
                block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
                out.mux(audio.encode(block))
            out.mux(audio.encode(None))
    return path


def make_sound(
    path: Path,
    data: np.ndarray,
    rate: int,
    *,
    codec: str = "pcm_s16le",
    sample_format: str = "s16",
    layout: str = "mono",
) -> Path:
    """Write int16 [frames, channels] with a codec that loses nothing."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.format = sample_format
        if sample_format == "s32":
            packed = (data.astype(np.int32) << 16).reshape(1, -1)
        elif sample_format == "flt":
            packed = (data.astype(np.float32) / 32768).reshape(1, -1)
        else:
            packed = data.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(packed), format=sample_format, layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        size = stream.codec_context.frame_size
        if size:
            fifo = av.AudioFifo()
            fifo.write(frame)
            while (part := fifo.read(size, partial=True)) is not None:
                out.mux(stream.encode(part))
        else:
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
