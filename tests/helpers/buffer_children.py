"""What other processes do in the tests of the shared buffer.

Run from a fork server that has imported everything: a process costs some ten milliseconds, so that
hundreds of them can be killed.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.context import ForkServerContext
from typing import Any

import numpy as np

from thymos.buffer import SharedReader, SharedWriter
from thymos.samples import Kind, Sample, StreamSpec, frozen

SHAPE = (48, 64, 3)
SPEC = StreamSpec("camera", Kind.VIDEO, 100.0, SHAPE, "rgb8", ("r", "g", "b"))


def server() -> ForkServerContext:
    """Processes that begin with this module imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["buffer_children", "iceoryx2"])
    return context


def picture(seq: int, spec: StreamSpec = SPEC) -> Sample:
    """All bytes are the low byte of the number: a torn one would show."""
    payload = np.full(spec.shape, seq % 256, np.uint8)
    t_ns = time.monotonic_ns()
    return Sample(spec.name, seq, t_ns, t_ns, frozen(payload))


def is_whole(sample: Sample) -> bool:
    """Whether a picture is what `picture` made."""
    return bool((sample.payload == sample.seq % 256).all())


def write_forever(domain: str, first: int, hz: float) -> None:
    """A writer, until it is killed."""
    with SharedWriter(SPEC, seconds=0.2, domain=domain) as writer:
        seq = first
        while True:
            writer.write(picture(seq))
            seq += 1
            time.sleep(1 / hz)


def read_forever(domain: str, hold: int) -> None:
    """A reader that holds the last samples, until it is killed."""
    held: list[Any] = []
    with SharedReader("camera", domain=domain) as reader:
        while True:
            held += reader.wait(0.1)
            del held[:-hold]


def look_as(uid: int, paths: list[str], domain: str, answer: Any) -> None:
    """As another user: open each file, and listen to the stream in every way there is."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    opened = []
    for path in paths:
        for how in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(path, how))
            except OSError:
                continue
            opened.append(path)
    heard = 0
    with SharedReader("camera", domain=domain) as reader:
        heard += len(reader.wait(0.2))
    answer.send((opened, heard))
