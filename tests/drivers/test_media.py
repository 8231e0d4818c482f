"""Media files: any container, one time zero, bad input answered in words."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers_media import make_sound, make_video

from reading import all_of
from thymos.devices import open_uri
from thymos.errors import MediaError, TrackMissingError
from thymos.samples import EndOfStream, Flag, Health, Origin, Sample, Source
from thymos_drivers.media import AudioFile, VideoFile, probe


def sound_of(samples: list[Sample]) -> np.ndarray:
    return np.concatenate([s.payload for s in samples])


# Picture


def test_frames_carry_their_own_times(tmp_path: Path) -> None:
    times = [0, 33, 66, 100, 233, 400, 1000]
    path = make_video(tmp_path / "vfr.mkv", times_ms=times, codec="mpeg4")
    with VideoFile(path) as video:
        samples = all_of(video)
        assert video.spec.shape == (48, 64, 3)
        assert video.spec.origin is Origin.RECORDED
        assert video.health.health is Health.OK
    assert [s.t_ns // 1_000_000 for s in samples] == times
    assert [s.seq for s in samples] == list(range(7))
    assert all(s.t_recv_ns == s.t_ns and not s.flags for s in samples)
    assert not samples[0].payload.flags.writeable


@pytest.mark.parametrize(("fps", "frames"), [(1, 4), (120, 60)])
def test_slow_and_fast_pictures(tmp_path: Path, fps: int, frames: int) -> None:
    path = make_video(tmp_path / "v.mp4", fps=fps, frames=frames)
    with VideoFile(path) as video:
        assert video.spec.rate_hz == pytest.approx(fps)
        samples = all_of(video)
    assert len(samples) == frames
    gaps = [b.t_ns - a.t_ns for a, b in pairwise(samples)]
    assert gaps == pytest.approx([1e9 / fps] * (frames - 1), abs=1e5)


@pytest.mark.parametrize(
    ("rotate", "corner", "shape"),
    [
        (0, (0, 0), (48, 64, 3)),
        (-90, (0, -1), (64, 48, 3)),  # a phone held upright: turn the stored picture clockwise
        (90, (-1, 0), (64, 48, 3)),
        (180, (-1, -1), (48, 64, 3)),
    ],
)
def test_pictures_are_turned_upright(
    tmp_path: Path, rotate: int, corner: tuple[int, int], shape: tuple[int, ...]
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=3, rotate=rotate)
    with VideoFile(path) as video:
        assert video.spec.shape == shape
        rgb = all_of(video)[0].payload
    assert rgb.shape == shape
    red, green, _ = (int(v) for v in rgb[corner])
    assert red > 180 > 90 > green


def test_large_pictures_are_scaled_while_decoding(tmp_path: Path) -> None:
    path = make_video(tmp_path / "4k.mp4", frames=2, size=(3840, 2160))
    with VideoFile(path) as video:
        assert video.spec.shape == (720, 1280, 3)
        assert video.spec.extra["scaled_from"] == "3840x2160"
        assert all_of(video)[0].payload.shape == (720, 1280, 3)


@pytest.mark.parametrize("name", ["v.mp4", "v.mov", "v.mkv", "v.flv", "v.avi"])
def test_containers(tmp_path: Path, name: str) -> None:
    codec = "flv" if name.endswith("flv") else "mpeg4"
    path = make_video(tmp_path / name, codec=codec)
    with VideoFile(path) as video:
        samples = all_of(video)
    assert len(samples) == 30
    assert all(a.t_ns < b.t_ns for a, b in pairwise(samples))
    assert samples[-1].t_ns == pytest.approx(29e9 / 30, abs=2e6)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4")
    wrong = path.rename(tmp_path / "notes.txt")
    with VideoFile(wrong) as video:
        assert len(all_of(video)) == 30
    odd = wrong.rename(tmp_path / "http:%03d? what#.mp4")
    source = open_uri("camera", f"file:{odd}")
    assert source is not None
    with source:
        assert len(all_of(source)) == 30


# Sound


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_rates_are_kept(tmp_path: Path, rate: int) -> None:
    rng = np.random.default_rng(rate)
    data = rng.integers(-20000, 20000, (rate // 2 + 17, 1)).astype(np.int16)
    path = make_sound(tmp_path / "a.wav", data, rate)
    with AudioFile(path) as audio:
        assert audio.spec.rate_hz == rate
        samples = all_of(audio)
    np.testing.assert_array_equal(sound_of(samples), data)
    for one, two in pairwise(samples):
        assert 0.02 <= len(one.payload) / rate <= 0.04
        assert two.t_ns - one.t_ns == pytest.approx(len(one.payload) * 1e9 / rate, abs=2)


@pytest.mark.parametrize(
    ("codec", "sample_format", "name"),
    [
        ("pcm_s16le", "s16", "a.wav"),
        ("pcm_s24le", "s32", "a.wav"),
        ("pcm_f32le", "flt", "a.wav"),
        ("flac", "s16", "a.flac"),
        ("flac", "s32", "a.flac"),
    ],
)
def test_sample_formats_become_s16_exactly(
    tmp_path: Path, codec: str, sample_format: str, name: str
) -> None:
    data = np.random.default_rng(1).integers(-30000, 30000, (9000, 6)).astype(np.int16)
    path = make_sound(
        tmp_path / name, data, 48000, codec=codec, sample_format=sample_format, layout="5.1"
    )
    with AudioFile(path) as audio:
        assert audio.spec.shape == (-1, 6)
        assert audio.spec.channels[0] == "FL"
        np.testing.assert_array_equal(sound_of(all_of(audio)), data)


def test_clipped_sound_says_so(tmp_path: Path) -> None:
    data = np.zeros((4800, 1), np.int16)
    data[100] = 32767
    with AudioFile(make_sound(tmp_path / "a.wav", data, 16000)) as audio:
        flags = [bool(s.flags & Flag.CLIPPED) for s in all_of(audio)]
    assert flags[0]
    assert sum(flags) == 1


# Bad input


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n" * 50, bytes(range(256)) * 40])
@pytest.mark.parametrize("name", ["a.mp4", "a.wav", "a.txt", "a"])
def test_what_is_not_media(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for source in (VideoFile(path), AudioFile(path)):
        with pytest.raises(MediaError) as wrong:
            source.open()
        assert str(path) in str(wrong.value)
        assert "\n" not in str(wrong.value)
        assert wrong.value.hint
    with pytest.raises(MediaError):
        probe(path)


def test_missing_file_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no file"):
        VideoFile(tmp_path / "no.mp4").open()
    with pytest.raises(MediaError, match="folder"):
        VideoFile(tmp_path).open()
    with pytest.raises(MediaError, match="not a regular file"):
        VideoFile("/dev/null").open()


def test_a_playlist_cannot_reach_other_files(tmp_path: Path) -> None:
    make_video(tmp_path / "v.mp4")
    path = tmp_path / "list.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'v.mp4'}\n")
    with pytest.raises(MediaError):
        VideoFile(path).open()


def test_missing_tracks(tmp_path: Path) -> None:
    silent = make_video(tmp_path / "v.mp4")
    blind = make_sound(tmp_path / "a.wav", np.zeros((1600, 1), np.int16), 16000)
    with pytest.raises(TrackMissingError, match="no sound"):
        AudioFile(silent).open()
    with pytest.raises(TrackMissingError, match="no picture"):
        VideoFile(blind).open()


def test_mp4_without_its_index_is_an_error(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    with pytest.raises(MediaError):
        VideoFile(path).open()


def test_mp4_cut_off_in_the_middle_gives_what_is_there(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", frames=300, options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoFile(path) as video:
        samples = all_of(video)
        assert 50 < len(samples) < 250
        assert video.health.health is Health.DEGRADED
        assert "ends early" in video.health.reason


def test_damaged_packets_are_counted_not_fatal(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", frames=300)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for _ in range(20):
        at = int(rng.integers(len(data) // 4, len(data) - 64))
        data[at : at + 32] = rng.integers(0, 256, 32).astype(np.uint8).tobytes()
    path.write_bytes(bytes(data))
    with VideoFile(path) as video:
        samples = all_of(video)
        counters = video.counters
    assert len(samples) > 100
    assert counters.received == len(samples)
    assert all(a.t_ns < b.t_ns and a.seq < b.seq for a, b in pairwise(samples))


def test_random_damage_never_crashes(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", frames=40, sound=(16000, 1.2))
    clean = path.read_bytes()
    rng = np.random.default_rng(4)
    for _ in range(60):
        data = bytearray(clean)
        for at in rng.integers(0, len(data), 30):
            data[int(at)] = int(rng.integers(0, 256))
        path.write_bytes(bytes(data[: int(rng.integers(1, len(data) + 1))]))
        for source in (VideoFile(path), AudioFile(path)):
            try:
                with source:
                    stamps = [s.t_ns for s in all_of(source)]
            except MediaError:
                continue
            assert stamps == sorted(stamps)


# Life


def test_a_source_can_be_opened_again_and_gives_the_same(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", frames=5)
    source = VideoFile(path)
    runs = []
    for _ in range(2):
        with source:
            runs.append([(s.seq, s.t_ns, s.payload.tobytes()) for s in all_of(source)])
            assert source.counters.received == 5
    assert runs[0] == runs[1]
    with pytest.raises(EndOfStream):
        source.read()


def test_closing_from_another_thread_ends_reading(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", frames=600)
    source = VideoFile(path)
    source.open()
    closer = threading.Timer(0.05, source.close)
    closer.start()
    assert len(all_of(source)) <= 600
    closer.join()
    source.close()


# Real clips: durations and offsets of the notes

CLIPS = {
    "mediapipe/format_FLV_H264_AAC.video": (180, 0.036, 6.003, 44100, 0.0, 6.06),
    "mediapipe/format_MKV_VP8_VORBIS.video": (180, 0.0, 5.967, 44100, 0.003, 6.005),
    "pyfeat/WolfgangLanger_Pexels.mp4": (472, 0.0, 19.645, 48000, 0.0, 19.69),
    "pyfeat/face_noface.mov": (169, 0.0, 6.360, 44100, 2.430, 6.396),
    "pyfeat/no_face.mp4": (95, 0.0, 3.917, 44100, 0.0, 3.966),
    "pyfeat/noface_face.mov": (169, 0.0, 6.345, 44100, 0.0, 3.966),
    "pyfeat/single_face.mp4": (72, 0.0, 2.367, 44100, 0.0, 2.419),
    "sadtalker/RD_Radio31_000.wav": (0, 0.0, 0.0, 16000, 0.0, 8.0),
    "sadtalker/WDA_AlexandriaOcasioCortez_000.mp4": (200, 0.0, 7.96, 16000, 0.0, 8.0),
    "sadtalker/WDA_KatieHill_000.mp4": (200, 0.0, 7.96, 16000, 0.0, 8.0),
    "sadtalker/bus_chinese.wav": (0, 0.0, 0.0, 48000, 0.0, 3.376),
    "sadtalker/eluosi.wav": (0, 0.0, 0.0, 48000, 0.0, 6.1895),
    "synchformer/lrs3_C8zY0oAdQrs_00018.mp4": (393, 0.0, 15.68, 16000, 0.0, 15.744),
    "synchformer/vggsound_ZYc410CE4Rg_0_10000.mp4": (250, 0.0, 9.96, 16000, 0.0, 10.048),
    "video_retalking/1.mp4": (135, 0.033, 6.1, 44100, 0.0, 6.107),
    "video_retalking/5.mp4": (122, 0.0, 4.84, 44100, 0.0, 4.876),
}


@pytest.mark.data
@pytest.mark.parametrize("name", CLIPS)
def test_real_clips(data_dir: Path, name: str) -> None:
    frames, first, last, rate, begin, end = CLIPS[name]
    path = data_dir / "av" / name
    info = probe(path)
    if frames:
        with VideoFile(path) as video:
            pictures = all_of(video)
            assert video.health.health is Health.OK
        assert len(pictures) == frames
        assert pictures[0].t_ns / 1e9 == pytest.approx(first, abs=0.001)
        assert pictures[-1].t_ns / 1e9 == pytest.approx(last, abs=0.001)
        assert all(a.t_ns < b.t_ns for a, b in pairwise(pictures))
    else:
        assert info.first("video") is None
    with AudioFile(path) as audio:
        blocks = all_of(audio)
        assert audio.health.health is Health.OK
        assert audio.spec.rate_hz == rate
    assert blocks[0].t_ns / 1e9 == pytest.approx(begin, abs=0.001)
    over = blocks[-1].t_ns / 1e9 + len(blocks[-1].payload) / rate
    assert over == pytest.approx(end, abs=0.03)
    for one, two in pairwise(blocks):
        assert two.t_ns - one.t_ns == pytest.approx(len(one.payload) * 1e9 / rate, abs=5)
    track = info.first("audio")
    assert track is not None
    assert track.start_s == pytest.approx(begin, abs=0.004)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Two hours at one picture a second, with sound of a part of it."""
    path = make_video(tmp_path / "long.mkv", frames=7200, fps=1, size=(160, 96))
    with VideoFile(path) as video:
        for _ in range(200):
            video.read()
        before = resident_mb()
        last = all_of_last(video)
        grown = resident_mb() - before
    assert last.t_ns == pytest.approx(7199e9, abs=1e6)
    assert grown < 30  # 7000 pictures would be 320 MB


def test_a_short_track_is_not_a_damaged_file(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", frames=300, sound=(16000, 2.0))
    with AudioFile(path) as audio:
        assert all_of(audio)[-1].t_ns < 2.2e9
        assert audio.health.health is Health.OK


def test_mkv_cut_off_in_the_middle_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", frames=300, sound=(16000, 10.0))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoFile(path) as video:
        assert 20 < len(all_of(video)) < 290
        assert "ends early" in video.health.reason


def all_of_last(source: Source) -> Sample:
    last: Sample | None = None
    while True:
        try:
            last = source.read() or last
        except EndOfStream:
            assert last is not None
            return last


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_file_of_a_nose_is_told_what_to_do_with_it(tmp_path):
    (tmp_path / "a b.bmerawdata").write_text('{"rawDataBody": {}}')
    (tmp_path / "a.mp4").write_text('{"rawDataBody": {}}')
    with pytest.raises(MediaError) as nose:
        probe(tmp_path / "a b.bmerawdata")
    assert f"thymos smell convert '{tmp_path / 'a b.bmerawdata'}' nose.mcap" in nose.value.hint
    with pytest.raises(MediaError) as film:
        probe(tmp_path / "a.mp4")
    assert "convert it" in film.value.hint
