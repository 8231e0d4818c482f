"""A recording of VGA 30 fps, 16 kHz sound and a 10 Hz nose, through the windower.

Everything `thymos replay` does but perceiving and reasoning: opening, decoding, checking, merging
by capture time, cutting windows. The peer is the same file read by plain `rosbags`, every message
deserialised and nothing done with it (coded pictures stay coded): a lower bound of the cost.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.compare import in_turn, peer_module, timed
from benchmarks.media import FPS, face_video
from thymos.align import Windower, merge
from thymos.bench.figures import Figure, repeated
from thymos.config import Config, RecordConfig
from thymos.devices import open_uri
from thymos.record import Recorder, open_recording
from thymos.samples import Source

CODECS: tuple[RecordConfig, ...] = (
    RecordConfig(video="mjpeg", audio="pcm"),
    RecordConfig(video="h264", audio="flac"),
    RecordConfig(video="raw", audio="pcm"),
)


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 4 if quick else 20
    figures = []
    for config in CODECS[:1] if quick else CODECS:
        with tempfile.TemporaryDirectory() as place:  # raw pictures are 28 MB a second
            folder = Path(place)
            file = recorded(folder, seconds, config)
            reader, peer = peer_module("rosbags.rosbag2")
            pictures = seconds * FPS

            def ours(file: Path = file, pictures: int = pictures) -> float:
                return seconds / timed(lambda: replay(file, pictures))

            def plain(file: Path = file, pictures: int = pictures) -> float:
                return seconds / timed(lambda: read_plainly(file, pictures))

            replay(file, pictures)  # warm page cache for both
            mine, theirs = in_turn(repeats, ours, plain if reader else None)
            name = f"replay of {config.video} and {config.audio}"
            target = ">= 30"
            figures.append(
                repeated(name, mine, "× real time", target, peer=peer, peer_values=theirs)
            )
    return figures


def recorded(folder: Path, seconds: int, config: RecordConfig) -> Path:
    """Record the three streams."""
    sources: list[Source] = [face_video(folder, seconds * FPS)]
    for role, options in (("microphone", ""), ("enose", "&rate=10")):
        source = open_uri(role, f"sim:?pace=0&seed=3&seconds={seconds}{options}")  # type: ignore[arg-type]
        assert source is not None
        sources.append(source)
    path = folder / "session.mcap"
    with Recorder(path, config) as recorder:
        for source in sources:
            source.open()
            recorder.on_stream(source.spec)
        for sample in merge(sources):
            recorder.on_sample(sample)
        for source in sources:
            source.close()
    lost = {name: n for name, n in recorder.dropped.items() if n}
    assert not lost, f"the recording lacks {lost}"
    return path


def replay(file: Path, pictures: int) -> None:
    """Through the windower; every picture must be in the windows."""
    config = Config()
    windower = Windower(config.window, config.buffer)
    sources = list(open_recording(file).sources.values())
    seen = 0
    for source in sources:
        source.open()
        windower.add_stream(source.spec)
    for sample in merge(sources):
        windower.push(sample)
        windower.advance(sample.t_ns)
        seen += sum(len(w.streams["camera"].samples) for w in windower.ready())
    seen += sum(len(w.streams["camera"].samples) for w in windower.flush())
    for source in sources:
        source.close()
    assert seen == pictures, f"{seen} of {pictures} pictures came back"


def read_plainly(file: Path, pictures: int) -> None:
    """The peer: rosbags alone, with the definitions that are in the file."""
    from rosbags.highlevel import AnyReader

    seen = 0
    with AnyReader([file]) as reader:
        for connection, _, raw in reader.messages():
            reader.deserialize(raw, connection.msgtype)
            seen += "Image" in connection.msgtype or "Video" in connection.msgtype
    assert seen == pictures, f"{seen} of {pictures} pictures were there"
