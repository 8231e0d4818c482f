"""H.264 for pictures: one frame a message, each decodable without knowing what comes after it.

Written as `foxglove_msgs/CompressedVideo` demands it: Annex B, no B-frames, SPS and PPS with every
key frame. Field names of the bit stream are those of ITU-T H.264, sections 7.3.2.1 and 7.3.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError, RecordingError
from thymos.samples import NS_PER_S

CRF = 20
"""Constant rate factor of x264: 18 can hardly be told from the original, 23 is its default."""
PRESET = "superfast"
KEY_NS = NS_PER_S
"""Capture time between key frames: where reading can begin, and how long a damage lasts."""
_BT601 = 6  # AVCOL_*_SMPTE170M
_LIMITED = 1  # AVCOL_RANGE_MPEG
_SLICE, _IDR, _SPS = 1, 5, 7
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


class H264Encoder:
    """Encodes the pictures of one stream; the same pictures and times give the same bytes.

    One thread: the bytes then do not depend on the number of cores, and a frame leaves the encoder
    in the call that brought it.

    Args:
        width: Even number of pixels.
        height: Even number of pixels.

    Raises:
        MissingExtraError: PyAV is not installed, or its FFmpeg has no x264.
    """

    def __init__(self, width: int, height: int) -> None:
        av = _av()
        self._av = av
        try:
            coder = av.CodecContext.create("libx264", "w")
        except av.FFmpegError as err:
            raise MissingExtraError("av (with libx264)", "camera") from err
        coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
        coder.time_base, coder.framerate = Fraction(1, 30), 30
        coder.thread_count = 1
        coder.colorspace = coder.color_primaries = coder.color_trc = _BT601
        coder.color_range = _LIMITED
        coder.options = {
            "preset": PRESET,
            "tune": "zerolatency",
            "crf": str(CRF),
            "forced-idr": "1",
            "x264-params": "keyint=infinite:scenecut=0:bframes=0",
        }
        self.size = (width, height)
        self._coder = coder
        self._scaler = av.video.reformatter.VideoReformatter()
        self._count = 0
        self._key_at: int | None = None

    def encode(self, rgb: NDArray[Any], t_ns: int) -> bytes:
        """Encode one picture.

        Args:
            rgb: uint8 [height, width, 3].
            t_ns: Capture time; decides which pictures become key frames.

        Raises:
            RecordingError: The encoder fails.
        """
        key = self._key_at is None or abs(t_ns - self._key_at) >= KEY_NS
        try:
            frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = self._scaler.reformat(frame, format="yuv420p", dst_colorspace="itu601")
            frame.pts = self._count
            types = self._av.video.frame.PictureType
            frame.pict_type = types.I if key else types.NONE
            packets = self._coder.encode(frame)
        except self._av.FFmpegError as err:
            self._key_at = None
            raise RecordingError(f"H.264: {err}") from err
        if len(packets) != 1:
            raise RecordingError(f"H.264: {len(packets)} packets for one picture")
        self._count += 1
        self._key_at = t_ns if key else self._key_at
        return bytes(packets[0])

    def restart(self) -> None:
        """The next picture is a key frame: what came before it in the file was not made here."""
        self._key_at = None


class H264Decoder:
    """Decodes one message after the other; gives a whole picture or says why not.

    It begins at a key frame; after a damaged or missing picture it waits for the next one. One
    thread: the same messages give the same pixels. FFmpeg's concealment stays on, as only then it
    marks pictures that it had to conceal (59 of 60 random damages, 30 of 60 without; in MCAP the
    checksum of the chunk finds them all before).

    Raises:
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self) -> None:
        self._av = _av()
        self._coder = self._av.CodecContext.create("h264", "r")
        self._coder.thread_count = 1
        self._coder.flags |= self._av.codec.context.Flags.low_delay
        self._scaler = self._av.video.reformatter.VideoReformatter()
        self._order = FrameOrder()
        self._count = 0
        self._whole = False  # whether what the next picture refers to was decoded

    def decode(self, data: bytes) -> NDArray[Any]:
        """Decode the picture of one message to RGB, uint8 [height, width, 3].

        Raises:
            RecordingError: It is damaged, or refers to a picture that is missing or damaged.
        """
        return self.to_rgb(self.picture(data))

    def to_rgb(self, picture: Any) -> NDArray[Any]:
        """Bring what `picture` gave to RGB; may run beside the next `picture`.

        Raises:
            RecordingError: Its pixels are of a kind that cannot be converted.
        """
        try:
            rgb: NDArray[Any] = self._scaler.reformat(picture, format="rgb24").to_ndarray()
        except (self._av.FFmpegError, ValueError) as err:
            raise RecordingError("a picture of H.264 cannot be brought to RGB") from err
        return rgb

    def picture(self, data: bytes) -> Any:
        """Decode the picture of one message, as a frame of FFmpeg.

        Raises:
            RecordingError: As `decode`.
        """
        follows, key = self._order.see(data)
        if not key and not (self._whole and follows):
            self._whole = False
            raise RecordingError("a picture before it is missing: waiting for a key frame")
        if not self._whole:
            self._coder.flush_buffers()
        self._whole = False
        self._count += 1
        packet = self._av.Packet(data)
        packet.pts = self._count
        try:
            frames = [f for f in self._coder.decode(packet) if f.pts == self._count]
            if not frames or frames[0].is_corrupt:
                raise RecordingError("a message of H.264 holds no whole picture (or is a B-frame)")
        except self._av.FFmpegError as err:
            raise RecordingError("a message of H.264 is damaged") from err
        self._whole = True
        return frames[0]


