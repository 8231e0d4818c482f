"""`thymos smell live`: pictures of views made by hand, then whole runs."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from thymos.cli.smell_live import open_nose
from thymos.cli.smell_show import event_line, line, render
from thymos.config import RecordConfig
from thymos.errors import ConfigError
from thymos.record import Recorder
from thymos.samples import Kind, Sample, StreamSpec, each
from thymos.smell.frame import Fault, Phase
from thymos.smell.view import (
    FAULT_WORDS,
    PAST_BINS,
    AirView,
    BaselineView,
    ChannelView,
    DangerView,
    DriftView,
    EventView,
    LinkView,
    OdourView,
    SmellView,
    as_json,
)
from thymos.smell.watch import SmellWatch

S = 1_000_000_000
NAN = float("nan")
SIM = "sim:?pace=0&seconds=40&events=smoke@12-20"
EVIL = "[red]x[/red]\x1b[2J\x1b]0;t\x07\u202eback\n"


def rise(top: float) -> tuple[float, ...]:
    """Nothing for 20 s, clean air for 20 s, then a rise over 20 s."""
    return (NAN,) * 20 + (0.0,) * 20 + tuple(top * k / 19 for k in range(20))


def channel(name: str, value: float, response: float, fault: Fault = Fault.NONE) -> ChannelView:
    return ChannelView(name, "ohm", value, NAN if fault else response, 0.08, fault,
                       FAULT_WORDS.get(fault, ""), rise(response))  # fmt: skip


def smoky() -> SmellView:
    """A nose that smells smoke, at 1:00."""
    return SmellView(
        stream="enose",
        device="Board 8",
        origin="recorded",
        now_ns=160 * S,
        begin_ns=100 * S,
        channels=(
            channel("NO2", 52_400.0, 1.18),
            channel("CO", 39_800.0, -0.56),
            channel("NH3", 36_900.0, -0.002),
            channel("Benzene", 4294967295.0, 0.0, Fault.SENTINEL),
        ),
        link=LinkView(2.0, 1.98, 0.1, 119, 3, 2, 1, "ok"),
        baseline=BaselineView("calibrated", 7260.0, 1.0, 300.0),
        air=AirView(23.42, 41.3, 1013.2),
        phase=Phase.EXPOSURE,
        phase_since_ns=140 * S,
        warm=1.0,
        odour=OdourView((("smoke", 0.81), ("coffee", 0.12), ("unknown", 0.07)), 0.81, 140 * S),
        danger=DangerView("smoke", 0.81, 140 * S, "leave the room"),
        drift=DriftView(1.25, True, "the pattern left what was learnt", "thymos calibrate enose"),
        events=(EventView("odour_onset", 141 * S, 128 * S, 137 * S, "a smell begins"),),
    )


def board() -> SmellView:
    """A BME688 development kit: eight sensors of ten heater steps."""
    channels = []
    for sensor in range(8):
        for step in range(10):
            bad = Fault.STUCK if (sensor, step) == (2, 9) else Fault.NONE
            channels.append(channel(f"s{sensor}_h{step}", 1e5, -0.07 * step - 0.001 * sensor, bad))
    return replace(smoky(), channels=tuple(channels), bin_s=11, danger=None, drift=None)


def drawn(view: SmellView, width: int, *, colour: bool = False) -> str:
    out = Console(file=io.StringIO(), width=width, height=50, highlight=False,
                  force_terminal=colour, color_system="truecolor" if colour else None)  # fmt: skip
    out.print(render(view, width))
    return out.file.getvalue()


def plain(view: SmellView, width: int) -> str:
    return "\n".join(row.rstrip() for row in drawn(view, width).splitlines()) + "\n"


SMOKY_60 = """\

 Board 8  recorded  1:00
 ok  1.98 Hz (declared 2 Hz)  3 lost  2 of 119 invalid
 danger   smoke, 81%, since 0:40: leave the room

 air      23.4 °C  41% humidity  1013 hPa
 baseline clean air as calibrated, 2:01:00 ago
 phase    exposure since 0:40; re-zero after 5:00 of clean
          air

 channel     reading ÷3 to ×3             last minute
 NO2         52.4 kΩ       │████    +118%      ▁▁▁▁▁▁▄▅▇█
 CO          39.8 kΩ   ████│         −56%      ██████▇▅▄▁
 NH3         36.9 kΩ       │           0%      ▅▅▅▅▅▅▅▅▄▄
 Benzene     4.29 GΩ ·············      – no value
 not used Benzene: the number stands for no reading

 odour    smoke            ██████████░░  81%  since 0:40
          coffee           █░░░░░░░░░░░  12%
          unknown          █░░░░░░░░░░░   7%
 drift    ▰▰▰▰▰▰▰▰▰▰ 1.25 of the limit; needs recalibration:
          the pattern left what was learnt; type: thymos
          calibrate enose

 0:41     a smell begins (in the air 0:28.0 to 0:37.0)
