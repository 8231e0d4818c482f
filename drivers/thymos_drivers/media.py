"""Picture and sound of a media file, by PyAV (FFmpeg).

Time zero is the earliest start of all tracks of the file, so the two sources of one file share
it: a sound track that starts 2.43 s after the picture gives its first sample 2.43 s. Files are
streamed; memory does not grow with their length.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MediaError, TrackMissingError
from thymos.samples import (
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Payload,
    Sample,
    StreamSpec,
    frozen,
)
from thymos_drivers.base import BaseSource, need, picture_spec
from thymos_drivers.media_info import (
    MediaInfo,
    TrackInfo,
    TrackKind,
    av_streams,
    common_start,
    cut_riff,
    open_container,
    probe,
    stream_duration_s,
)
from thymos_drivers.media_time import AudioClock, Blocks, FrameClock, stamp_ns, to_s16

__all__ = ["AudioFile", "MediaInfo", "TrackInfo", "VideoFile", "open_audio", "open_video", "probe"]

MAX_SIDE = 1280
"""Longer pictures are scaled down to this many pixels while decoding; no model here sees more."""

BLOCK_S = 0.032
"""Length of an audio block."""

_MAX_PLANES = 8
"""A frame of planar sound with more makes PyAV (18.1) read beyond its pointers: a crash."""

_MAX_BAD_IN_A_ROW = 500
"""So many damaged packets without one good frame, and the rest of the track is given up."""


def open_video(rest: str, *, stream: str = "camera", origin: str = "recorded") -> VideoFile:
    """Make the source of `file:PATH` for the camera."""
    return VideoFile(rest, stream=stream, origin=Origin(origin))


def open_audio(rest: str, *, stream: str = "microphone", origin: str = "recorded") -> AudioFile:
    """Make the source of `file:PATH` for the microphone."""
    return AudioFile(rest, stream=stream, origin=Origin(origin))


class MediaFile(BaseSource):
    """One track of a file; the parts that picture and sound share.

    The first frame is decoded on opening: the spec then states what the decoder really gives, and a
    track that cannot be decoded at all is an error at `open`, not later.
    """

    track: TrackKind

    def __init__(self, path: Path | str, spec: StreamSpec) -> None:
        super().__init__(spec)
        self.path = Path(path)
        self._lock = threading.Lock()
        self._container: Any = None
        self._ready: deque[Sample] = deque()
        self._frames: Iterator[Any] = iter(())
        self._seq = 0
        self._bad_run = 0
        self._file_end_s = 0.0
        self._trouble = ""

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample.

        Raises:
            EndOfStream: The track is over (`health` says if it ended early).
        """
        self._check_open()
        with self._lock:  # `close` must not free the decoder under our feet
            if self._container is None:
                raise EndOfStream
            while not self._ready:
                frame = next(self._frames, None)
                if frame is None:
                    self._ready.extend(self._finish())
                    if not self._ready:
                        self._judge_end()
                        raise EndOfStream
                else:
                    self._ready.extend(self._take(frame))
            self._counters.received += 1
            return self._ready.popleft()

    def _open(self) -> None:
        self._ready.clear()
        self._seq = self._bad_run = 0
        self._file_end_s = 0.0
        self._trouble = ""
        self._container = open_container(self.path)
        stream = self._pick()
        self._start = common_start(self._container)
        self._duration_s = stream_duration_s(stream)
        self._frames = self._decoded(stream)
        first = next(self._frames, None)
        if first is None:
            raise MediaError(
                f"'{self.path}': nothing of the {self.track} track ({stream.codec_context.name}) "
                "can be decoded",
                hint="the file is damaged or cut off; copy it again or try another player",
            )
        self._begin(stream, first)
        self._say(Health.OK)
        self._ready.extend(self._take(first))

    def _close(self) -> None:
        with self._lock:
            if self._container is not None:
                self._frames = iter(())
                self._ready.clear()
                self._container.close()
                self._container = None

    def _pick(self) -> Any:
        streams = [s for s in av_streams(self._container) if s.type == self.track]
        if not streams:
            what = "picture" if self.track == "video" else "sound"
            raise TrackMissingError(f"'{self.path}' has no {what}", hint=f"switch it off: {what}")
        return streams[0]

    def _decoded(self, stream: Any) -> Iterator[Any]:
        """Frames of the track; damaged packets are counted and stepped over.

        All tracks are demuxed (not decoded): whether the file was cut off shows at the end of the
        whole, since a track may rightly be shorter than the rest.
        """
        av = need("av", "camera")
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError, ValueError) as err:
                self._trouble = f"the file cannot be read further: {err}"
                return
            if packet is None:
                return
            if packet.pts is not None and packet.time_base:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                self._file_end_s = max(self._file_end_s, end_s)
            if packet.stream.index != stream.index:
                continue
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                self._counters.corrupt += 1
                self._bad_run += 1
                if self._bad_run > _MAX_BAD_IN_A_ROW:
                    self._trouble = f"{_MAX_BAD_IN_A_ROW} damaged packets in a row"
                    return
                continue
            yield from frames

    def _judge_end(self) -> None:
        """Say whether the file ended where the container promised."""
        promised = float(self._container.duration or 0) / 1e6
        end_s = self._file_end_s - float(self._start)
        self._trouble = self._trouble or cut_riff(self.path)
        if self._trouble or end_s < promised - max(1.0, promised / 10):
            length = f" of {promised:.1f}" if promised else ""
            reason = f"the file ends early, at {end_s:.1f}{length} s"
            if self._trouble:
                reason += f": {self._trouble}"
            self._say(Health.DEGRADED, reason, "copy or record it again; what was there was read")
        elif self._counters.corrupt:
            self._say(Health.DEGRADED, f"{self._counters.corrupt} damaged packets")

    def _facts(self, stream: Any) -> dict[str, str]:
        facts = {
            "codec": str(stream.codec_context.name),
            "container": str(self._container.format.name),
        }
        if self._duration_s is not None:
            facts["duration_s"] = f"{self._duration_s:.3f}"
        return facts

    def _sample(self, t_ns: int, payload: Payload, flags: Flag, note: str = "") -> Sample:
        sample = Sample(self._spec.name, self._seq, t_ns, t_ns, frozen(payload), flags, note)
        self._seq += 1
        return sample

    def _begin(self, stream: Any, first: Any) -> None:
        raise NotImplementedError

    def _take(self, frame: Any) -> list[Sample]:
        raise NotImplementedError

    def _finish(self) -> list[Sample]:
        return []


