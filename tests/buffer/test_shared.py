"""A stream in shared memory: what a reader sees of what was written."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thymos.align.window import audio_span
from thymos.buffer import Buffer, BufferReader, BufferWriter, Ring, SharedReader, SharedWriter, iox
from thymos.buffer.place import SHM, Place
from thymos.errors import ConfigError, SharedMemoryError
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec, frozen

S = 1_000_000_000
MS = 1_000_000
CAMERA = StreamSpec(
    "camera",
    Kind.VIDEO,
    100.0,
    (12, 16, 3),
    "rgb8",
    ("r", "g", "b"),
    "lens",
    Origin.SYNTHESISED,
    "a test",
    {"codec": "none"},
)
SOUND = StreamSpec("microphone", Kind.AUDIO, 16_000.0, (-1, 2), "s16", ("l", "r"))
NOSE = StreamSpec("enose", Kind.GAS, 10.0, (3,), "ohm", ("a", "b", "c"))


def picture(seq: int, t_ns: int | None = None, note: str = "") -> Sample:
    payload = frozen(np.full(CAMERA.shape, seq % 256, np.uint8))
    t_ns = seq * 10 * MS if t_ns is None else t_ns
    return Sample("camera", seq, t_ns, t_ns + MS, payload, Flag.OK, note)


def same(a: Sample, b: Sample) -> bool:
    return replace(a, payload=b.payload) == b and bool(
        np.array_equal(a.payload, b.payload, equal_nan=a.payload.dtype.kind == "f")
        and a.payload.dtype == b.payload.dtype
    )


def test_both_backends_have_one_interface(domain: str) -> None:
    assert isinstance(Ring(CAMERA, 1.0, 1000), Buffer)
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        assert isinstance(writer, BufferWriter)
        with SharedReader("camera", domain=domain) as reader:
            assert isinstance(reader, BufferReader)


@pytest.mark.parametrize(
    ("spec", "payload"),
    [
        (CAMERA, np.arange(576, dtype=np.uint8).reshape(12, 16, 3)),
        (CAMERA, np.arange(1152, dtype=np.uint8).reshape(12, 32, 3)[:, ::2]),
        (SOUND, np.arange(-200, 200, dtype=np.int16).reshape(200, 2)),
        (SOUND, np.zeros((0, 2), np.int16)),
        (NOSE, np.array([1.5, np.nan, -np.inf])),
    ],
    ids=["video", "strided", "sound", "empty block", "gas"],
)
def test_a_sample_comes_out_as_it_went_in(
    domain: str, spec: StreamSpec, payload: np.ndarray
) -> None:
    sample = Sample(spec.name, 7, -3, 2**62, frozen(payload), Flag.CLIPPED | Flag.WARMUP, "wärmt")
    with (
        SharedWriter(spec, seconds=1.0, domain=domain) as writer,
        SharedReader(spec.name, domain=domain) as reader,
    ):
        assert reader.spec == spec
        assert reader.latest() is None
        assert writer.write(sample)
        (got,) = reader.poll()
        assert same(got, sample)
        assert reader.latest() is got
        assert reader.poll() == ()


def test_a_payload_is_a_view_that_nobody_can_write_to(domain: str) -> None:
    with (
        SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        writer.write(picture(1))
        (got,) = reader.poll()
        assert reader.count.copied == 0
        with pytest.raises(ValueError, match="read-only"):
            got.payload[0, 0, 0] = 9
        with pytest.raises(ValueError, match="WRITEABLE"):
            got.payload.flags.writeable = True


def test_two_readers_see_the_same_memory(domain: str) -> None:
    with (
        SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as a,
        SharedReader("camera", domain=domain) as b,
    ):
        loan = writer.loan(CAMERA.shape)
        assert loan is not None
        loan.payload[...] = 5
        writable = loan.payload
        loan.send(1, 1, 1)
        (one,), (two,) = a.poll(), b.poll()
        assert one.payload.max() == two.payload.max() == 5
        assert not writable.flags.writeable  # what was sent is not the driver's any more
        # Three mappings of one memory: what is written through one is seen in the others.
        raw = np.asarray(memoryview(writable).cast("B"))
        assert raw.nbytes == one.payload.nbytes


def test_a_view_lives_as_long_as_anybody_holds_it(domain: str) -> None:
    writer = SharedWriter(CAMERA, seconds=0.05, domain=domain)
    reader = SharedReader("camera", domain=domain)
    depth = writer.layout.depth
    writer.write(picture(1))
    corner = reader.poll()[0].payload[2:4, ::2, 1]  # a view of a view: the sample itself is gone
    for seq in range(2, 20 * depth):  # the memory would have been used again long ago
        writer.write(picture(seq))
        reader.poll()
    reader.close()
    for seq in range(20 * writer.layout.chunks):  # also when the reader has gone and the writer not
        writer.write(picture(seq + 2))
    assert (corner == 1).all()
    writer.close()
    gc.collect()
    assert (corner == 1).all()
    assert list(SHM.glob(f"{Place.of(domain).prefix}*"))
    del corner
    gc.collect()
    left = [f for f in SHM.glob(f"{Place.of(domain).prefix}*") if f.suffix != ".global_mgmt"]
    assert left == []  # now it was given back


def test_who_holds_too_many_gets_copies_and_disturbs_nobody(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.05, domain=domain) as writer:
        hoarder, other = (SharedReader("camera", domain=domain) for _ in range(2))
        hoard: list[Sample] = []
        for seq in range(60):
            assert writer.write(picture(seq))
            hoard += hoarder.poll()
            other.poll()
        assert [s.seq for s in hoard] == list(range(60))
        assert all((s.payload == s.seq).all() for s in hoard)
        assert hoarder.count.copied == 60 - (writer.layout.depth + 1)
        assert not hoard[-1].payload.flags.writeable
        assert (other.count.copied, other.count.lost, writer.dropped) == (0, 0, 0)
        hoarder.close()
        other.close()


def test_the_worst_that_readers_can_do_leaves_the_writer_a_chunk(domain: str) -> None:
    """All hold as much as they may, each of another time, and none reads on."""
    with SharedWriter(CAMERA, seconds=0.05, domain=domain, readers=3) as writer:
        depth = writer.layout.depth
        readers = [SharedReader("camera", domain=domain) for _ in range(3)]
        hoard: list[Sample] = []
        seq = 0
        for reader in readers:
            mine: list[Sample] = []
            while len(mine) < depth + 2:  # the last one is a copy
                assert writer.write(picture(seq))
                seq += 1
                mine += reader.poll()
            hoard += mine
            for _ in range(3 * depth):  # meanwhile his queue fills and overflows
                assert writer.write(picture(seq))
                seq += 1
        loan = writer.loan(CAMERA.shape)
        assert loan is not None
        for _ in range(5 * writer.layout.chunks):
            assert writer.write(picture(seq))
            seq += 1
        assert writer.dropped == 0
        assert all((s.payload == s.seq % 256).all() for s in hoard)
        for reader in readers:
            reader.close()


def test_what_a_slow_reader_lost_is_counted_and_flagged(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        slow, quick = (SharedReader("camera", domain=domain) for _ in range(2))
        writer.write(picture(0))
        assert [s.seq for s in slow.poll()] == [s.seq for s in quick.poll()] == [0]
        for seq in range(1, 31):
            writer.write(picture(seq))
            quick.poll()
        got = slow.poll()
        assert [s.seq for s in got] == list(range(21, 31))  # the newest ten
        assert slow.count.lost == 20
        assert [Flag.GAP_BEFORE in s.flags for s in got] == [True] + 9 * [False]
        assert quick.count.lost == 0
        assert all((s.payload == s.seq).all() for s in got)
        slow.close()
        quick.close()


def test_who_asks_for_the_past_and_polls_too_seldom_is_told_so(domain: str) -> None:
    with (
        SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        for seq in range(25):
            writer.write(picture(seq))
            assert reader.latest().seq == seq  # type: ignore[union-attr]
        assert reader.count.lost == 0
        got = reader.poll()
        assert [s.seq for s in got] == list(range(15, 25))
        assert reader.count.lost == 15
        assert got[0].flags == Flag.GAP_BEFORE
        writer.write(picture(25))
        assert not any(s.flags for s in reader.poll())


def test_a_reader_that_comes_late_is_given_the_past(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        for seq in range(25):
            writer.write(picture(seq))
        with SharedReader("camera", domain=domain) as reader:
            assert reader.poll() == ()  # handed over with the next sample
            writer.write(picture(25))
            got = reader.poll()
            assert [s.seq for s in got] == list(range(16, 26))
            assert reader.count.lost == 0
            assert not any(s.flags for s in got)
            assert [s.seq for s in reader.window(200 * MS, 230 * MS)] == [20, 21, 22]


def test_a_reader_may_be_there_first(domain: str) -> None:
    with SharedReader("camera", domain=domain) as reader:
        assert not reader.attached
        assert reader.wait(0.05) == ()
        with pytest.raises(SharedMemoryError, match="nobody writes 'camera'"):
            _ = reader.spec
        with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
            threading.Timer(0.2, lambda: writer.write(picture(3))).start()
            (got,) = reader.wait(20.0)
            assert got.seq == 3
            assert reader.spec == CAMERA


def test_a_reader_finds_the_next_writer_also_with_another_format(domain: str) -> None:
    with SharedReader("camera", domain=domain) as reader:
        with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
            while not (got := reader.wait(0.1)):
                writer.write(picture(9))
            old = got[0]
        small = replace(CAMERA, shape=(6, 8, 3), rate_hz=50.0)
        with SharedWriter(small, seconds=0.5, domain=domain) as writer:
            payload = np.ones(small.shape, np.uint8)
            while not (got := reader.wait(0.1)):
                writer.write(Sample("camera", 0, 5, 5, payload))
            assert got[0].payload.shape == (6, 8, 3)
            assert got[0].flags == Flag.GAP_BEFORE
            assert reader.spec == small
            assert reader.restarts == 1
            assert (old.payload == 9).all()


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    ask=st.tuples(st.integers(-5, 60), st.integers(-5, 60)),
)
def test_both_backends_answer_alike(domain: str, times: list[int], ask: tuple[int, int]) -> None:
    ring = Ring(CAMERA, 1000.0, 1 << 30)
    with (
        SharedWriter(CAMERA, seconds=0.3, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        for seq, t in enumerate(times):
            writer.write(picture(seq, t))
            ring.write(picture(seq, t))
        assert reader.latest().seq == ring.latest().seq  # type: ignore[union-attr]
        assert [s.seq for s in reader.window(*ask)] == [s.seq for s in ring.window(*ask)]
        mine, other = reader.before(ask[0]), ring.before(ask[0])
        assert (mine and mine.seq) == (other and other.seq)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    blocks=st.lists(st.integers(1, 900), min_size=1, max_size=12),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_sound_is_whole_across_blocks_of_any_size(
    domain: str, blocks: list[int], cut: tuple[float, float]
) -> None:
    total = sum(blocks)
    wave = np.arange(total * 2, dtype=np.int16).reshape(total, 2)
    with (
        SharedWriter(SOUND, seconds=1.0, domain=domain, block=320) as writer,
        SharedReader("microphone", domain=domain) as reader,
    ):
        at = 0
        for seq, n in enumerate(blocks):
            t_ns = at * S // 16_000
            writer.write(Sample("microphone", seq, t_ns, t_ns, wave[at : at + n]))
            at += n
        a, b = sorted(round(c * total) for c in cut)
        t0, t1 = a * S // 16_000, b * S // 16_000
        sound, have = audio_span(reader.window(t0, t1), reader.spec, t0, t1)
    assert have.all()
    np.testing.assert_array_equal(sound, wave[a : a + len(sound)])
    assert abs(len(sound) - (b - a)) <= 1


def test_two_writers_are_refused_and_the_other_one_is_named(domain: str) -> None:
    import os

    with SharedWriter(CAMERA, seconds=0.1, domain=domain):
        with pytest.raises(SharedMemoryError, match=f"process {os.getpid()} already writes"):
            SharedWriter(CAMERA, seconds=0.1, domain=domain)
        with SharedWriter(CAMERA, seconds=0.1, domain=domain, name="camera.left"):
            pass  # another name is another stream
    with SharedWriter(CAMERA, seconds=0.1, domain=domain):
        pass  # the first one is gone


def test_domains_do_not_mix(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        with SharedReader("camera", domain=f"{domain}x") as stranger:
            writer.write(picture(1))
            assert not stranger.attached
            assert stranger.wait(0.15) == ()
        with SharedWriter(CAMERA, seconds=0.1, domain=f"{domain}x"):
            pass
    import shutil

    shutil.rmtree(Place.of(f"{domain}x").root)
    for file in SHM.glob(f"{Place.of(domain + 'x').prefix}*"):
        file.unlink()


def test_the_domain_is_that_of_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    assert Place.of().domain == "42"
    monkeypatch.delenv("ROS_DOMAIN_ID")
    assert Place.of().domain == "0"
    for wrong in ("", "a/b", "..", "x" * 30):
        with pytest.raises(ConfigError):
            Place.of(wrong)


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b", "-x", "x" * 101])
def test_a_name_that_could_leave_its_folder_is_refused(domain: str, name: str) -> None:
    with pytest.raises(ConfigError):
        SharedReader(name, domain=domain)
    with pytest.raises(ConfigError):
        SharedWriter(CAMERA, seconds=0.1, domain=domain, name=name)


def test_what_does_not_fit_is_refused_and_the_next_is_taken(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        with pytest.raises(SharedMemoryError, match="does not fit"):
            writer.write(Sample("camera", 0, 0, 0, np.zeros((13, 16, 3), np.uint8)))
        with pytest.raises(SharedMemoryError, match="takes uint8"):
            writer.write(Sample("camera", 0, 0, 0, np.zeros((12, 16, 3), np.float32)))
        with SharedReader("camera", domain=domain) as reader:
            assert writer.write(picture(1))
            assert [s.seq for s in reader.poll()] == [1]


def test_loans_are_bounded_and_given_back(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain) as writer:
        loans = [writer.loan(CAMERA.shape) for _ in range(4)]
        assert loans[0] is not None
        assert None not in loans[:3]
        assert loans[3] is None
        assert writer.dropped == 1
        loans[0].send(0, 0, 0)
        with pytest.raises(SharedMemoryError, match="sent before"):
            loans[0].send(0, 0, 0)
        loans.clear()
        gc.collect()
        assert writer.write(picture(1))


def test_the_loan_that_is_ready_is_the_one_asked_for(domain: str) -> None:
    sound = StreamSpec("microphone", Kind.AUDIO, 16000.0, (-1, 1), "s16", ("ch0",))
    with (
        SharedWriter(sound, domain=domain) as writer,
        SharedReader("microphone", domain=domain) as ear,
    ):
        for n, frames in enumerate((160, 160, 320, 1, 320)):  # after each, one like it is ready
            payload = np.full((frames, 1), n, np.int16)
            assert writer.write(Sample("microphone", n, n * S, n * S, payload))
        heard = ear.wait(5.0)
        assert [(len(s.payload), int(s.payload[0, 0])) for s in heard] == [
            (160, 0), (160, 1), (320, 2), (1, 3), (320, 4),
        ]  # fmt: skip
        assert writer.dropped == 0


def test_a_closed_end_says_so(domain: str) -> None:
    writer = SharedWriter(CAMERA, seconds=0.1, domain=domain)
    reader = SharedReader("camera", domain=domain)
    loan = writer.loan(CAMERA.shape)
    assert loan is not None
    for _ in range(2):
        writer.close()
        reader.close()
    with pytest.raises(SharedMemoryError, match="closed"):
        writer.write(picture(1))
    with pytest.raises(SharedMemoryError, match="closed"):
        loan.send(0, 0, 0)
    assert reader.latest() is None
    assert reader.wait(1.0) == reader.poll() == reader.window(0, S) == ()


def test_as_many_readers_as_were_allowed(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain, readers=1) as writer:
        first = SharedReader("camera", domain=domain)
        second = SharedReader("camera", domain=domain)
        with pytest.raises(SharedMemoryError, match="cannot read the shared stream") as caught:
            second.wait(20.0)
        assert "up to 1 readers" in caught.value.hint
        first.close()
        for seq in range(100):
            writer.write(picture(seq))
            if second.wait(0.1):
                break
        assert second.attached
        second.close()


def test_nonsense_in_the_announcement_is_no_writer(domain: str) -> None:
    with SharedWriter(CAMERA, seconds=0.1, domain=domain):
        file = Place.of(domain).announcement("camera")
        for text in ("", "[]", "{", '{"format": 1}', '{"format": 2}', '{"format": 1, "spec": 3}'):
            file.write_text(text)
            with SharedReader("camera", domain=domain) as reader:
                assert not reader.attached


def test_many_threads_may_read(domain: str) -> None:
    taken: list[int] = []
    with (
        SharedWriter(CAMERA, seconds=0.5, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        done = threading.Event()

        def take() -> None:
            while not done.is_set():
                taken.extend(s.seq for s in reader.wait(0.01))
                reader.window(0, S)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for seq in range(400):
            writer.write(picture(seq))
            if seq % 20 == 0:
                while len(taken) < seq - 20:
                    pass
        while len(taken) < 400:
            pass
        done.set()
        for thread in threads:
            thread.join()
    assert sorted(taken) == list(range(400))


def test_without_the_library_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    from thymos.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "iceoryx2", None)
    iox.library.cache_clear()
    with pytest.raises(MissingExtraError) as caught:
        SharedReader("camera", domain="none")
    assert caught.value.hint == "pip install 'thymos[shm]'"
    with pytest.raises(MissingExtraError):
        SharedWriter(CAMERA, domain="none")
