"""Sizes of shared memory, and the head of a chunk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thymos.buffer.layout import HEAD, Head, Layout
from thymos.errors import ConfigError
from thymos.samples import Kind, StreamSpec

VGA = StreamSpec("camera", Kind.VIDEO, 30.0, (480, 640, 3), "rgb8")
MB = 1 << 20
I64 = st.integers(-(2**63), 2**63 - 1)


@given(
    st.builds(
        Head,
        number=st.integers(0, 2**64 - 1),
        seq=I64,
        t_ns=I64,
        t_recv_ns=I64,
        flags=st.integers(0, 63),
        shape=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4).map(tuple),
        note_bytes=st.integers(0, 256),
    )
)
def test_a_head_is_read_as_it_was_written(head: Head) -> None:
    assert len(head.pack()) == HEAD.size == 64
    assert Head.unpack(head.pack()) == head


def test_the_bound_in_seconds_holds_when_there_is_memory() -> None:
    layout = Layout.of(VGA, seconds=1.0, max_bytes=1024 * MB, readers=2)
    assert (layout.depth, layout.payload_bytes) == (30, 921_600)
    # the past, for each reader a queue and what it holds, and three on loan
    assert layout.chunks == 30 + 2 * (30 + 32) + 3


@given(
    seconds=st.floats(0.01, 100.0),
    max_bytes=st.integers(32 * MB, 4096 * MB),
    readers=st.integers(1, 4),
)
def test_the_bound_in_bytes_holds_always(seconds: float, max_bytes: int, readers: int) -> None:
    layout = Layout.of(VGA, seconds=seconds, max_bytes=max_bytes, readers=readers)
    assert layout.nbytes <= max_bytes
    assert 2 <= layout.depth <= max(2, np.ceil(seconds * 30))
    deeper = Layout(layout.payload_bytes, layout.depth + 1, readers)
    assert layout.depth >= seconds * 30 or deeper.nbytes > max_bytes  # no memory is left unused


def test_too_little_memory_is_refused_with_the_least_that_will_do() -> None:
    with pytest.raises(ConfigError, match="too few") as caught:
        Layout.of(VGA, seconds=1.0, max_bytes=MB, readers=4)
    least = int(caught.value.hint.split()[3])
    assert Layout.of(VGA, seconds=1.0, max_bytes=least, readers=4).depth == 2
    with pytest.raises(ConfigError):
        Layout.of(VGA, seconds=1.0, max_bytes=least - 1, readers=4)


@pytest.mark.parametrize(
    ("shape", "block", "frames"), [((320, 2), 0, 320), ((-1, 2), 0, 1600), ((-1, 2), 4000, 4000)]
)
def test_the_largest_block_of_sound(shape: tuple[int, ...], block: int, frames: int) -> None:
    spec = StreamSpec("microphone", Kind.AUDIO, 16_000.0, shape, "s16", ("l", "r"))
    layout = Layout.of(spec, seconds=1.0, max_bytes=64 * MB, readers=2, block=block)
    assert layout.payload_bytes == frames * 2 * 2
    assert layout.depth == (50 if shape[0] == 320 else 100)


@pytest.mark.parametrize("shape", [(), (-1, 640, 3), (1, 2, 3, 4, 5)])
def test_a_shape_without_a_size_is_refused(shape: tuple[int, ...]) -> None:
    spec = StreamSpec("camera", Kind.VIDEO, 30.0, shape, "rgb8")
    with pytest.raises(ConfigError):
        Layout.of(spec, seconds=1.0, max_bytes=64 * MB, readers=2)


@pytest.mark.parametrize("wrong", [{"seconds": 0.0}, {"max_bytes": 0}, {"readers": 0}])
def test_no_room_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Layout.of(VGA, **{"seconds": 1.0, "max_bytes": 64 * MB, "readers": 2, **wrong})  # type: ignore[arg-type]
