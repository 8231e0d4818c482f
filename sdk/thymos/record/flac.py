"""FLAC for sound: every block is a whole FLAC stream of its own, so a lost one harms no other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError, RecordingError

MAX_CHANNELS = 8
MAX_RATE = 65_535
"""Every whole rate up to here can be written into the header of a FLAC frame."""
_MARK = b"fLaC"
_STREAMINFO = bytes([0x80, 0, 0, 34])  # the last block of metadata, 34 bytes (RFC 9639, 8.1)
_MIN_FRAME, _MAX_FRAME = 16, 65_535
_HEAD = len(_MARK) + len(_STREAMINFO) + 34


def fits(rate_hz: float, channels: int) -> bool:
    """Whether FLAC can hold such sound."""
    return 0 < rate_hz <= MAX_RATE and rate_hz == int(rate_hz) and 1 <= channels <= MAX_CHANNELS


def encode_flac(pcm: NDArray[np.int16], rate: int) -> bytes:
    """Compress sound without loss; the same bytes for the same sound.

    Args:
        pcm: int16 [frames, channels], up to 8 channels.
        rate: Frames per second.

    Returns:
        `fLaC`, the stream's parameters and its frames, as in a `.flac` file. Empty for no frames.

    Raises:
        RecordingError: The encoder fails.
        MissingExtraError: PyAV is not installed.
    """
    av = _av()
    if not len(pcm):
        return b""
    channels = pcm.shape[1]
    try:
        coder = av.CodecContext.create("flac", "w")
        coder.sample_rate, coder.format, coder.layout = rate, "s16", _layout(channels)
        step = max(_MIN_FRAME, min(len(pcm), _MAX_FRAME))
        coder.options = {"frame_size": str(step)}
        packets: list[bytes] = []
        for at in range(0, len(pcm), step):
            block = np.ascontiguousarray(pcm[at : at + step]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout=_layout(channels))
            frame.sample_rate, frame.pts = rate, at
            packets += [bytes(p) for p in coder.encode(frame)]
        packets += [bytes(p) for p in coder.encode(None)]
        head = bytes(coder.extradata)
    except av.FFmpegError as err:
        raise RecordingError(f"FLAC: {err}") from err
    return b"".join([_MARK, _STREAMINFO, head, *packets])


def decode_flac(data: bytes, channels: int, frames: int) -> NDArray[np.int16]:
    """Bring a block back, bit for bit; int16 [frames, channels].

    Raises:
        RecordingError: It is damaged (every FLAC frame has a checksum), or not what was announced.
        MissingExtraError: PyAV is not installed.
    """
    av = _av()
    if not data and not frames:
        return np.zeros((0, channels), np.int16)
    if not data.startswith(_MARK) or len(data) <= _HEAD:
        raise RecordingError("a block of sound is not FLAC")
    try:
        coder = av.CodecContext.create("flac", "r")
        coder.extradata = data[_HEAD - 34 : _HEAD]
        coder.options = {"err_detect": "explode+crccheck"}
        parts: list[NDArray[Any]] = []
        for frame in coder.decode(av.Packet(data[_HEAD:])):
            wave = frame.to_ndarray()
            parts.append(wave.reshape(-1, channels) if frame.format.is_packed else wave.T)
    except (av.FFmpegError, ValueError) as err:
        raise RecordingError("a block of FLAC is damaged") from err
    pcm = np.concatenate(parts) if parts else np.zeros((0, channels), np.int16)
    if pcm.shape != (frames, channels) or pcm.dtype != np.int16:
        raise RecordingError(f"a block of FLAC holds {pcm.shape}, not {(frames, channels)}")
    return np.ascontiguousarray(pcm)


def _layout(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels}c")


def _av() -> Any:
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "camera") from err
    return av
