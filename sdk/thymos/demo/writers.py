"""Writes the media files of the scene, whole or not at all."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import MediaError, MissingExtraError, RecordingError
from thymos.respond.base import Speech

ROOM_LEVEL = 12.0
"""Standard deviation of the room's noise, of 32768 (about −69 dB): a digital zero is no room."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write under; it becomes `path` when all went well and goes away otherwise.

    Raises:
        RecordingError: The folder cannot be written, or the disk is full.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as err:
        raise RecordingError(
            f"cannot write '{path}': {err.strerror or err}",
            hint="choose a folder you may write to with --out, or free some space",
        ) from err
    finally:
        if part.exists():
            part.unlink()


def write_sound(path: Path, lines: Sequence[tuple[float, Speech]], seconds: float) -> None:
    """Write speech over the noise of a quiet room as a mono 16-bit WAV.

    Args:
        path: File to write.
        lines: When each speech begins, s; what would pass the end is cut.
        seconds: Length of the file.

    Raises:
        RecordingError: The file cannot be written.
        MediaError: The voices differ in rate.
    """
    rates = {speech.rate_hz for _, speech in lines}
    if len(rates) != 1:
        raise MediaError("all lines of a scene need the same sample rate")
    rate = rates.pop()
    noise = np.random.default_rng(7).normal(0.0, ROOM_LEVEL, round(seconds * rate))
    sound = noise.astype(np.float64)
    for at_s, speech in lines:
        start = round(at_s * rate)
        room = max(0, len(sound) - start)
        sound[start : start + len(speech.pcm)] += speech.pcm[:room]
    data = np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()
    with whole(path) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data)


def write_video(
    clip: Path,
    path: Path,
    order: Sequence[int],
    fps: int,
    *,
    size: tuple[int, int] | None = None,
    sound: Path | None = None,
) -> None:
    """Write frames of a short clip in a new order.

    Args:
        clip: Video of at most a few seconds; all of it is held in memory.
        path: MP4 to write.
        order: Frame numbers of the clip, in the order to show them.
        fps: Frames per second to write.
        size: Width and height; the middle of each frame is cut out to fit. As the clip if None.
        sound: WAV that becomes the sound track (AAC); it plays from the start.

    Raises:
        MediaError: The clip or the sound cannot be read, or the clip has too few frames.
        RecordingError: The file cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "camera") from err
    try:
        with av.open(str(clip)) as file:
            frames = [_fit(frame, size) for frame in file.decode(video=0)]
    except (av.FFmpegError, IndexError) as err:
        raise MediaError(f"cannot read the clip '{clip}': {err}") from err
    if not order or max(order) >= len(frames):
        raise MediaError(f"the clip '{clip}' has too few frames ({len(frames)})")
    with whole(path) as part, av.open(str(part), "w", format="mp4") as out:
        picture = out.add_stream("mpeg4", rate=fps)
        picture.width, picture.height = frames[0].width, frames[0].height
        picture.pix_fmt, picture.bit_rate = "yuv420p", 4_000_000
        picture.codec_context.thread_count = 2
        voice = out.add_stream("aac", rate=16000, layout="mono") if sound else None
        for n, index in enumerate(order):
            frames[index].pts, frames[index].time_base = n, Fraction(1, fps)
            out.mux(picture.encode(frames[index]))
        out.mux(picture.encode(None))
        if sound:
            _add_sound(out, voice, sound)


def _fit(frame: Any, size: tuple[int, int] | None) -> Any:
    """Scale a frame; what does not have the new shape is cut off left and right or at the ends."""
    import av

    wide, high = size or (frame.width, frame.height)
    image = frame.to_ndarray(format="rgb24")
    across = min(frame.width, round(frame.height * wide / high))
    down = min(frame.height, round(frame.width * high / wide))
    left, top = (frame.width - across) // 2, (frame.height - down) // 2
    cut = np.ascontiguousarray(image[top : top + down, left : left + across])
    whole_frame = av.VideoFrame.from_ndarray(cut, format="rgb24")
    return whole_frame.reformat(width=wide, height=high, format="yuv420p")


def _add_sound(out: Any, voice: Any, sound: Path) -> None:
    import av

    try:
        with av.open(str(sound)) as file:
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=16000)
            for frame in file.decode(audio=0):
                for block in resampler.resample(frame):
                    out.mux(voice.encode(block))
            for block in resampler.resample(None):
                out.mux(voice.encode(block))
    except (av.FFmpegError, IndexError) as err:
        raise MediaError(f"cannot read the sound '{sound}': {err}") from err
    out.mux(voice.encode(None))
