"""From messages of known types to samples: pictures, sound and gas."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import FrameError, RecordingError
from thymos.record.decode_gas import gas_array, gas_sensor_array, smell
from thymos.record.encode import _pillow
from thymos.record.flac import decode_flac
from thymos.record.h264 import H264Decoder
from thymos.record.messages import AudioFormat, Decoded, stamp_of, words
from thymos.samples import NS_PER_S, Flag, Kind
from thymos.smell.frame import Nose
from thymos.smell.message import FRAME

SHARED_BYTES = 1 << 18
"""Raw pictures of this size on are views of the chunk they came in."""

MAX_PIXELS = 36_000_000
"""A coded picture that claims more (8K has 33 million) is not unpacked: it may hold ten bytes."""

Decoder = Callable[[Any, AudioFormat], Decoded]


def _image(m: Any, _: AudioFormat) -> Decoded:
    data = np.asarray(m.data)
    if data.nbytes < SHARED_BYTES:
        data = data.copy()  # a small picture must not hold the chunk it came in
    if str(m.encoding) in _DEPTH:
        depth = _millimetres(data, m, *_DEPTH[str(m.encoding)])
        return Decoded(depth, stamp_of(m.header), m.header.frame_id, "mm")
    rgb = raw_picture(data, int(m.height), int(m.width), int(m.step), str(m.encoding))
    return Decoded(rgb, stamp_of(m.header), m.header.frame_id, "rgb8")


def _compressed_image(m: Any, _: AudioFormat) -> Decoded:
    if str(m.format).lower() in ("h264", "h.264"):  # as some camera drivers send it
        data = np.asarray(m.data)
        return Decoded(data, stamp_of(m.header), m.header.frame_id, "rgb8", film=True)
    return Decoded(_picture(m), stamp_of(m.header), m.header.frame_id, "rgb8")


def _foxglove_image(m: Any, _: AudioFormat) -> Decoded:
    t_ns = int(m.timestamp.sec) * NS_PER_S + int(m.timestamp.nanosec)
    return Decoded(_picture(m), t_ns or None, str(m.frame_id), "rgb8")


def _foxglove_video(m: Any, _: AudioFormat) -> Decoded:
    if str(m.format).lower() != "h264":
        raise RecordingError(f"video of format '{m.format}' is not read")
    t_ns = int(m.timestamp.sec) * NS_PER_S + int(m.timestamp.nanosec)
    data = np.frombuffer(m.data, np.uint8)
    return Decoded(data, t_ns or None, str(m.frame_id), "rgb8", film=True)


def _picture(m: Any) -> NDArray[Any]:
    """Decode JPEG, PNG, WebP … (`format` tells the camera's order of colours, not the file's)."""
    try:
        with _pillow().open(io.BytesIO(m.data)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"{picture.width}x{picture.height} pixels")
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except Exception as err:  # decoders raise what they like on damaged files
        raise RecordingError(f"a picture of format '{m.format}' cannot be decoded") from err


_DEPTH = {"16UC1": ("u2", 1.0), "32FC1": ("f4", 1000.0)}
"""Depth as REP-118 wants it: millimetres, or metres."""


def _millimetres(data: NDArray[np.uint8], m: Any, layout: str, scale: float) -> NDArray[np.uint16]:
    """Depth, uint16 [height, width]; rows may be padded.

    What is not measured (0, NaN, infinite) or farther than 65.5 m is 0.
    """
    height, width, step = int(m.height), int(m.width), int(m.step)
    row = width * int(layout[1])
    if height <= 0 or width <= 0 or step < row or len(data) < step * height:
        raise RecordingError(f"a depth picture of {width}x{height} has {len(data)} bytes")
    rows = np.ascontiguousarray(data[: step * height].reshape(height, step)[:, :row])
    found = rows.view((">" if m.is_bigendian else "<") + layout)
    if layout == "u2":
        return found.astype(np.uint16)
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.rint(found.astype(np.float64) * scale)
        return np.where((far >= 0) & (far < 2**16), far, 0).astype(np.uint16)


def raw_picture(
    data: NDArray[np.uint8], height: int, width: int, step: int, encoding: str
) -> NDArray[Any]:
    """Bring the pixels of a sensor_msgs/Image to RGB, uint8 [height, width, 3].

    A picture that is rgb8 already is a view of `data`.

    Raises:
        RecordingError: The encoding is not one of rgb8, bgr8, rgba8, bgra8, mono8, 8UC1, 8UC3,
            yuv422_yuy2 (yuyv), yuv422 (uyvy), or there are too few bytes.
    """
    name = encoding.lower()
    depth = {"rgb8": 3, "bgr8": 3, "8uc3": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8uc1": 1}
    depth |= {"yuv422_yuy2": 2, "yuyv": 2, "yuv422": 2, "uyvy": 2}
    if name not in depth:
        raise RecordingError(f"pictures of encoding '{encoding}' are not read")
    width_bytes = width * depth[name]
    step = step or width_bytes
    if step < width_bytes or len(data) < step * height or height <= 0 or width <= 0:
        raise RecordingError(f"a picture of {width}x{height} {encoding} has only {len(data)} bytes")
    rows = data[: step * height].reshape(height, step)[:, :width_bytes]
    if depth[name] == 2:
        return _yuv422(rows, first=0 if name in ("yuv422_yuy2", "yuyv") else 1)
    pixels = rows.reshape(height, width, depth[name])
    if depth[name] == 1:
        return np.repeat(pixels, 3, axis=2)
    backwards = name.startswith(("bgr", "8uc3"))
    return np.ascontiguousarray(pixels[:, :, 2::-1] if backwards else pixels[:, :, :3])


def _yuv422(rows: NDArray[np.uint8], first: int) -> NDArray[Any]:
    """Packed 4:2:2 to RGB (ITU-R BT.601, video range); luma at bytes first, first + 2."""
    quads = rows[:, : rows.shape[1] // 4 * 4].reshape(rows.shape[0], -1, 4).astype(np.float32)
    luma = (quads[:, :, [first, first + 2]] - 16.0) * 1.164
    u = quads[:, :, [1 - first]] - 128.0
    v = quads[:, :, [3 - first]] - 128.0
    rgb = np.stack([luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u], axis=-1)
    pixels: NDArray[Any] = np.clip(rgb + 0.5, 0, 255).astype(np.uint8)
    return pixels.reshape(rows.shape[0], -1, 3)


def _pcm(data: bytes, layout: str, channels: int) -> NDArray[np.int16]:
    """Interleaved PCM of any layout to int16 [frames, channels].

    Layouts, little endian: `s8 s16 s24 s24_32 s32 u8 u16 u24 u24_32 u32 f32 f64`.

    Raises:
        RecordingError: The layout is unknown.
    """
    if channels < 1:
        raise RecordingError(f"sound of {channels} channels")
    if layout in ("f32", "f64"):
        wave = np.frombuffer(data, "<f4" if layout == "f32" else "<f8", count=-1)
        flat = np.clip(np.rint(np.nan_to_num(wave) * 32767.0), -32768, 32767).astype(np.int16)
    elif layout in ("s24", "u24"):
        raw = np.frombuffer(data, np.uint8)[: len(data) // 3 * 3].reshape(-1, 3)
        flat = (raw[:, 1].astype(np.uint16) | (raw[:, 2].astype(np.uint16) << 8)).view(np.int16)
    else:
        spec = {"s8": ("i1", -8), "s16": ("<i2", 0), "s24_32": ("<i4", 8), "s32": ("<i4", 16)}
        spec |= {"u8": ("i1", -8), "u16": ("<i2", 0), "u24_32": ("<i4", 8), "u32": ("<i4", 16)}
        if layout not in spec:
            raise RecordingError(f"sound of layout '{layout}' is not read")
        kind, shift = spec[layout]
        raw_ints = np.frombuffer(data, kind)
        flat = ((raw_ints.astype(np.int16) << -shift) if shift < 0 else (raw_ints >> shift)).astype(
            np.int16
        )
    if layout.startswith("u"):
        flat = (flat.view(np.uint16) ^ 0x8000).view(np.int16)
    frames = len(flat) // channels
    return np.ascontiguousarray(flat[: frames * channels].reshape(frames, channels))


_AUDIO_UTILS = {
    f"{sign}_{width}": f"{sign[0]}{layout}"
    for sign in ("signed", "unsigned")
    for width, layout in (
        ("8", "8"),
        ("16", "16"),
        ("24", "24"),
        ("padded_24", "24_32"),
        ("32", "32"),
    )
} | {"float": "f32", "double": "f64"}


def _thymos_audio(m: Any, _: AudioFormat) -> Decoded:
    if m.encoding == "flac":
        pcm = decode_flac(bytes(m.data), int(m.channels), int(m.frame_count))
    elif m.encoding == "s16le":
        pcm = _pcm(bytes(m.data), "s16", int(m.channels))
    else:
        raise RecordingError(f"sound of encoding '{m.encoding}' is not read")
    return Decoded(
        pcm,
        stamp_of(m.header),
        m.header.frame_id,
        "s16",
        float(m.sample_rate),
        seq=int(m.sequence),
        flags=Flag(int(m.flags) & 63),
        note=str(m.note),
    )


def _audio_utils(m: Any, _: AudioFormat) -> Decoded:
    layout = _AUDIO_UTILS.get(str(m.format), str(m.format))
    pcm = _pcm(bytes(m.data), layout, int(m.channel_count))
    return Decoded(pcm, stamp_of(m.header), m.header.frame_id, "s16", float(m.sampling_frequency))


def _raw_audio(m: Any, _: AudioFormat) -> Decoded:
    if m.format != "pcm-s16":
        raise RecordingError(f"sound of format '{m.format}' is not read")
    t_ns = int(m.timestamp.sec) * NS_PER_S + int(m.timestamp.nanosec)
    pcm = _pcm(bytes(m.data), "s16", int(m.number_of_channels))
    return Decoded(pcm, t_ns or None, "", "s16", float(m.sample_rate))


def _plain_audio(m: Any, known: AudioFormat) -> Decoded:
    """audio_common_msgs/AudioData of ros-drivers: bytes, format told elsewhere."""
    if not hasattr(m, "data"):
        return _arrays(m, known.rate_hz, known.channels, None, "")
    return Decoded(_pcm(bytes(m.data), "s16", known.channels), None, "", "s16", known.rate_hz)


def _stamped_audio(m: Any, known: AudioFormat) -> Decoded:
    """AudioDataStamped (ros-drivers) or AudioStamped (mgonzs13): told apart by their fields."""
    t_ns, frame = stamp_of(m.header), m.header.frame_id
    if hasattr(m.audio, "audio_data"):
        info = m.audio.info
        return _arrays(m.audio.audio_data, float(info.rate), int(info.channels), t_ns, frame)
    pcm = _pcm(bytes(m.audio.data), "s16", known.channels)
    return Decoded(pcm, t_ns, frame, "s16", known.rate_hz)


def _arrays(data: Any, rate: float, channels: int, t_ns: int | None, frame: str) -> Decoded:
    """Whichever array of mgonzs13's AudioData is filled."""
    layouts = {"int16": "s16", "float32": "f32", "int32": "s32", "int8": "s8", "uint8": "u8"}
    for name, layout in layouts.items():
        values = np.asarray(getattr(data, f"{name}_data"))
        if values.size:
            return Decoded(_pcm(values.tobytes(), layout, channels), t_ns, frame, "s16", rate)
    return Decoded(np.zeros((0, max(1, channels)), np.int16), t_ns, frame, "s16", rate)


