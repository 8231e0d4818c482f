"""`thymos recover`: real crashes, torn and damaged files, and what it refuses."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from reading import read_all
from thymos.errors import MediaError, RecordingError
from thymos.record import open_recording
from thymos.record.mcapfile import McapFile
from thymos.record.recover import default_output, recover

Record = Callable[..., Path]
S = 1_000_000_000

# Records at up to 100 Hz, tells on stdout what was taken in, and dies at a random instant by a
# signal that nobody can catch.
CRASH = """
import os, signal, sys, threading, time
import numpy as np
from thymos.config import RecordConfig
from thymos.record import Recorder
from thymos.samples import Kind, Sample, StreamSpec
path, video, audio, after = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
recorder = Recorder(path, RecordConfig(video=video, audio=audio))
recorder.on_stream(StreamSpec("camera", Kind.VIDEO, 30.0, (48, 64, 3), "rgb8"))
recorder.on_stream(StreamSpec("microphone", Kind.AUDIO, 16_000.0, (-1, 1), "s16"))
rng = np.random.default_rng(1)
picture = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
def die():
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=die, daemon=True).start()
begin, i = time.monotonic_ns(), 0
while True:
    t = time.monotonic_ns()
    recorder.on_sample(Sample("camera", i, t, t, np.roll(picture, i, 1)))
    wave = np.full((320, 1), i % 30_000, np.int16)
    recorder.on_sample(Sample("microphone", i, t, t, wave))
    os.write(1, f"{i} {t}\\n".encode())
    i += 1
    time.sleep(0.01)
