"""What happens to a shared stream when processes die, memory ends and strangers look."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

import buffer_children as children
from thymos.buffer import SharedReader, SharedWriter
from thymos.buffer.place import SHM, Place
from thymos.errors import SharedMemoryError
from thymos.samples import Flag, Sample

KILLS = int(os.environ.get("THYMOS_KILLS", "100"))
"""Writers killed, and readers killed."""
WAIT_S = 60.0
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user, or a mount")


@contextlib.contextmanager
def child(work: Any, *args: Any) -> Iterator[BaseProcess]:
    process = children.server().Process(target=work, args=args, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def files(domain: str) -> list[str]:
    """All that a domain has in /dev/shm."""
    place = Place.of(domain)
    inside = [str(p.relative_to(SHM)) for p in place.root.rglob("*") if not p.is_dir()]
    return sorted([p.name for p in SHM.glob(f"{place.prefix}*")] + inside)


def writer_in_peace(domain: str) -> None:
    """The next start of anything, which cleans up."""
    SharedWriter(children.SPEC, seconds=0.2, domain=domain).close()


def test_writers_are_killed_at_any_moment(domain: str) -> None:
    dice = random.Random(1)
    served = seen = 0
    most = 0
    with SharedReader("camera", domain=domain) as reader:
        for i in range(KILLS):
            with child(children.write_forever, domain, i * 1000, 2000.0):
                got = 0
                # Half of them die while they start, half while they write.
                wanted = dice.randrange(1, 40) if i % 2 else 10**9
                until = time.monotonic() + (WAIT_S if i % 2 else dice.uniform(0.0, 0.15))
                while got < wanted and time.monotonic() < until:
                    for sample in reader.wait(0.01):
                        assert children.is_whole(sample)
                        assert sample.seq // 1000 in (i - 1, i)  # the last of the dead, or his
                        got += sample.seq // 1000 == i
                time.sleep(dice.uniform(0.0, 0.005))
            if i % 2:
                assert got >= wanted, "a writer that started in peace was not heard"
            seen += got
            served += got > 0
            most = max(most, len(files(domain)))
        assert served >= KILLS // 2
        assert reader.restarts >= served - 1
    del sample
    writer_in_peace(domain)
    assert most < 60, "dead writers pile up"
    assert left(domain) == []


def test_readers_are_killed_at_any_moment(domain: str) -> None:
    dice = random.Random(2)
    most = seq = 0
    with (
        SharedWriter(children.SPEC, seconds=0.5, domain=domain) as writer,
        SharedReader("camera", domain=domain) as other,
    ):
        for _ in range(KILLS):
            with child(children.read_forever, domain, dice.choice([1, 5, 100])):
                until = time.monotonic() + dice.uniform(0.0, 0.15)
                while time.monotonic() < until:
                    assert writer.write(children.picture(seq))
                    seq += 1
                    assert [s.seq for s in other.poll()] == [seq - 1]
                    time.sleep(0.001)
            most = max(most, len(files(domain)))
        assert writer.dropped == other.count.lost == 0
    writer_in_peace(domain)
    assert most < 60, "dead readers pile up"
    assert left(domain) == []


def left(domain: str) -> list[str]:
    """What is there though nobody writes or reads, without the few small files that stay."""
    return [f for f in files(domain) if not f.endswith((".global_mgmt", ".lock"))]


def test_a_reader_that_stands_still_disturbs_nobody(domain: str) -> None:
    with (
        SharedWriter(children.SPEC, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as other,
        child(children.read_forever, domain, 5) as still,
    ):
        readers = 0
        for seq in range(2000):
            assert writer.write(children.picture(seq))
            assert [s.seq for s in other.poll()] == [seq]
            if seq == 50:
                readers = wait_for_readers(domain, 2)
                os.kill(still.pid or 0, signal.SIGSTOP)
        os.kill(still.pid or 0, signal.SIGCONT)
        assert readers == 2
        assert writer.dropped == other.count.lost == 0


def wait_for_readers(domain: str, number: int) -> int:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = sum(name.endswith(".connection") for name in files(domain))
        if found >= number:
            return found
        time.sleep(0.01)
    return 0


def test_a_killed_writer_can_start_again_and_its_reader_goes_on(domain: str) -> None:
    with SharedReader("camera", domain=domain) as reader:
        held = []
        for i in range(2):
            with child(children.write_forever, domain, i * 1000, 500.0):
                got: tuple[Any, ...] = ()
                while not got:
                    got = reader.wait(WAIT_S)
                held.append(got[0])
        assert reader.restarts == 1
        assert held[1].flags == Flag.GAP_BEFORE
        assert [s.seq // 1000 for s in held] == [0, 1]
        assert all(children.is_whole(s) for s in held)  # also that of the one that is gone


def test_views_outlive_their_reader_and_their_writer(domain: str) -> None:
    with (
        SharedReader("camera", domain=domain) as witness,
        child(children.write_forever, domain, 0, 2000.0),
    ):
        held: list[Sample] = []
        with SharedReader("camera", domain=domain) as reader:
            while len(held) < 10:
                held += reader.wait(WAIT_S)
        until = held[-1].seq + 1000  # the memory is used many times over
        while (seen := witness.wait(WAIT_S)) and seen[-1].seq < until:
            pass
        assert seen
        assert all(children.is_whole(s) for s in held)
        assert all(s.payload.base is not None for s in held)
    assert all(children.is_whole(s) for s in held)
    writer_in_peace(domain)
    assert all(children.is_whole(s) for s in held)


def test_a_second_writer_is_told_who_the_first_is(domain: str) -> None:
    with SharedReader("camera", domain=domain) as reader:
        with child(children.write_forever, domain, 0, 100.0) as first:
            assert reader.wait(WAIT_S)
            with pytest.raises(SharedMemoryError, match=f"process {first.pid} already"):
                SharedWriter(children.SPEC, domain=domain)
        writer_in_peace(domain)  # the kernel let go of the lock of the dead


def in_small_memory(megabytes: int, program: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a /dev/shm of its own of that size."""
    mount = f'mount -t tmpfs -o size={megabytes}m none /dev/shm && exec "$0" -c "$1"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, sys.executable, PRELUDE + program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(children.__file__).parent)},
    )


