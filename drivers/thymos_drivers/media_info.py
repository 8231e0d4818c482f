"""Opening a media file by its content, and telling what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from thymos.errors import MediaError
from thymos_drivers.base import need

# Formats that FFmpeg accepts from nearly any bytes by the file's extension, or that only point to
# other files and addresses. Neither is a recording.
_NOT_MEDIA = {"tty", "concat", "hls", "applehttp", "sdp", "dash", "lrc", "srt", "ass", "webvtt"}

TrackKind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track of a file.

    Attributes:
        kind: `video` or `audio`.
        index: Number of the stream inside the container.
        codec: Name of the decoder, for example `h264`.
        start_s: First sample after the common start of the file, seconds.
        duration_s: Length by the container's word, seconds; None if it does not say.
        rate_hz: Mean frame rate, or audio samples per second; 0 if unknown.
        size: (width, height) as stored, before any rotation; (0, 0) for audio.
        channels: Audio channels; 0 for video.
    """

    kind: TrackKind
    index: int
    codec: str
    start_s: float
    duration_s: float | None
    rate_hz: float
    size: tuple[int, int] = (0, 0)
    channels: int = 0


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file holds.

    Attributes:
        path: The file.
        container: Format by content, in FFmpeg's words.
        duration_s: Length of the whole, seconds; None if it is not written.
        tracks: Video and audio tracks (no cover pictures, subtitles or data).
    """

    path: Path
    container: str
    duration_s: float | None
    tracks: tuple[TrackInfo, ...]

    def first(self, kind: TrackKind) -> TrackInfo | None:
        """The first track of a kind, None if there is none."""
        return next((track for track in self.tracks if track.kind == kind), None)


def probe(path: Path | str) -> MediaInfo:
    """Tell what a media file holds, without decoding it.

    Raises:
        MediaError: Missing, unreadable, empty, or not media.
    """
    path = Path(path)
    container = open_container(path)
    try:
        start = common_start(container)
        return MediaInfo(
            path=path,
            container=str(container.format.name),
            duration_s=container.duration / 1e6 if container.duration else None,
            tracks=tuple(_track(stream, start) for stream in av_streams(container)),
        )
    finally:
        container.close()


def open_container(path: Path) -> Any:
    """Open a file with PyAV, whatever its extension says.

    Raises:
        MediaError: Missing, a folder, unreadable, empty, or without any track that can be played.
        MissingExtraError: PyAV is not installed.
    """
    av = need("av", "camera")
    check_file(path)
    try:
        # "file:" keeps a colon in a name from being read as a protocol, the white list keeps a
        # prepared file from opening other addresses.
        container = av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file"})
    except (OSError, ValueError, av.error.FFmpegError) as err:
        raise MediaError(
            f"'{path}' is not media that can be read: {_why(err)}", hint=_hint(path)
        ) from err
    names = set(container.format.name.split(","))
    if names & _NOT_MEDIA or not av_streams(container):
        container.close()
        raise MediaError(f"'{path}' holds no picture and no sound", hint=_HINT)
    return container


def _hint(path: Path) -> str:
    if path.suffix.lower() in _OF_NOSES:
        return f"a file of a nose? thymos smell convert '{path}' nose.mcap, then give nose.mcap"
    return _HINT


_OF_NOSES = {".bmerawdata", ".csv", ".dat", ".jsonl", ".parquet", ".txt"}
_HINT = "give a recording (mp4, mov, mkv, webm, wav, flac …); if a player opens it, convert it"


def check_file(path: Path) -> None:
    """Refuse what cannot be a recording, in plain words.

    Raises:
        MediaError: Missing, a folder, not a regular file, unreadable or empty.
    """
    try:
        if path.is_dir():
            raise MediaError(f"'{path}' is a folder, not a file", hint="name a file inside it")
        if not path.exists():
            raise MediaError(f"there is no file '{path}'", hint="check the path and its spelling")
        if not path.is_file():
            raise MediaError(f"'{path}' is not a regular file", hint="copy it to a file first")
        if path.stat().st_size == 0:
            raise MediaError(f"'{path}' is empty (0 bytes)", hint="copy or record it again")
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or str(err)
        raise MediaError(f"cannot read '{path}': {why}", hint=f"ls -l '{path}'") from err


def cut_riff(path: Path) -> str:
    """Say if a WAV (or AVI) is shorter than its header promises; empty if it is not.

    FFmpeg takes the length of such a file from its size, so a cut one looks whole to it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
        have = path.stat().st_size
    except OSError:
        return ""
    promised = int.from_bytes(head[4:8], "little")
    # Writers to a pipe cannot go back to fill in the length: they leave 0 or all ones.
    if head[:4] != b"RIFF" or promised in (0, 0xFFFFFFFF) or have >= promised:
        return ""
    return f"its header promises {promised + 8} bytes, {have} are there"


def av_streams(container: Any) -> list[Any]:
    """Video and audio streams with known parameters; cover pictures are left out."""
    av = need("av", "camera")
    found = []
    for stream in container.streams:
        context = getattr(stream, "codec_context", None)
        if context is None or stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.type == "video" and context.width > 0:
            found.append(stream)
        if stream.type == "audio" and stream.rate:
            found.append(stream)
    return found


def common_start(container: Any) -> Fraction:
    """Earliest start of all tracks, seconds: the zero that picture and sound share."""
    starts = [
        stream.start_time * stream.time_base
        for stream in av_streams(container)
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=Fraction(0))


def stream_duration_s(stream: Any) -> float | None:
    """Length of one track by the container's word, None if it does not say."""
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    if stream.container.duration:
        return float(stream.container.duration) / 1e6
    return None


def _track(stream: Any, start: Fraction) -> TrackInfo:
    context = stream.codec_context
    own = stream.start_time * stream.time_base if stream.start_time is not None else start
    video = stream.type == "video"
    return TrackInfo(
        kind="video" if video else "audio",
        index=int(stream.index),
        codec=str(context.name),
        start_s=float(own - start),
        duration_s=stream_duration_s(stream),
        rate_hz=float(stream.average_rate or 0) if video else float(stream.rate or 0),
        size=(int(context.width), int(context.height)) if video else (0, 0),
        channels=0 if video else int(stream.channels),
    )


def _why(err: BaseException) -> str:
    """The reason in FFmpeg's words, without number and path."""
    return str(getattr(err, "strerror", None) or err).strip() or type(err).__name__
