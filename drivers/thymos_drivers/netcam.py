"""Network cameras through PyAV: RTSP, and motion JPEG over HTTP.

    rtsp://192.168.1.20:554/stream1?transport=udp
    http://192.168.1.20/video.mjpg

A network camera says nothing of the time between light and network. RTSP's own stamps are brought
to the robot clock by the fastest arrivals (see `ClockModel`), which takes the jitter out and leaves
a constant delay; HTTP has no stamps at all. Every frame is therefore flagged `TIME_ESTIMATED`;
`thymos calibrate av-sync` measures what is left.

Name and password of the address are used and never shown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from thymos.clock import ClockModel
from thymos.errors import ConfigError, DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.samples import NS_PER_S, Flag, Health, Sample
from thymos_drivers.base import number
from thymos_drivers.capture import Capture
from thymos_drivers.packets import keep_packets

_PROTOCOLS = "rtsp,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto"
"""No `file`: what a network answers may not name files of this machine."""
_USER = re.compile(r"//[^/@]*@")


def open_network(
    scheme: str,
    rest: str,
    *,
    stream: str = "camera",
    transport: str = "tcp",
    timeout: str = "5",
    keep: str = "",
    **query: str,
) -> NetworkCamera:
    """Make the source of `rtsp://…`, `http://…` or `https://…`.

    Options that Thymos does not know belong to the camera and stay in its address.

    Raises:
        ConfigError: An option is wrong.
    """
    if not rest.startswith("//") or len(rest) < 3:
        raise ConfigError(f"'{scheme}:{rest}' has no host", hint=f"{scheme}://192.168.1.20/stream")
    if transport not in ("tcp", "udp"):
        raise ConfigError(f"option transport='{transport}' is wrong", hint="tcp or udp")
    url = f"{scheme}:{rest}" + (f"?{urlencode(query)}" if query else "")
    options = {"protocol_whitelist": _PROTOCOLS, "fflags": "nobuffer"}
    if scheme == "rtsp":
        options["rtsp_transport"] = transport
    return NetworkCamera(
        url,
        stream=stream,
        options=options,
        timeout_s=number("timeout", timeout, low=0.1, high=300),
        keep=keep_packets(keep),
    )


open_rtsp = partial(open_network, "rtsp")
open_http = partial(open_network, "http")
open_https = partial(open_network, "https")


class NetworkCamera(Capture):
    """A camera behind an address.

    Args:
        url: The address, perhaps with name and password.
        stream: Stream name.
        options: Of FFmpeg's protocols and demuxer.
        timeout_s: Without an answer, or a picture, for so long the connection counts as lost.
        keep: See `Capture`.
    """

    remedy = "check the network and the camera's power"

    def __init__(
        self,
        url: str,
        *,
        stream: str = "camera",
        options: dict[str, str] | None = None,
        timeout_s: float = 5.0,
        keep: bool = False,
    ) -> None:
        super().__init__(_USER.sub("//", url.partition("?")[0]), stream=stream, keep=keep)
        self._url = url
        self._options = options or {}
        self._timeout_s = timeout_s
        self._clock: ClockModel | None = None

    def _connect(self, av: Any) -> tuple[Any, Any]:
        self._stamped = self._url.startswith("rtsp")
        self._clock = ClockModel(tick_ns=1.0)
        timeout = (self._timeout_s, self._timeout_s)
        # Without a picture first the size is not known: FFmpeg waits for it, within the timeout.
        try:
            container = av.open(self._url, options=self._options, timeout=timeout)
        except (OSError, ValueError, av.error.FFmpegError) as err:
            raise self._open_error(err) from None  # FFmpeg's own words hold the password
        if not container.streams.video or not container.streams.video[0].codec_context.width:
            container.close()
            raise DeviceError(
                f"'{self._spec.device}' sends no picture",
                hint="check the path of its address; a player such as ffplay shows what it sends",
            )
        return container, container.streams.video[0]

    def _open_error(self, err: BaseException) -> DeviceError:
        name = self._spec.device
        why = str(getattr(err, "strerror", None) or type(err).__name__)
        if type(err).__name__ in ("HTTPUnauthorizedError", "HTTPForbiddenError"):
            return DeviceError(
                f"'{name}' wants another name or password: {why}",
                hint="write rtsp://name:password@host/path",
            )
        if "Immediate exit" in why or type(err).__name__ == "ExitError":
            why = f"no answer within {self._timeout_s:g} s"
        return DeviceNotFoundError(
            f"there is no camera at '{name}': {why}", hint="check address, network and power"
        )

    def _stamp(self, frame: Any, now_ns: int) -> int | None:
        if not self._stamped or frame.pts is None or self._clock is None:
            return None
        return self._clock.observe(int(frame.pts * frame.time_base * NS_PER_S), now_ns).t_ns

    def _sample(self, frame: Any, packet: Any) -> Sample | None:
        sample = super()._sample(frame, packet)
        if sample is None:
            return None
        note = "" if sample.note.startswith("no capture stamp") else sample.note
        return replace(sample, flags=sample.flags | Flag.TIME_ESTIMATED, note=note)

    def _facts(self) -> dict[str, str]:
        return {"time": "sender's clock by fastest arrival" if self._stamped else "arrival"}

    def _gone(self, why: str) -> DeviceLostError:
        name = self._spec.device
        if "Immediate exit" in why:
            why = f"nothing for {self._timeout_s:g} s"
        why = _USER.sub("//", why).replace(self._url, name)
        self._say(Health.LOST, f"'{name}' went away: {why}", self.remedy)
        return DeviceLostError(f"the camera '{name}' went away: {why}", hint=self.remedy)
