"""The H.264 of one stream in a recording: the camera's own where it can be used, else made here."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from thymos.record.h264 import FrameOrder, H264Encoder
from thymos.samples import Sample


class Film:
    """Gives one piece of H.264 for each picture, such that all can be decoded one after the other.

    A camera's piece is of use only if all pieces since its last key frame lie before it. Where one
    is missing (a queue was full, a packet was lost on the network, recording began in between) the
    pictures up to the camera's next key frame are encoded here, the first of them as a key frame:
    no picture is lost by it.

    Attributes:
        kept: Pieces of the camera.
        recoded: Pictures that came with a piece of the camera which was of no use.
    """

    def __init__(self) -> None:
        self.kept = self.recoded = 0
        self._order = FrameOrder()
        self._whole = False  # the camera's pieces since its last key frame all lie in the recording
        self._next_seq: int | None = None
        self._coder: H264Encoder | None = None

    def piece(self, sample: Sample, rgb: NDArray[Any]) -> bytes:
        """The piece for one picture.

        Args:
            sample: In the order in which they are written.
            rgb: Its pixels, uint8 [height, width, 3].

        Raises:
            RecordingError: The encoder fails.
            MissingExtraError: PyAV is not installed.
        """
        was_whole = self._whole
        if (own := self._own(sample)) is not None:
            self.kept += 1
            return own
        height, width = rgb.shape[:2]
        if self._coder is None or self._coder.size != (width, height):  # it changed its mode
            self._coder = H264Encoder(width, height)
        elif was_whole:
            self._coder.restart()
        return self._coder.encode(rgb, sample.t_ns)

    def _own(self, sample: Sample) -> bytes | None:
        """The camera's piece, None if there is none of use."""
        expected, self._next_seq = self._next_seq, sample.seq + 1
        kept = sample.encoded
        if kept is None or kept.format != "h264":
            self._whole = False
            return None
        follows, key = self._order.see(kept.data)
        self._whole = key or (self._whole and follows and sample.seq == expected)
        if self._whole:
            return kept.data
        self.recoded += 1
        return None