PRELUDE = """
import os
from dataclasses import replace
from buffer_children import SPEC, picture
from thymos.buffer import SharedReader, SharedWriter
from thymos.errors import SharedMemoryError
VGA = replace(SPEC, shape=(480, 640, 3))

def refused(what):
    try:
        what()
    except SharedMemoryError as err:
        assert "is full" in str(err) or "No space" in str(err), err
        assert "df -h /dev/shm" in err.hint
        return
    raise SystemExit("it was not refused")

def fill():
    with open("/dev/shm/fill", "ab") as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError:
                pass
"""


@ROOT_ONLY
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.parametrize(
    ("megabytes", "program"),
    [
        (8, "refused(lambda: SharedWriter(VGA, max_bytes=64 << 20, domain='d'))"),
        (0, "fill(); refused(lambda: SharedWriter(SPEC, domain='d', seconds=0.1))"),
        (
            32,
            """
if os.fork() == 0:  # dies with its memory
    dead = SharedWriter(VGA, max_bytes=20 << 20, readers=1, domain='d')
    os.kill(os.getpid(), 9)
os.wait()
writer = SharedWriter(VGA, max_bytes=16 << 20, readers=1, domain='d')
fill()  # the memory of the writer is its own: nobody can take it away
for seq in range(200):
    assert writer.write(picture(seq, VGA))
refused(lambda: SharedReader('camera', domain='d'))
refused(lambda: SharedWriter(SPEC, name='second', domain='d'))
os.truncate('/dev/shm/fill', os.path.getsize('/dev/shm/fill') - (2 << 20))
reader = SharedReader('camera', domain='d')
fill()
for seq in range(200, 400):
    assert writer.write(picture(seq, VGA))
    assert reader.poll()[-1].seq == seq
""",
        ),
    ],
    ids=["too small", "full", "filled later"],
)
def test_a_full_memory_is_an_error_and_not_a_crash(megabytes: int, program: str) -> None:
    pytest.importorskip("iceoryx2")
    done = in_small_memory(megabytes or 1, program)
    if "mount:" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.returncode == 0, f"{done.returncode} {done.stdout}{done.stderr}"