class VideoFile(MediaFile):
    """The picture of a file: RGB, upright, at most `MAX_SIDE` pixels on the long side."""

    track = "video"

    def __init__(
        self,
        path: Path | str,
        *,
        stream: str = "camera",
        origin: Origin = Origin.RECORDED,
        max_side: int = MAX_SIDE,
    ) -> None:
        super().__init__(path, picture_spec(stream, Path(path).name, origin=origin))
        self._max_side = max_side

    def _begin(self, stream: Any, first: Any) -> None:
        width, height = first.width, first.height
        scale = min(1.0, self._max_side / max(width, height))
        self._size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # One scaler for all frames: `frame.to_ndarray` would set up another one for each.
        self._reformatter = need("av", "camera").video.reformatter.VideoReformatter()
        self._turns = round(first.rotation / 90) % 4
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self._clock = FrameClock(rate)
        shape = (self._size[1], self._size[0], 3)
        if self._turns % 2:
            shape = (shape[1], shape[0], 3)
        facts = self._facts(stream)
        done = []
        if scale < 1.0:
            facts["scaled_from"] = f"{width}x{height}"
            done.append(f"scaled down from {width}x{height}")
        if self._turns:
            facts["rotated_deg"] = str(90 * self._turns)
            done.append(f"turned upright by {90 * self._turns} degrees")
        if done:
            facts["note"] = ", ".join(done)
        self._spec = replace(self._spec, rate_hz=rate, shape=shape, extra=facts)

    def _take(self, frame: Any) -> list[Sample]:
        t_ns, flags = self._clock.stamp(stamp_ns(frame.pts, frame.time_base, self._start))
        note = "the container has no usable time for this picture" if flags else ""
        if self._bad_run:
            flags |= Flag.GAP_BEFORE
            self._seq += self._bad_run
            self._counters.dropped += self._bad_run
            self._bad_run = 0
        if frame.is_corrupt:
            self._counters.corrupt += 1
            flags |= Flag.INVALID
            note = "the picture is damaged"
        return [self._sample(t_ns, self._picture(frame), flags, note)]

    def _picture(self, frame: Any) -> NDArray[np.uint8]:
        """RGB, scaled and turned upright. FFmpeg's angle is counter-clockwise, like `rot90`'s."""
        width, height = self._size
        scaled = self._reformatter.reformat(frame, width=width, height=height, format="rgb24")
        rgb: NDArray[np.uint8] = scaled.to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, self._turns)) if self._turns else rgb


