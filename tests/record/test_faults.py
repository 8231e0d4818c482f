"""Crashes, full disks, slow disks, bad paths."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fault_table import fault_row
from thymos.config import RecordConfig
from thymos.errors import MediaError, RecordingError
from thymos.record import Recorder, open_recording
from thymos.record.mcapfile import McapFile
from thymos.samples import EndOfStream, Kind, Sample, StreamSpec
from witness import Recorded

NOSE = StreamSpec("enose", Kind.GAS, 10.0, (3,), "ohm", ("a", "b", "c"))
CAMERA = StreamSpec("camera", Kind.VIDEO, 30.0, (120, 160, 3), "rgb8")


def gas(i: int) -> Sample:
    return Sample("enose", i, i * 10**8, i * 10**8, np.array([1.0, 2.0, float(i)]))


def noise(i: int) -> Sample:
    picture = np.random.default_rng(i).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    return Sample("camera", i, i * 33_000_000, i * 33_000_000, picture)


def count(path: Path, stream: str = "enose") -> int:
    n = 0
    with open_recording(path).sources[stream] as source:
        while True:
            try:
                source.read()
            except EndOfStream:
                return n
            n += 1


def test_a_file_torn_at_any_place_is_read_up_to_there(
    record: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 10_000)
    whole = record().read_bytes()
    last = 0
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.999, 1.0):
        torn = tmp_path / "torn.mcap.part"
        torn.write_bytes(whole[: int(len(whole) * share)])
        try:
            recording = open_recording(torn)
        except RecordingError:
            assert share == 0.1
            continue
        found = count(torn, "microphone") if "microphone" in recording.sources else 0
        assert found >= last
        assert (share == 1.0) == (recording.notes == [])
        last = found
    assert last == 100


def test_a_damaged_chunk_ends_the_stream_with_a_reason(
    record: Callable[..., Path], tmp_path: Path
) -> None:
    data = bytearray(record().read_bytes())
    data[len(data) // 3 : len(data) // 3 + 200] = bytes(200)
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(data)
    try:
        recording = open_recording(bad)
    except RecordingError:
        return  # the damage hides every topic: said so
    for source in recording.sources.values():
        with source:
            try:
                while True:
                    source.read()
            except EndOfStream:
                pass


def test_kill_9_loses_no_more_than_what_was_not_a_second_old(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    script = f"""
import sys, time, numpy as np
from thymos.record import Recorder
from thymos.samples import Kind, Sample, StreamSpec
recorder = Recorder({str(path)!r})
recorder.on_stream(StreamSpec("enose", Kind.GAS, 10.0, (3,), "ohm", ("a", "b", "c")))
for i in range(10**6):
    recorder.on_sample(Sample("enose", i, i * 10**7, i * 10**7, np.array([1.0, 2.0, i])))
    if i % 10 == 0:
        print(i, flush=True)
    time.sleep(0.01)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    sent_at = {}
    for line in process.stdout:
        sent_at[int(line)] = time.monotonic()
        if sent_at[int(line)] - sent_at[0] > 3.5:
            break
    process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    process.wait()
    process.stdout.close()
    found = count(path.with_name("killed.mcap.part"))
    old = [i for i, at in sent_at.items() if at < killed - 2.5]  # a second, and a loaded machine
    assert found > max(old)
    assert not path.exists()


def test_a_quiet_recording_is_on_the_disk_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(McapFile, "FLUSH_S", 0.05)
    with Recorder(tmp_path / "quiet.mcap") as recorder:
        recorder.on_stream(NOSE)
        recorder.on_sample(gas(0))
        deadline = time.monotonic() + 20
        found = 0
        while not found and time.monotonic() < deadline:
            time.sleep(0.05)
            try:
                found = count(tmp_path / "quiet.mcap.part")
            except (RecordingError, MediaError):
                continue
        assert found == 1


class FullDisk:
    """A real file that takes so many bytes and then says ENOSPC, half way through a write."""

    def __init__(self, file: Any, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data: memoryview) -> int:
        if self._room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._file.write(data[: self._room])
        self._room -= taken
        return int(taken)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_full_disk_stops_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 20_000)
    told: list[str] = []
    recorder = Recorder(tmp_path / "full.mcap", on_note=told.append)
    recorder._file._out._file = FullDisk(recorder._file._out._file, 150_000)
    recorder.on_stream(CAMERA)
    for i in range(60):
        recorder.on_sample(noise(i))
    recorder.close()
    assert "No space left" in told[0]
    assert "can be read from" in told[1]
    assert recorder.path.name == "full.mcap.part"
    assert not (tmp_path / "full.mcap").exists()
    kept = count(recorder.path, "camera")
    assert 3 < kept < 60
    assert recorder.dropped["camera"] == 60 - kept
    assert told[2] == f"the recording lacks samples, as it had stopped: {60 - kept} of camera"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