"""
SMOKY_100 = """\

 Board 8  recorded  1:00
 ok  1.98 Hz (declared 2 Hz)  3 lost  2 of 119 invalid
 danger   smoke, 81%, since 0:40: leave the room

 air      23.4 °C  41% humidity  1013 hPa
 baseline clean air as calibrated, 2:01:00 ago
 phase    exposure since 0:40; re-zero after 5:00 of clean air

 channel           reading ÷3 to ×3                     last minute
 NO2               52.4 kΩ           │███████     +118%           ▁▁▁▁▁▁▁▁▁▁▁▂▃▄▅▆▆▇██
 CO                39.8 kΩ    ███████│             −56%           ████████████▇▆▆▅▄▃▂▁
 NH3               36.9 kΩ           │               0%           ▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▄▄▄▄▄
 Benzene           4.29 GΩ ·····················      – no value
 not used Benzene: the number stands for no reading

 odour    smoke            ████████████████░░░░  81%  since 0:40
          coffee           ██░░░░░░░░░░░░░░░░░░  12%
          unknown          █░░░░░░░░░░░░░░░░░░░   7%
 drift    ▰▰▰▰▰▰▰▰▰▰ 1.25 of the limit; needs recalibration: the pattern left what was learnt; type:
          thymos calibrate enose

 0:41     a smell begins (in the air 0:28.0 to 0:37.0)
"""
BOARD_60 = """\

 Board 8  recorded  1:00
 ok  1.98 Hz (declared 2 Hz)  3 lost  2 of 119 invalid

 air      23.4 °C  41% humidity  1013 hPa
 baseline clean air as calibrated, 2:01:00 ago
 phase    exposure since 0:40; re-zero after 5:00 of clean
          air

 sensor         used heater steps              last 11 min
 s0            10/10 ▁▁▂▂▃▄▄▅▆█        h9 −63%     █████▆▄▂
 s1            10/10 ▁▁▂▂▃▄▄▅▆█        h9 −63%     █████▆▄▂
 s2             9/10 ▁▁▂▂▃▄▄▅▇×        h8 −56%     █████▆▄▂
 s3            10/10 ▁▁▂▂▃▄▅▅▇█        h9 −63%     █████▆▄▂
 s4            10/10 ▁▁▂▂▃▄▅▅▇█        h9 −63%     █████▆▄▂
 s5            10/10 ▁▁▂▂▃▄▅▅▇█        h9 −64%     █████▆▄▂
 s6            10/10 ▁▁▂▂▃▄▅▅▇█        h9 −64%     █████▆▄▂
 s7            10/10 ▁▁▂▂▃▄▅▆▇█        h9 −64%     █████▆▄▂
 not used s2_h9: it repeats where a live sensor cannot

 odour    smoke            ██████████░░  81%  since 0:40
          coffee           █░░░░░░░░░░░  12%
          unknown          █░░░░░░░░░░░   7%
 danger   none smelt, which proves nothing
 drift    not judged; thymos smell guard learns what to
          judge by

 0:41     a smell begins (in the air 0:28.0 to 0:37.0)
