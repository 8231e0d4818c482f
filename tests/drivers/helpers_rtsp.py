"""A network camera in this process: RTSP (RFC 2326), H.264 by RTP in the same connection."""

from __future__ import annotations

import re
import socketserver
import struct
import threading
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
)
RATE = 25
FRAMES = 50


def film(frames: int) -> list[list[bytes]]:
    """Frames of 64x48, each one brighter than the one before; NAL units of each."""
    coder: Any = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = 64, 48, "yuv420p"
    coder.time_base = Fraction(1, RATE)
    coder.options = {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "keyint=5"}
    out = []
    for n in range(frames):
        grey = np.full((48, 64, 3), 20 + 4 * n, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
        frame.pts, frame.time_base = n, Fraction(1, RATE)
        data = b"".join(bytes(p) for p in coder.encode(frame))
        out.append([unit for unit in re.split(b"\x00\x00\x00?\x01", data) if unit])
    return out


class RtspCamera(socketserver.ThreadingTCPServer):
    """Shows a film once to everybody who asks, then hangs up. Stamps have an epoch of their own."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.film = film(FRAMES)
        self.sent_ns: list[int] = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    server: RtspCamera

    def handle(self) -> None:
        while line := self.rfile.readline().decode():
            method = line.split(" ")[0]
            head = {}
            while (field := self.rfile.readline().decode().strip()) != "":
                key, _, value = field.partition(":")
                head[key.lower()] = value.strip()
            body, more = "", ""
            if method == "OPTIONS":
                more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body, more = SDP, "Content-Type: application/sdp\r\n"
            elif method == "SETUP":
                more = f"Session: 7\r\nTransport: {head['transport']}\r\n"
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {head['cseq']}\r\n{more}"
            self.wfile.write(f"{answer}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            if method == "PLAY":
                self.play()
                return

    def play(self) -> None:
        number, began = 0, time.monotonic()
        try:
            for n, units in enumerate(self.server.film):
                time.sleep(max(0.0, began + n / RATE - time.monotonic()))
                self.server.sent_ns.append(time.monotonic_ns())
                for i, unit in enumerate(units):
                    last = i == len(units) - 1
                    stamp = 123_456_789 + n * 90_000 // RATE
                    rtp = struct.pack(">BBHII", 0x80, 96 | last << 7, number, stamp, 0xCAFE) + unit
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(rtp)) + rtp)
                    number += 1
        except OSError:
            return  # the viewer has left