class AudioFile(MediaFile):
    """The sound of a file: int16, native rate and channels, blocks of `BLOCK_S`."""

    track = "audio"

    def __init__(
        self,
        path: Path | str,
        *,
        stream: str = "microphone",
        origin: Origin = Origin.RECORDED,
    ) -> None:
        super().__init__(
            path,
            StreamSpec(
                stream,
                Kind.AUDIO,
                0.0,
                (-1, -1),
                "s16",
                (),
                f"{stream}_frame",
                origin,
                Path(path).name,
            ),
        )

    def _begin(self, stream: Any, first: Any) -> None:
        self._rate, self._channels = int(first.sample_rate), len(first.layout.channels)
        if first.format.is_planar and self._channels > _MAX_PLANES:
            raise MediaError(
                f"'{self.path}' claims {self._channels} channels of sound "
                f"(at most {_MAX_PLANES} are read)",
                hint=f"mix them down: ffmpeg -i {self.path.name} -ac 2 sound.wav",
            )
        self._clock = AudioClock(self._rate)
        self._blocks = Blocks(max(1, round(self._rate * BLOCK_S)), self._rate)
        names = tuple(str(channel.name) for channel in first.layout.channels)
        if len(set(names)) < len(names):  # a file without a layout: "NONE", "NONE"
            names = tuple(f"ch{i}" for i in range(self._channels))
        facts = self._facts(stream) | {"sample_format": str(first.format.name)}
        self._spec = replace(
            self._spec,
            rate_hz=float(self._rate),
            shape=(-1, self._channels),
            channels=names,
            extra=facts,
        )

    def _take(self, frame: Any) -> list[Sample]:
        self._bad_run = 0
        channels = len(frame.layout.channels)
        unsafe = frame.format.is_planar and channels > _MAX_PLANES
        if unsafe or frame.sample_rate != self._rate or channels != self._channels:
            self._counters.corrupt += 1  # rate or channels change midway: not the same stream
            self._trouble = "the sound changes its rate or channels midway; the rest was left out"
            return []
        data = to_s16(frame.to_ndarray(), planar=frame.format.is_planar, channels=self._channels)
        stamp = stamp_ns(frame.pts, frame.time_base, self._start)
        t_ns, flags = self._clock.stamp(stamp, len(data))
        return self._as_samples(self._blocks.push(t_ns, data, flags))

    def _finish(self) -> list[Sample]:
        return self._as_samples(self._blocks.flush())

    def _as_samples(self, blocks: list[tuple[int, NDArray[np.int16], Flag]]) -> list[Sample]:
        out = []
        for t_ns, data, flags in blocks:
            clipped = int(data.max()) == 32767 or int(data.min()) == -32768
            note = "the container's time goes back here" if flags & Flag.TIME_JUMP else ""
            out.append(
                self._sample(t_ns, data, flags | (Flag.CLIPPED if clipped else Flag.OK), note)
            )
        return out
