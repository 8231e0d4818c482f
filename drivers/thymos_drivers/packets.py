"""What a camera encoded itself, picture by picture, so that a recording need not do it again."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from thymos.errors import ConfigError
from thymos.samples import Encoded

_HUFFMAN = b"\xff\xc4"
_PENDING = 64
"""Packets that wait for their picture; no decoder holds back more than 16."""
_SPS = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67]")
_IDR = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65]")
_START = b"\0\0\1"


def keep_packets(text: str) -> bool:
    """Read the option `keep`.

    Raises:
        ConfigError: It is neither empty nor `packets`.
    """
    if text not in ("", "packets"):
        raise ConfigError(f"option keep='{text}' is wrong", hint="write keep=packets, or nothing")
    return text == "packets"


class Packets:
    """Finds the packet that a picture was decoded from; knows whether it can be kept.

    JPEG: each packet is a picture. H.264: packets are brought to Annex B, and key frames get the
    parameter sets that a stream may tell only once, at its head; so each piece stands by itself as
    `Encoded` wants it. A film with B-frames, whose pieces do not come in the order of their
    pictures, is not kept.

    Args:
        av: PyAV.
        video: The picture stream of an open container; None keeps nothing.
    """

    def __init__(self, av: Any = None, video: Any = None) -> None:
        self.codec = "" if video is None else str(video.codec_context.name)
        self._pending: deque[Any] = deque(maxlen=_PENDING)
        self._newest: int | None = None
        self._reordered = False
        self._av = av
        self._filter: Any = None
        self._head = b""
        if self.codec == "h264":
            head = bytes(video.codec_context.extradata or b"")
            self._head = head if _START in head[:4] else b""  # else the filter adds it
            self._filter = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", video)

    @property
    def fact(self) -> str:
        """What is kept, for people; empty if nothing was asked for."""
        if not self.codec:
            return ""
        return "packets" if self.codec in ("mjpeg", "h264") else f"no, {self.codec} cannot be kept"

    def see(self, packet: Any) -> None:
        """A packet is about to be decoded."""
        if self.codec == "mjpeg":
            self._pending.clear()
            self._pending.append(packet)
        elif self.codec == "h264" and packet.pts is not None and packet.size:
            if self._newest is not None and packet.pts < self._newest:
                self._reordered = True
            self._newest = packet.pts
            self._pending.append(packet)

    def of(self, frame: Any) -> Any:
        """The packet of a decoded picture, None if it cannot be told."""
        while self._pending:
            packet = self._pending.popleft()
            if self.codec == "mjpeg" or packet.pts == frame.pts:
                return packet
        return None

    def encoded(self, packet: Any) -> Encoded | None:
        """What is kept of a packet; None if nothing."""
        if packet is None or self._reordered:
            return None
        data = bytes(packet)
        if self.codec == "mjpeg":
            return _jpeg(data)
        try:
            data = b"".join(bytes(p) for p in self._filter.filter(self._av.Packet(data)))
        except self._av.FFmpegError:
            return None
        if self._head and _IDR.search(data) and not _SPS.search(data):
            data = self._head + data
        return Encoded("h264", data) if _START in data[:4] else None


def _jpeg(data: bytes) -> Encoded | None:
    """A whole JPEG; None where its tables are left out.

    Some webcams leave out the Huffman tables, as AVI files may: no picture viewer reads that.
    """
    if not data.startswith(b"\xff\xd8") or _HUFFMAN not in data[:2048]:
        return None
    return Encoded("jpeg", data)