def test_what_died_while_it_started_is_cleared_away(domain: str) -> None:
    place = Place.of(domain)
    writer_in_peace(domain)
    (broken,) = SHM.glob(f"{place.prefix}*.global_mgmt")
    broken.chmod(0o200)  # iceoryx2 makes it so at first; nobody can open a half-made one
    orphan = place.root / "nodes" / "123"
    orphan.mkdir(parents=True, exist_ok=True)
    (orphan / f"{place.prefix}_node.details").touch()
    memory = SHM / f"{place.prefix}dead.data"
    memory.write_bytes(b"face")
    writer_in_peace(domain)
    assert left(domain) == []
    with (
        SharedReader("camera", domain=domain) as reader,
        SharedWriter(children.SPEC, seconds=0.1, domain=domain) as writer,
    ):
        orphan.mkdir(parents=True)
        assert SharedReader("camera", domain=domain).attached  # a start among the living
        assert not orphan.exists()
        while not reader.wait(0.01):
            writer.write(children.picture(1))


def test_whoever_dies_first_of_all_leaves_no_broken_domain(domain: str) -> None:
    dice = random.Random(4)
    for i in range(20):
        fresh = f"{domain}-{i}"
        with child(children.write_forever, fresh, 0, 2000.0):
            deadline = time.monotonic() + WAIT_S
            while not Place.of(fresh).root.exists() and time.monotonic() < deadline:
                pass
            time.sleep(dice.uniform(0.0, 0.004))
        writer_in_peace(fresh)
        assert left(fresh) == []
        shutil.rmtree(Place.of(fresh).root)
        for file in SHM.glob(f"{Place.of(fresh).prefix}*"):
            file.unlink()


def test_nobody_else_may_read(domain: str) -> None:
    with (
        SharedWriter(children.SPEC, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        writer.write(children.picture(1))
        assert reader.poll()
        place = Place.of(domain)
        found = [*SHM.glob(f"{place.prefix}*"), place.home, place.root]
        assert len(found) > 4
        for path in found:
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & 0o077 == 0, f"{path} {mode:o}"


@ROOT_ONLY
def test_another_user_finds_every_door_shut(domain: str) -> None:
    with (
        SharedWriter(children.SPEC, seconds=0.1, domain=domain) as writer,
        SharedReader("camera", domain=domain) as reader,
    ):
        writer.write(children.picture(1))
        assert reader.poll()
        paths = [str(SHM / f) for f in files(domain)]
        context = children.server()
        ours, theirs = context.Pipe()
        with child(children.look_as, 65_534, paths, domain, theirs):
            assert ours.poll(WAIT_S)
            opened, heard = ours.recv()
        assert len(paths) > 8
        assert opened == []
        assert heard == 0
        stranger = Path(f"{SHM}/thymos-65534")
        shutil.rmtree(stranger, ignore_errors=True)
        for file in SHM.glob(f"thymos-65534-{domain}*"):
            file.unlink()


@ROOT_ONLY
def test_a_folder_that_someone_else_made_is_not_trusted(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thymos.buffer.place.SHM", tmp_path)
    place = Place.of(domain)
    place.home.mkdir(mode=0o755)
    with pytest.raises(SharedMemoryError, match="not a folder of this user alone"):
        place.make()
    place.home.chmod(0o700)
    os.chown(place.home, 65_534, 65_534)
    with pytest.raises(SharedMemoryError, match="not a folder of this user alone"):
        place.make()
    place.home.rmdir()
    place.home.symlink_to("/tmp")
    with pytest.raises(SharedMemoryError, match="not a folder of this user alone"):
        place.make()
