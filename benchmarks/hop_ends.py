"""One end of a hop, as a process of its own: `python -m benchmarks.hop_ends KIND END JSON`.

Both kinds do the same. The writer takes the capture time, then writes a picture, so many times a
second; pictures with negative numbers come first, until the reader has seen one. The reader has
the picture as a numpy array, touches its first and last byte and takes the time. Clocks: one,
`CLOCK_MONOTONIC`. The reader counts what it gets by number and prints what it saw as JSON.
"""

from __future__ import annotations

import array
import json
import os
import select
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from thymos.buffer import SharedReader, SharedWriter
from thymos.samples import NS_PER_S, Kind, Payload, Sample, StreamSpec

SETTLE_S = 0.5  # pictures that are not counted, once the reader is there
SILENCE_S = 2.0  # after so long without a picture the reader gives up
FIRST_S = 20.0
STAMP = struct.Struct("<qq")

Send = Callable[[int, Payload], object]
"""Takes the capture time and writes a picture: number, pixels."""


class Arrivals:
    """What a reader saw."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.latency_us: list[float] = []
        self.done = False
        self.last_s = time.monotonic() + FIRST_S
        self._began = 0.0
        self._greeted = False

    def take(self, seq: int, t_ns: int, pixels: Payload) -> None:
        """Touch a picture and note its age."""
        flat = pixels.reshape(-1)
        touched = int(flat[0]) + int(flat[-1])
        now = time.monotonic_ns()
        self.last_s = time.monotonic()
        if not self._greeted:
            self._greeted = True
            print("here", flush=True)
        if seq < 0 or touched < 0:
            return
        if not self.latency_us:
            self._began = time.process_time()
        self.latency_us.append((now - t_ns) / 1e3)
        self.done = seq == self._count - 1

    @property
    def over(self) -> bool:
        """Whether the last one came, or nothing has come for long."""
        return self.done or time.monotonic() - self.last_s > SILENCE_S

    def tell(self) -> None:
        """Print the result."""
        spent = time.process_time() - self._began
        print(json.dumps({"latency_us": self.latency_us, "cpu_s": spent}), flush=True)


def paced(send: Send, options: dict[str, Any], more: Callable[[], dict[str, float]] = dict) -> None:
    """Send pictures at a steady rate until told to count, then `count` of them; tell the cost."""
    wanted = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        wanted.set()

    threading.Thread(target=listen, daemon=True).start()
    (width, height), rate, count = options["size"], options["rate"], options["count"]
    frames = [np.full((height, width, 3), n, np.uint8) for n in range(4)]  # a camera's own buffers
    period = 1 / rate
    settle = -int(SETTLE_S * rate)
    seq, next_s, began = settle - 1, time.monotonic(), 0.0
    while seq < count:
        next_s += period
        time.sleep(max(0.0, next_s - time.monotonic()))
        if seq == 0:
            began = time.process_time()
        send(seq, frames[seq % 4])
        if seq >= settle or wanted.is_set():
            seq += 1
    cost = {"cpu_s": time.process_time() - began, "steps_us": more()}
    print(json.dumps(cost), flush=True)
    sys.stdin.read()  # stay until the reader has everything


def open_writer(options: dict[str, Any]) -> SharedWriter:
    """Room for 0.2 s and two readers: 100 MB for VGA, 660 MB for 1080p."""
    width, height = options["size"]
    spec = StreamSpec("camera", Kind.VIDEO, options["rate"], (height, width, 3), "rgb8")
    return SharedWriter(spec, name=options["name"], seconds=0.2, readers=2, max_bytes=1 << 30)


def thymos_write(options: dict[str, Any]) -> None:
    with open_writer(options) as writer:

        def send(seq: int, pixels: Payload) -> None:
            t_ns = time.monotonic_ns()
            writer.write(Sample("camera", seq, t_ns, t_ns, pixels))

        paced(send, options)


def thymos_fill(options: dict[str, Any]) -> None:
    """As a driver that decodes straight into the shared memory: filled, stamped, sent."""
    with open_writer(options) as writer:

        def send(seq: int, pixels: Payload) -> None:
            loan = writer.loan(pixels.shape)
            if loan is not None:
                np.copyto(loan.payload, pixels)
                t_ns = time.monotonic_ns()
                loan.send(seq, t_ns, t_ns)

        paced(send, options)


def thymos_parts(options: dict[str, Any]) -> None:
    """As `thymos_write`, and how long each of its steps takes."""
    steps: dict[str, list[int]] = {"chunk": [], "copy": [], "send": []}
    with open_writer(options) as writer:

        def send(seq: int, pixels: Payload) -> None:
            begin = time.monotonic_ns()
            loan = writer.loan(pixels.shape)
            if loan is None:
                return
            chunk = time.monotonic_ns()
            np.copyto(loan.payload, pixels)
            copy = time.monotonic_ns()
            loan.send(seq, copy, copy)
            if seq >= 0:
                times = (chunk - begin, copy - chunk, time.monotonic_ns() - copy)
                for step, ns in zip(steps.values(), times, strict=True):
                    step.append(ns)

        paced(send, options, lambda: {k: float(np.median(v)) / 1e3 for k, v in steps.items()})


def pipe_write(options: dict[str, Any]) -> None:
    """Nothing but a stamp through a pipe: what it takes to wake a process that sleeps."""
    with open(options["name"], "wb", buffering=0) as pipe:  # noqa: PTH123  a pipe, not a file

        def send(seq: int, pixels: Payload) -> None:
            del pixels
            pipe.write(STAMP.pack(seq, time.monotonic_ns()))

        paced(send, options)


def pipe_read(options: dict[str, Any]) -> None:
    seen = Arrivals(options["count"])
    nothing = np.zeros(1, np.uint8)
    with open(options["name"], "rb", buffering=0) as pipe:  # noqa: PTH123
        while not seen.over:
            if select.select([pipe], [], [], 0.1)[0]:
                seen.take(*STAMP.unpack(pipe.read(STAMP.size)), nothing)
    seen.tell()


def thymos_read(options: dict[str, Any]) -> None:
    seen = Arrivals(options["count"])
    with SharedReader(options["name"]) as reader:
        while not seen.over:
            for sample in reader.wait(0.1):
                seen.take(sample.seq, sample.t_ns, sample.payload)
    seen.tell()


def ros_write(options: dict[str, Any]) -> None:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    width, height = options["size"]
    rclpy.init()
    node = rclpy.create_node("bench_writer")
    publisher = node.create_publisher(Image, options["name"], qos_profile_sensor_data)
    message = Image(width=width, height=height, encoding="rgb8", step=3 * width)

    def send(seq: int, pixels: Payload) -> None:
        t_ns = time.monotonic_ns()
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(t_ns, NS_PER_S)
        message.header.frame_id = str(seq)
        data = array.array("B")
        data.frombytes(pixels.data)  # the quickest way rclpy has
        message.data = data
        publisher.publish(message)

    paced(send, options)
    rclpy.shutdown()  # else its shared memory stays behind


def ros_read(options: dict[str, Any]) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node("bench_reader")
    seen = Arrivals(options["count"])

    def take(message: Any) -> None:
        stamp = message.header.stamp
        t_ns = stamp.sec * NS_PER_S + stamp.nanosec
        seen.take(int(message.header.frame_id), t_ns, np.frombuffer(message.data, np.uint8))

    node.create_subscription(Image, options["name"], take, qos_profile_sensor_data)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not seen.over:
        executor.spin_once(timeout_sec=0.1)
    seen.tell()
    rclpy.shutdown()


ENDS = {
    ("thymos", "write"): thymos_write,
    ("thymos", "fill"): thymos_fill,
    ("thymos", "parts"): thymos_parts,
    ("thymos", "read"): thymos_read,
    ("pipe", "write"): pipe_write,
    ("pipe", "read"): pipe_read,
    ("ros", "write"): ros_write,
    ("ros", "read"): ros_read,
}

if __name__ == "__main__":
    ENDS[sys.argv[1], sys.argv[2]](json.loads(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # nothing of a library's own ending is measured, nor may it hang
