"""A few small pictures for the report: one camera frame a second, as JPEG, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from thymos.contract import WindowReport
from thymos.errors import MissingExtraError
from thymos.events import Observer
from thymos.samples import NS_PER_S, Flag, Kind, Payload, Sample, StreamSpec

WIDTH = 240
MAX_PICTURES = 300


class PictureCollector(Observer):
    """Keeps one small frame of each second of the first camera (only if you add it to a run).

    Pictures of people go into a report only if somebody asked for them: a pipeline has no such
    collector by itself.
    """

    def __init__(self) -> None:
        self._stream = ""
        self._frames: dict[int, tuple[int, bytes]] = {}

    def on_stream(self, spec: StreamSpec) -> None:
        """Take the first video stream."""
        if spec.kind is Kind.VIDEO and not self._stream:
            self._stream = spec.name

    def on_sample(self, sample: Sample) -> None:
        """Keep the first good frame of each second."""
        second = sample.t_ns // NS_PER_S
        if sample.stream != self._stream or sample.flags & Flag.INVALID:
            return
        if second not in self._frames and len(self._frames) < MAX_PICTURES:
            self._frames[second] = (sample.t_ns, jpeg(sample.payload))

    def pictures(self, reports: Sequence[WindowReport]) -> dict[str, bytes]:
        """The kept frame nearest to the middle of each window, by window id."""
        chosen: dict[str, bytes] = {}
        for window in (report.window for report in reports):
            middle = (window.t0_ns + window.t1_ns) // 2
            inside = [f for f in self._frames.values() if window.t0_ns <= f[0] < window.t1_ns]
            if inside:
                chosen[window.id] = min(inside, key=lambda f: (abs(f[0] - middle), f[0]))[1]
        return chosen


def jpeg(image: Payload, width: int = WIDTH) -> bytes:
    """Encode an RGB image [height, width, 3] as a JPEG at most `width` pixels wide.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as err:
        raise MissingExtraError("av", "camera") from err
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    scale = min(1.0, width / frame.width)
    wide, high = (max(2, round(n * scale) // 2 * 2) for n in (frame.width, frame.height))
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = wide, high, "yuvj420p"
    codec.time_base = Fraction(1, 1)
    small = frame.reformat(width=wide, height=high, format="yuvj420p")
    packets = [*codec.encode(small), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