class FrameOrder:
    """Tells from `frame_num` whether a picture follows the one before it.

    FFmpeg fills the hole that a lost picture leaves with an older one and says nothing, so that the
    pictures up to the next key frame are wrong (measured: 33 dB become 22 dB).
    """

    def __init__(self) -> None:
        self._bits = 0  # of frame_num; 0: unknown, nothing can be told
        self._next: int | None = None

    def see(self, data: bytes) -> tuple[bool, bool]:
        """Look at the next message.

        Returns:
            Whether it follows the one before it as far as can be told, and whether it is a key
            frame.
        """
        follows = key = False
        for kind, reference, body in _nals(data):
            if kind == _SPS:
                self._bits = _frame_num_bits(body)
            if kind not in (_SLICE, _IDR):
                continue
            number = _frame_num(body, self._bits)
            key = kind == _IDR
            follows = key or number is None or self._next is None or number == self._next
            if number is None:
                self._next = None
            else:  # a picture nobody refers to does not advance the number (7.4.3)
                self._next = (number + (1 if reference else 0)) % (1 << self._bits)
            break  # the other slices belong to the same picture
        return follows, key


@dataclass(slots=True)
class _Bits:
    """Reads bits, most significant first."""

    data: bytes
    at: int = 0

    def u(self, n: int) -> int:
        value = 0
        for _ in range(n):
            value = value << 1 | self.data[self.at >> 3] >> (7 - (self.at & 7)) & 1
            self.at += 1
        return value

    def ue(self) -> int:
        """Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)


def _nals(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, importance and first bytes of each unit (Annex B), up to the first slice."""
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 4:
        head = data[at + 3]
        yield head & 31, head >> 5 & 3, data[at + 4 : at + 68].replace(b"\0\0\3", b"\0\0")
        at = data.find(b"\0\0\1", at + 4)


def _frame_num_bits(sps: bytes) -> int:
    """`log2_max_frame_num` of a sequence parameter set; 0 if it cannot be told."""
    bits = _Bits(sps)
    try:
        profile = bits.u(8)
        bits.u(16)
        bits.ue()
        if profile in _HIGH_PROFILES:
            if bits.ue() == 3:
                bits.u(1)
            bits.ue()
            bits.ue()
            bits.u(1)
            if bits.u(1):
                return 0  # own scaling lists: rare, not followed
        return bits.ue() + 4
    except IndexError:
        return 0


def _frame_num(slice_header: bytes, n: int) -> int | None:
    bits = _Bits(slice_header)
    try:
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.ue()
        return bits.u(n) if n else None
    except IndexError:
        return None


def _av() -> Any:
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "camera") from err
    return av