"""


def crash(path: Path, video: str, audio: str, after: float) -> dict[int, int]:
    """Record in a process of its own that is killed; returns when each sample was captured."""
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), video, audio, str(after)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -9, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.count(" ") == 1]
    return {int(i): int(t) for i, t in lines}


@pytest.mark.parametrize(
    ("video", "audio"), [("raw", "pcm"), ("mjpeg", "flac"), ("h264", "flac"), ("h264", "pcm")]
)
def test_kill_9_loses_at_most_a_second_and_recover_makes_it_whole(
    tmp_path: Path, video: str, audio: str
) -> None:
    after = random.uniform(1.2, 2.4)
    taken = crash(tmp_path / "a.mcap", video, audio, after)
    part = tmp_path / "a.mcap.part"
    before = part.read_bytes()

    plain = {n: read_all(s) for n, s in open_recording(part).sources.items()}
    found = recover(part)
    assert part.read_bytes() == before
    assert found.path == tmp_path / "a.mcap"
    assert any("not on the disk yet" in line for line in found.lost)

    whole = open_recording(found.path)
    assert whole.notes == []
    last = taken[max(taken)]
    for name, source in whole.sources.items():
        samples = read_all(source)
        assert [s.seq for s in samples] == list(range(len(samples)))  # from the beginning, no holes
        assert all(s.t_ns == taken[s.seq] for s in samples if s.seq in taken)
        assert [(s.seq, s.payload.tobytes()) for s in samples] == [
            (s.seq, s.payload.tobytes()) for s in plain[name]
        ]
        assert last - samples[-1].t_ns < S, (name, after)
        if name == "microphone":
            assert all(set(np.unique(s.payload)) == {s.seq % 30_000} for s in samples)
    with found.path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert len(list(reader.iter_messages())) == found.messages


def test_a_file_cut_off_anywhere_keeps_every_whole_chunk(
    record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 10_000)
    whole = record()
    data = whole.read_bytes()
    everything = recover(whole).messages
    last = -1
    for cut in range(20_000, len(data), len(data) // 40):
        torn = tmp_path / "torn.mcap"
        torn.write_bytes(data[:cut])
        out = tmp_path / f"{cut}.mcap"
        found = recover(torn, out)
        assert found.messages >= last
        assert found.lost or found.messages == everything  # cut within the index
        last = found.messages
        recording = open_recording(out)
        assert recording.notes == []
        assert sum(len(read_all(s)) for s in recording.sources.values()) <= found.messages
        assert recover(out).path is None  # nothing to repair
        out.unlink()
    assert last > 150


def test_damage_in_the_middle_costs_one_chunk(
    record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: list[Any]
) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 10_000)
    data = bytearray(record().read_bytes())
    data[len(data) // 2] ^= 0xFF
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(data)
    plain = open_recording(bad)
    total = sum(len(read_all(s)) for s in plain.sources.values())
    assert len(samples) - 30 < total < len(samples)
    assert any(s.counters.corrupt == 1 for s in plain.sources.values())
    found = recover(bad)
    assert found.path == tmp_path / "bad.recovered.mcap"
    assert len(found.lost) == 1
    assert "s of recording from" in found.lost[0]
    again = open_recording(found.path)
    assert sum(len(read_all(s)) for s in again.sources.values()) == total


def test_the_same_torn_file_gives_the_same_bytes(record: Record, tmp_path: Path) -> None:
    torn = tmp_path / "torn.mcap"
    torn.write_bytes(record().read_bytes()[:-2000])
    for name in ("a", "b"):
        recover(torn, tmp_path / f"{name}.mcap")
    assert (tmp_path / "a.mcap").read_bytes() == (tmp_path / "b.mcap").read_bytes()


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4])
def test_files_of_others_with_attachments_and_without_an_index(
    tmp_path: Path, chunked: bool, compression: CompressionType
) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, use_chunking=chunked, chunk_size=500)
        writer.start(profile="x", library="y")
        schema = writer.register_schema("Thing", "jsonschema", b"{}")
        channel = writer.register_channel("/thing", "json", schema, {"a": "b"})
        writer.add_attachment(1, 2, "note.txt", "text/plain", b"hello")
        writer.add_metadata("about", {"robot": "r2"})
        for i in range(100):
            writer.add_message(channel, i * S, b'{"i": %d}' % i, i * S + 1, i)
        writer.finish()
    path.write_bytes(path.read_bytes()[:-400])
    found = recover(path)
    assert found.kept["/thing"].messages > 80
    assert found.path is not None
    with found.path.open("rb") as file:
        reader = make_reader(file)
        assert reader.get_header().profile == "x"
        assert [a.data for a in reader.iter_attachments()] == [b"hello"]
        assert [m.metadata for m in reader.iter_metadata()] == [{"robot": "r2"}]
        summary = reader.get_summary()
        assert summary is not None
        assert [c.metadata for c in summary.channels.values()] == [{"a": "b"}]
        kept = [
            (m.log_time, m.publish_time, m.sequence, m.data) for _, _, m in reader.iter_messages()
        ]
    assert kept == [(i * S, i * S + 1, i, b'{"i": %d}' % i) for i in range(len(kept))]


def test_definitions_are_taken_from_the_end_if_their_chunk_is_damaged(
    record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(McapFile, "CHUNK_BYTES", 10_000)
    data = bytearray(record().read_bytes())
    data[200] ^= 0xFF  # inside the first chunk
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(data)
    found = recover(bad)
    assert "/microphone/audio" in found.kept
    assert found.kept["/microphone/audio"].messages > 90


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        (b"", MediaError, "empty"),
        (b"Dear Sir,", MediaError, "not a recording"),
        (b"SQLite format 3\x00" + bytes(84), RecordingError, "no MCAP"),
        (b"#ROSBAG V2.0\n", RecordingError, "no MCAP"),
        (b"\x89MCAP0\r\n", RecordingError, "no whole message"),
        (b"\x89MCAP0\r\n" + bytes(5000), RecordingError, "no whole message"),
        (b"\x89MCAP0\r\n" + b"\x06" + b"\xff" * 8 + b"x" * 99, RecordingError, "no whole message"),
    ],
)
def test_what_cannot_be_recovered_is_said_and_nothing_is_written(
    tmp_path: Path, content: bytes, error: type[Exception], why: str
) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(content)
    with pytest.raises(error, match=why) as caught:
        recover(path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_overwritten_and_a_full_disk_is_told_before(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / "torn.mcap.part"
    torn.write_bytes(record().read_bytes()[:-2000])
    (tmp_path / "torn.mcap").write_text("mine")
    with pytest.raises(RecordingError, match="is not overwritten") as caught:
        recover(torn)
    assert caught.value.__class__ is RecordingError
    assert (tmp_path / "torn.mcap").read_text() == "mine"
    with pytest.raises(RecordingError, match="exists"):
        recover(torn, torn)
    with pytest.raises(RecordingError, match="cannot write"):
        recover(torn, tmp_path / "missing" / "a.mcap")
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))  # type: ignore[attr-defined]
    with pytest.raises(RecordingError, match="are needed"):
        recover(torn, tmp_path / "new.mcap")
    assert not (tmp_path / "new.mcap").exists()


def test_a_write_that_fails_leaves_nothing_behind(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / "torn.mcap.part"
    torn.write_bytes(record().read_bytes()[:-2000])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="No space left"):
        recover(torn, tmp_path / "new.mcap")
    assert sorted(tmp_path.iterdir()) == before


def test_names_of_the_new_file() -> None:
    assert default_output(Path("d/a.mcap.part")) == Path("d/a.mcap")
    assert default_output(Path("d/a.mcap")) == Path("d/a.recovered.mcap")
    assert default_output(Path("d/a")) == Path("d/a.recovered.mcap")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thymos", "recover", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(record: Record, tmp_path: Path) -> None:
    whole = record()
    torn = tmp_path / "torn.mcap.part"
    torn.write_bytes(whole.read_bytes()[:-2000])
    done = run(str(torn))
    assert done.returncode == 0, done.stderr
    assert "/microphone/audio" in done.stdout
    assert "lost:" in done.stderr
    assert "wrote" in done.stderr
    again = run(str(tmp_path / "torn.mcap"))
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to repair" in again.stderr
    refused = run(str(torn))
    assert refused.returncode == 1
    assert "next:" in refused.stderr
    facts = json.loads(run("--json", str(torn), "-o", str(tmp_path / "new.mcap")).stdout)
    assert facts["path"].endswith("new.mcap")
    assert facts["kept"]["/enose/data"]["messages"] > 10
    assert run().returncode == 2