def test_a_really_full_disk(tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 20_000)
    seen = Recorded()
    path, config = tiny_disk / "full.mcap", RecordConfig(min_free_bytes=0)
    recorder = Recorder(path, config, on_note=seen.on_note)
    recorder.on_stream(CAMERA)
    for i in range(100):
        recorder.on_sample(noise(i))
    recorder.close()
    assert any("No space left" in n for n in recorder.notes)
    kept = count(recorder.path, "camera")
    assert kept > 3
    what = f"disk full: {kept} of 100 pictures are in the file, which can be read"
    lost, reported = 100 - kept, recorder.dropped["camera"]
    fault_row("a disk of 400 kB", what, seen, family="Recording", lost=lost, reported=reported)
    assert lost == reported


def test_the_size_limit_ends_the_recording_whole(tmp_path: Path) -> None:
    path = tmp_path / "limit.mcap"
    with Recorder(path, RecordConfig(max_bytes=3 << 20)) as recorder:
        recorder.on_stream(CAMERA)
        for i in range(300):
            recorder.on_sample(noise(i))
    assert path.stat().st_size < 3 << 20
    assert "limit of 3 MiB" in recorder.notes[0]
    recording = open_recording(path)
    assert recording.notes == []
    kept = count(path, "camera")
    assert 20 < kept < 300
    assert recorder.dropped["camera"] == 300 - kept


def test_too_little_free_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="must stay free"):
        Recorder(tmp_path / "x.mcap", RecordConfig(min_free_bytes=1 << 60))
    assert list(tmp_path.iterdir()) == []


def test_free_space_that_runs_out_ends_the_recording_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(McapFile, "FLUSH_S", 0.0)
    path = tmp_path / "x.mcap"
    with Recorder(path) as recorder:
        recorder.on_stream(NOSE)
        recorder.on_sample(gas(0))
        deadline = time.monotonic() + 20
        while not recorder.written and time.monotonic() < deadline:
            time.sleep(0.01)
        recorder._file._min_free = 1 << 60
        recorder.on_sample(gas(1))
        recorder.on_sample(gas(2))
    assert "must stay" in recorder.notes[0]
    assert count(path) == 3 - recorder.dropped["enose"] >= 1


@pytest.mark.parametrize("where", ["missing/x.mcap", "file/x.mcap", "folder"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RecordingError) as caught:
        Recorder(tmp_path / where)
    assert caught.value.hint


def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "locked"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    with pytest.raises(RecordingError, match=r"cannot record|only 0 MiB"):
        Recorder(folder / "x.mcap")


def test_a_disk_that_is_too_slow_loses_counted_samples_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "QUEUE_ITEMS", 10)
    monkeypatch.setattr(Recorder, "WAIT_S", 0.0)
    gate = threading.Event()
    recorder = Recorder(tmp_path / "slow.mcap")
    real = recorder._write

    def stuck(item: Any) -> None:
        gate.wait(20)
        real(item)

    monkeypatch.setattr(recorder, "_write", stuck)
    recorder.on_stream(NOSE)
    for i in range(50):
        recorder.on_sample(gas(i))
    gate.set()
    recorder.close()
    assert recorder.dropped["enose"] > 30
    assert count(recorder.path) + recorder.dropped["enose"] == 50
    assert any("cannot keep up" in n for n in recorder.notes)


def test_one_sample_that_cannot_be_written_does_not_end_the_recording(tmp_path: Path) -> None:
    with Recorder(tmp_path / "odd.mcap") as recorder:
        recorder.on_stream(CAMERA)
        recorder.on_sample(Sample("camera", 0, 0, 0, np.zeros((2, 2), np.complex64)))
        recorder.on_sample(noise(1))
    assert recorder.dropped == {"camera": 1}
    assert count(recorder.path, "camera") == 1


def test_closing_twice_and_writing_after_it_do_no_harm(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x.mcap")
    recorder.on_stream(NOSE)
    recorder.on_sample(gas(0))
    recorder.close()
    recorder.on_sample(gas(1))
    recorder.close()
    assert count(recorder.path) == 1