READS: dict[str, tuple[Kind, Decoder]] = {
    "sensor_msgs/msg/Image": (Kind.VIDEO, _image),
    "sensor_msgs/msg/CompressedImage": (Kind.VIDEO, _compressed_image),
    "foxglove_msgs/msg/CompressedImage": (Kind.VIDEO, _foxglove_image),
    "foxglove_msgs/msg/CompressedVideo": (Kind.VIDEO, _foxglove_video),
    "thymos_msgs/msg/AudioFrame": (Kind.AUDIO, _thymos_audio),
    "audio_utils_msgs/msg/AudioFrame": (Kind.AUDIO, _audio_utils),
    "audio_utils/msg/AudioFrame": (Kind.AUDIO, _audio_utils),
    "foxglove_msgs/msg/RawAudio": (Kind.AUDIO, _raw_audio),
    "audio_common_msgs/msg/AudioData": (Kind.AUDIO, _plain_audio),
    "audio_common_msgs/msg/AudioDataStamped": (Kind.AUDIO, _stamped_audio),
    "audio_common_msgs/msg/AudioStamped": (Kind.AUDIO, _stamped_audio),
    FRAME: (Kind.GAS, lambda m, sound: smell({}, m, sound)),  # `MessageReader` knows its nose
    "thymos_msgs/msg/GasArray": (Kind.GAS, gas_array),  # of Thymos before SmellFrame
    "olfaction_msgs/msg/GasSensorArray": (Kind.GAS, gas_sensor_array),
}
"""Message types that become streams."""