"""


@pytest.mark.parametrize(
    ("view", "width", "picture"),
    [(smoky(), 60, SMOKY_60), (smoky(), 100, SMOKY_100), (board(), 60, BOARD_60)],
)
def test_the_picture_is_this(view: SmellView, width: int, picture: str) -> None:
    assert plain(view, width) == picture
    assert plain(view, width) == plain(view, width)


@pytest.mark.parametrize("width", [60, 72, 95, 96, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    many = tuple(channel(f"array of sensors {k}", 1e5, -0.01 * k) for k in range(64))
    long = replace(smoky(), device="nose " * 40, channels=many, notes=("a long note " * 20,))
    for view in (smoky(), board(), long):
        rows = drawn(view, width).splitlines()
        assert max(map(cell_len, rows)) <= width
        assert len(rows) < 44  # a terminal of usual height shows all of it


def test_odd_terminals_and_names_break_nothing() -> None:
    odd = (
        channel("一酸化炭素センサー", 1e12, 1e9),
        channel("", float("inf"), -1.0),
        channel("x", -5.0, -3.0),
    )
    odour = OdourView((("コーヒーの香りがする", 1.0),), 1.0, 0)
    wide = replace(smoky(), device="電子の鼻" * 20, channels=odd, odour=odour)
    for view in (wide, smoky(), board(), replace(smoky(), channels=())):
        for width in (20, 40, 60, 100):
            rows = drawn(view, width).splitlines()
            assert max(map(cell_len, rows)) <= width
        json.dumps(as_json(view, past=True), allow_nan=False)
        line(view)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
CHANNELS = st.builds(
    ChannelView, st.text(max_size=30), st.text(max_size=8), NUMBERS, NUMBERS, NUMBERS,
    st.sampled_from(Fault), st.text(max_size=20), st.lists(NUMBERS, max_size=5).map(tuple),
)  # fmt: skip
SHARES = st.lists(st.tuples(st.text(max_size=20), st.floats(0, 1)), max_size=6).map(tuple)


@settings(max_examples=30, deadline=None)
@given(
    channels=st.lists(CHANNELS, max_size=20).map(tuple), device=st.text(max_size=80),
    shares=SHARES, numbers=st.tuples(*[NUMBERS] * 8), width=st.integers(20, 160),
)  # fmt: skip
def test_any_view_can_be_drawn(channels, device, shares, numbers, width) -> None:
    view = SmellView(
        "enose", device, "live", 10**12, 0, channels, LinkView(abs(numbers[0]), numbers[1]),
        BaselineView("followed", numbers[2], 1.0, numbers[3]), 1, AirView(*numbers[4:7]),
        Phase.RECOVERY, 5, numbers[7], numbers[2], OdourView(shares, 0.5, 3),
        drift=DriftView(numbers[3], True, device, device), notes=(device,),
    )  # fmt: skip
    rows = drawn(view, width).splitlines()
    assert max(map(cell_len, rows)) <= width
    assert not any(unicodedata.category(c) == "Cc" for row in rows for c in row)
    line(view)
    json.dumps(as_json(view, past=True), allow_nan=False)


@pytest.mark.parametrize("width", [60, 100])
def test_a_low_terminal_shows_what_matters(width: int) -> None:
    many = tuple(channel(f"array{k}x", 1e5, -0.01 * k) for k in range(12))
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(render(replace(smoky(), channels=many, drift=None), width, 24))
    rows = out.file.getvalue().splitlines()
    assert len(rows) <= 24
    for words in ("danger", "+ 9 more", "smoke", "a smell begins"):
        assert any(words in row for row in rows), words


def test_many_channels_without_groups_show_the_strongest() -> None:
    many = tuple(channel(f"array{k}x", 1e5, -0.01 * k) for k in range(64))
    text = plain(replace(smoky(), channels=many), 100)
    assert "+ 49 more" in text
    assert "array63x" in text
    assert "array3x" not in text


def test_text_of_devices_can_neither_style_nor_steer_the_terminal() -> None:
    evil = replace(
        smoky(), device=EVIL, notes=(EVIL,),
        channels=(replace(smoky().channels[0], name=EVIL, unit=EVIL),
                  replace(smoky().channels[3], name=EVIL, why=EVIL)),
        baseline=BaselineView(EVIL), link=replace(smoky().link, state=EVIL),
        odour=OdourView(((EVIL, 1.0),), 1.0, 0), danger=DangerView(EVIL, 1.0, 0, EVIL),
        drift=DriftView(2.0, True, EVIL, EVIL), events=(EventView("note", 0, 0, 0, EVIL),),
    )  # fmt: skip
    told = [drawn(evil, 100), line(evil), event_line(evil, evil.events[0])]
    for text in told:
        assert not set("\x1b\x07\u202e") & set(text)
    assert "[red]x" in told[0]
    assert "\x1b[2J" not in drawn(evil, 100, colour=True)


def test_what_is_missing_is_said() -> None:
    new = SmellView("enose", "nose", "live", 0, None, (ChannelView("CO", "adc"),), LinkView(),
                    BaselineView(learnt=0.4))  # fmt: skip
    text = plain(new, 60)
    for words in ("waiting", "rate not known yet", "temperature and humidity are not measured",
                  "learning clean air ▰▰▰▰▱▱▱▱▱▱ 40%", "nothing is smelt", "proves nothing",
                  "not judged; thymos smell guard"):  # fmt: skip
        assert words in text
    warming = replace(new, warm=0.25, warm_left_s=135.0)
    assert "warming up ▰▰▱▱▱▱▱▱▱▱ 25%, 2:15 left" in plain(warming, 60)


def test_one_line_says_the_same() -> None:
    assert line(smoky()) == (
        "1:00  exposure · strongest NO2 +118% · 1 of 4 channels not used · smoke 81% · "
        "DANGER smoke 81% · drift 1.25, recalibrate · 1.98 Hz, 3 lost"
    )
    assert event_line(smoky(), smoky().events[0]) == (
        "0:41  a smell begins (in the air 0:28.0 to 0:37.0)"
    )


def test_json_has_no_nan_and_loses_nothing() -> None:
    told = json.loads(json.dumps(as_json(smoky(), past=True), allow_nan=False))
    assert told["channels"][3]["response"] is None
    assert told["channels"][3]["fault"] == "sentinel"
    assert told["phase"] == "exposure"
    assert told["odour"]["shares"] == {"smoke": 0.81, "coffee": 0.12, "unknown": 0.07}
    assert len(told["channels"][0]["past"]) == PAST_BINS
    assert "past" not in as_json(smoky())["channels"][0]


# -- whole runs


def test_plain_lines_and_json_of_a_recording(thymos, tmp_path: Path) -> None:
    words = thymos("smell", "live", "--enose", SIM, "--fast")
    assert words.code == 0, words.err
    assert "a smell begins" in words.out
    assert "smoke" in words.out
    assert "\x1b" not in words.out
    told = thymos("smell", "live", "--enose", SIM, "--fast", "--json")
    assert told.code == 0
    assert len(told.lines) >= 39
    events = [e["name"] for one in told.lines for e in one["events"]]
    assert events.count("odour_onset") == 1


def test_a_recording_with_a_nose_is_played_and_one_without_is_refused(tmp_path: Path) -> None:
    specs = {
        "enose": StreamSpec("enose", Kind.GAS, 2.0, (2,), "ohm", ("CO", "NO2"), device="mine"),
        "microphone": StreamSpec("microphone", Kind.AUDIO, 8000.0, (-1, 1), "s16"),
    }
    for name, spec in specs.items():
        with Recorder(tmp_path / f"{name}.mcap", RecordConfig()) as recorder:
            recorder.on_stream(spec)
            for k in range(20):
                data = np.full(2, 1e4 + k) if name == "enose" else np.zeros((800, 1), np.int16)
                recorder.on_sample(Sample(name, k, k * S // 2 + S, k * S // 2 + S, data))
    watch = SmellWatch()
    with open_nose(str(tmp_path / "enose.mcap")) as source:
        watch.on_stream(source.spec)
        for sample in each(source):
            watch.on_sample(sample)
    assert watch.view().channels[1].value == 10019.0
    assert watch.view().origin == "recorded"
    with pytest.raises(ConfigError, match="no electronic nose"):
        open_nose(f"file:{tmp_path / 'microphone.mcap'}")


def test_a_recording_that_breaks_off_is_told(thymos, tmp_path: Path) -> None:
    path = tmp_path / "torn.mcap"
    spec = StreamSpec("enose", Kind.GAS, 100.0, (2,), "ohm", ("CO", "NO2"), device="mine")
    with Recorder(path, RecordConfig()) as recorder:
        recorder.on_stream(spec)
        for k in range(4000):
            data = np.random.default_rng(k).normal(1e4, 10, 2)
            recorder.on_sample(Sample("enose", k, k * S // 100, k * S // 100, data))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = thymos("smell", "live", "--enose", path, "--fast")
    assert done.code == 0, done.err
    assert "baseline" in done.out
    assert "torn" in done.out + done.err or "breaks off" in done.out + done.err, done.err


def test_wrong_use_is_told(thymos) -> None:
    done = thymos("smell", "live", "--enose", "sim:", "--fast")
    assert done.code == 1
    assert "--fast is for recordings" in done.err
    done = thymos("smell", "live", "--enose", "file:/nowhere.csv")
    assert done.code == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize("more", [["--json"], ["--fast"]])
def test_it_ends_when_nobody_reads_any_more(more: list[str], tmp_path: Path) -> None:
    uri = "sim:?pace=0&seconds=3000" if "--fast" in more else "sim:?rate=50"
    process = subprocess.Popen(
        [sys.executable, "-m", "thymos", "smell", "live", "--enose", uri, *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert process.stderr
    assert process.stderr.read() == b""


def test_an_unplugged_nose_is_told_and_comes_back(thymos) -> None:
    done = thymos("smell", "live", "--enose", "sim:?rate=20&seconds=2&lose=0.5")
    assert done.code == 0, done.err
    assert "lost: " in done.out
    assert "back after" in done.out


@pytest.mark.parametrize("how", ["q", "ctrl-c"])
def test_on_a_terminal_it_ends_at_once_and_leaves_it_as_it_was(how: str) -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 80)) if hasattr(termios, "tcsetwinsize") else None
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-m", "thymos", "smell", "live", "--enose", "sim:?events=smoke@0-9"],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    seen = b""
    try:
        end = time.monotonic() + 60
        while b"NO2" not in seen and time.monotonic() < end:
            seen += os.read(ours, 65536)
        if how == "q":
            os.write(ours, b"q")
        else:
            process.send_signal(signal.SIGINT)
        os.set_blocking(ours, False)
        while process.poll() is None and time.monotonic() < end:
            try:
                seen += os.read(ours, 65536)
            except BlockingIOError:
                time.sleep(0.02)
        assert process.wait(1) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
        os.close(theirs)
    assert "simulated electronic nose" in seen.decode(errors="replace")


def test_a_terminal_that_lacks_a_sign_shows_another(tmp_path: Path) -> None:
    uri = "sim:?seconds=8&pace=0"
    done = subprocess.run(
        [sys.executable, "-m", "thymos", "smell", "live", "--fast", "--enose", uri],
        capture_output=True, timeout=60, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"baseline ? strongest" in done.stdout


def test_the_last_line_is_told_once(thymos, tmp_path: Path) -> None:
    rows = "".join(f"{n * 5000},{10000 + n % 3}\n" for n in range(13))
    (tmp_path / "a.csv").write_text(f"t_ms,NO2 [ohm]\n{rows}")
    done = thymos("smell", "live", "--enose", str(tmp_path / "a.csv"), "--fast")
    lines = done.out.splitlines()
    assert len(lines) == len(set(lines))
    assert lines[-1].startswith("1:00")
