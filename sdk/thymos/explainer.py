"""One call on a file: from a recording of any kind to explained windows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from thymos.config import Config
from thymos.contract import WindowReport
from thymos.devices import StreamRole, open_uri
from thymos.errors import MediaError, TrackMissingError
from thymos.events import Observer
from thymos.pace import Pace
from thymos.pipeline import Pipeline
from thymos.runner import run_offline
from thymos.samples import Sample, Source

_MAGIC = (b"\x89MCAP0\r\n", b"#ROSBAG V2.0", b"SQLite format 3\x00", b"version https://git-lfs")
_ZSTD = b"\x28\xb5\x2f\xfd"  # rosbag2 compresses whole files so
_MEDIA = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"FLV", b"\x1aE\xdf\xa3")  # the last: mkv and webm
_SUFFIXES = {".mcap", ".bag", ".db3", ".part"}


def explain(
    media: str | Path,
    *,
    enose: str | Path | None = None,
    config: Config | None = None,
    observers: Sequence[Observer] = (),
    answer_dir: Path | None = None,
    stop: threading.Event | None = None,
    rate: float | None = None,
) -> Iterator[WindowReport]:
    """Explain a recording, window by window.

    The same recording gives the same reports, however busy the machine is and at any rate.

    Args:
        media: A media file (mp4, mov, mkv, webm, wav, flac …), a rosbag2 folder, `.mcap`, `.db3`
            or ROS 1 `.bag`.
        enose: A file of nose readings that begin when the media does.
        config: Settings.
        observers: See `thymos.events`.
        answer_dir: Where to write the spoken answers; None writes none.
        stop: Ends the run early, soon after it is set.
        rate: Seconds of the recording in a second; None is as fast as possible.

    Yields:
        One report a window, in order of time.

    Raises:
        MediaError: The file is missing, empty, damaged, or holds neither picture nor sound.
        RecordingError: A bag cannot be read or holds nothing Thymos knows.
        ModelError: A backend that was asked for by name cannot run.
        MissingExtraError: The library that reads such files is not installed.
    """
    topics = None if config is None else config.sources.topics
    sources, absent, notes = open_media(Path(media), enose, topics)
    pipeline = Pipeline(config, observers=observers, answer_dir=answer_dir)
    try:
        for stream, reason in absent.items():
            pipeline.state_absent(stream, reason)
        for text in notes:
            pipeline.remarks.note(text)
        stop = stop or threading.Event()
        pace = None if rate is None else _by_the_clock(rate, stop)
        yield from run_offline(sources, pipeline, stop=stop, pace=pace)
    finally:
        pipeline.close()


def _by_the_clock(rate: float, stop: threading.Event) -> Callable[[Sample], object]:
    pace = Pace(rate, stop)
    return lambda sample: pace.until(sample.t_ns)


def open_media(
    path: Path, enose: str | Path | None = None, topics: Mapping[str, str] | None = None
) -> tuple[list[Source], dict[str, str], list[str]]:
    """Find the sources in a recording.

    Args:
        path: A media file or a recording.
        enose: A file of nose readings.
        topics: Which topic of a recording shall be which stream, see `open_recording`.

    Returns:
        The sources (not open), streams that it lacks with the reason, and remarks.

    Raises:
        MediaError: The file is missing, empty, damaged, or holds neither picture nor sound.
        RecordingError: A bag cannot be read or holds nothing Thymos knows.
        MissingExtraError: The library that reads such files is not installed.
    """
    absent: dict[str, str] = {}
    notes: list[str] = []
    if is_recording(path):
        from thymos.record import open_recording

        recording = open_recording(path, topics)
        sources = list(recording.sources.values())
        notes = list(recording.notes)
    else:
        sources = _tracks(path, absent)
    if enose is not None:
        nose = open_uri("enose", f"file:{enose}")
        assert nose is not None  # noqa: S101  only `off` gives None
        sources.append(nose)
    return sources, absent, notes


def _tracks(path: Path, absent: dict[str, str]) -> list[Source]:
    sources: list[Source] = []
    roles: tuple[StreamRole, ...] = ("camera", "microphone")
    for role in roles:
        source = open_uri(role, f"file:{path}")
        assert source is not None  # noqa: S101
        try:
            with source:  # look whether the track is there; the runner opens it again
                pass
        except TrackMissingError as err:
            # Where the file lies is no part of the result: it may lie elsewhere tomorrow.
            absent[role] = str(err).replace(str(path), path.name)
            continue
        sources.append(source)
    if not sources:
        raise MediaError(
            f"'{path}' holds neither picture nor sound",
            hint="give a video, a sound file, a rosbag2 folder or an .mcap",
        )
    return sources


def is_recording(path: Path) -> bool:
    """Whether a path is a bag or MCAP rather than a media file, by content, else by name."""
    if path.is_dir():
        return True
    named = path.suffix.lower() in _SUFFIXES
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return named  # who opens it says what is wrong with it
    if head.startswith((*_MAGIC, _ZSTD)):
        return True
    return named and not (head.startswith(_MEDIA) or head[4:8] == b"ftyp")