_DAMAGE = (FrameError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class MessageReader:
    """Decodes the messages of one topic in order; remembers what a film needs to be remembered.

    Args:
        msgtype: One of `READS`.
        sound: Format of sound whose messages do not tell it.
        noses: Of the recording, by `SmellFrame.info_id`.
    """

    def __init__(
        self, msgtype: str, sound: AudioFormat, noses: Mapping[int, Nose] | None = None
    ) -> None:
        self._decode = READS[msgtype][1]
        if msgtype == FRAME:
            self._decode = partial(smell, dict(noses or {}))
        self._sound = sound
        self._jpeg = msgtype.endswith("CompressedImage")
        self._film: H264Decoder | None = None

    @property
    def workers(self) -> int:
        """How many threads may call `read`, after the first message: a film only in order."""
        return 1 if self._film is not None else 2 if self._jpeg else 0

    def read(self, message: Any) -> Decoded:
        """Decode one message; `finish` gives the result.

        Raises:
            RecordingError: It is damaged, of an unknown format, or refers to one that is lost.
        """
        try:
            found = self._decode(message, self._sound)
        except (
            FrameError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as err:
            raise RecordingError(f"a message is damaged: {words(err)}") from err
        if not found.film:
            return found
        self._film = self._film or H264Decoder()
        return replace(found, payload=self._film.picture(found.payload.tobytes()))

    def finish(self, found: Decoded) -> Decoded:
        """Second step: a frame of a film becomes RGB. In order too, but beside the first."""
        if not found.film or self._film is None:
            return found
        return replace(found, payload=self._film.to_rgb(found.payload), film=False)
