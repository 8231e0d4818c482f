"""Makes small media files: any size, frame rate, sound format, rotation or length."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_media(
    path: Path,
    *,
    seconds: float = 2.0,
    size: tuple[int, int] | None = (320, 240),
    fps: int = 15,
    frame_times_s: Sequence[float] | None = None,
    rate_hz: int | None = 16000,
    channels: str = "mono",
    silent: bool = False,
    audio_starts_s: float = 0.0,
    sound: np.ndarray | None = None,
    sound_seconds: float | None = None,
    rotate: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file whose container follows from its name.

    Args:
        path: `.mp4`, `.mkv`, `.mov`, `.webm`, `.wav`, `.flac` …
        seconds: Length of both tracks.
        size: Width and height; None writes no picture.
        fps: Frames per second.
        frame_times_s: Capture times instead of a regular grid (mkv, mp4).
        rate_hz: Sampling rate; None writes no sound.
        channels: ffmpeg's name of the layout: mono, stereo, 5.1.
        silent: Digital silence instead of a tone.
        audio_starts_s: The sound begins this much after the picture.
        sound: int16 [n] to use instead of the tone (mono).
        sound_seconds: Length of the tone; None is as long as the picture.
        rotate: Degrees, counter-clockwise, by which a player must turn the picture.
        options: Of the container: `{"movflags": "faststart"}` puts an mp4's index first.
    """
    audio_only = path.suffix in (".wav", ".flac")
    with av.open(str(path), "w", container_options=options or {}) as out:
        video = audio = None
        if size is not None and not audio_only:
            video = out.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            if rotate:
                video.set_display_rotation(rotate)
            video.codec_context.time_base = Fraction(1, 1000) if frame_times_s else Fraction(1, fps)
        if rate_hz is not None:
            codec = {".wav": "pcm_s16le", ".flac": "flac", ".webm": "libopus"}
            audio = out.add_stream(codec.get(path.suffix, "aac"), rate=rate_hz)
            audio.layout = channels
        if video is not None:
            times = frame_times_s or [n / fps for n in range(round(seconds * fps))]
            _write_frames(out, video, times, frame_times_s is not None, fps)
        if audio is not None:
            length = seconds if sound_seconds is None else sound_seconds
            pcm = _sound(length, rate_hz, silent) if sound is None else sound
            _write_sound(out, audio, pcm, channels, rate_hz, audio_starts_s)
    return path


def _write_frames(out, stream, times, exact, fps) -> None:
    width, height = stream.width, stream.height
    for n, t in enumerate(times):
        picture = np.full((height, width, 3), 90, np.uint8)
        picture[:, (n * 4) % width : (n * 4) % width + 16] = 200
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = round(t * 1000) if exact else n
        frame.time_base = Fraction(1, 1000) if exact else Fraction(1, fps)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _sound(seconds: float, rate: int, silent: bool) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    wave = np.zeros_like(t) if silent else 0.3 * np.sin(2 * np.pi * 220 * t)
    return (wave * 32767).astype(np.int16)


def _write_sound(out, stream, pcm, layout, rate, start_s) -> None:
    count = av.AudioLayout(layout).nb_channels
    wide = np.repeat(pcm[:, None], count, axis=1)
    resampler = av.AudioResampler(format=stream.format, layout=layout, rate=stream.rate)
    first = round(start_s * rate)
    for lo in range(0, len(wide), 1024):
        block = np.ascontiguousarray(wide[lo : lo + 1024]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first + lo, Fraction(1, rate)
        for ready in resampler.resample(frame):
            out.mux(stream.encode(ready))
    for ready in resampler.resample(None):
        out.mux(stream.encode(ready))
    out.mux(stream.encode(None))
