"""Parts of the nodes without processes: graph table, parameters, time, health, bridges, pairing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed (pip install 'thymos[ros]')")
pytest.importorskip("thymos_msgs", reason="the messages are not built (make setup)")

from thymos_msgs.msg import Explanation, PerceptionWindow

import stages
from thymos.align.window import Window
from thymos.clock import ManualClock
from thymos.config import Config, ReasonConfig, WindowConfig
from thymos.contract import Cue
from thymos.errors import ConfigError, FrameError
from thymos.pipeline import Pipeline
from thymos.samples import Counters, Health, HealthReport, Kind, Sample
from thymos.smell import olfaction
from thymos.smell.frame import BaselineAir, Channel, Fault, Nose, SmellFrame
from thymos_nodes import bridges, diagnostics, graph, params
from thymos_nodes.convert_sensors import TopicStream
from thymos_nodes.perceiving import Perceiving
from thymos_nodes.responder_node import KEPT, Pairs
from thymos_nodes.ros_time import RosTime

S = 1_000_000_000


# -- the table of processes


def names(**chosen: Any) -> list[str]:
    return [p.executable for p in graph.processes(graph.Options(**chosen))]


def test_table_for_each_mode() -> None:
    later = ["perception", "reasoner", "responder", "speaker"]
    assert names() == ["camera", "microphone", "enose", *later]
    assert names(camera="off", enose="sim") == ["microphone", "enose", *later]
    assert names(camera="bag", bag="x.mcap", speaker=False, enose="off") == [
        "microphone",
        "perception",
        "reasoner",
        "responder",
        "replay",
    ]


def test_a_bag_brings_sim_time_to_all_and_reliability_only_if_nothing_else_plays() -> None:
    table = graph.processes(graph.Options(camera="bag", microphone="sim", enose="off", bag="b"))
    assert all(p.parameters["use_sim_time"] for p in table if p.executable != "replay")
    by_name = {p.executable: p.parameters for p in table}
    assert by_name["replay"]["streams"] == "camera"
    assert "qos" not in by_name["perception"]
    assert by_name["perception"]["enose"] is False
    whole = graph.processes(graph.Options(camera="bag", microphone="bag", enose="bag", bag="b"))
    assert {p.executable: p.parameters for p in whole}["perception"]["qos"] == "reliable"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"camera": "wild"}, "camera:=wild"),
        ({"enose": "bag"}, "needs a recording"),
        ({"camera": "off", "microphone": "off", "enose": "off"}, "every sensor is off"),
    ],
)
def test_options_that_make_no_sense(chosen: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        graph.processes(graph.Options(**chosen))


def test_command_quotes_what_yaml_would_misread() -> None:
    options = graph.Options(camera="sim", namespace="/robot/")
    line = graph.command(graph.processes(options)[0], options)
    assert line[1:3] == ["-m", "thymos_nodes.camera"]
    assert 'uri:="sim:"' in line
    assert "__ns:=/robot" in line
    assert "autostart:=true" in line


def test_each_option_and_each_executable_is_there() -> None:
    assert set(graph.DESCRIPTIONS) == set(graph.Options.__dataclass_fields__)
    nodes = Path(__file__).parents[2] / "nodes"
    for process in (*names(), "replay"):
        assert (nodes / "thymos_nodes" / f"{process}.py").is_file()
        stub = nodes / "libexec" / process
        assert stub.stat().st_mode & 0o111
        assert f"from thymos_nodes.{process} import main" in stub.read_text()


def test_parameter_file_names_only_what_the_nodes_declare() -> None:
    from thymos_nodes.enose_node import EnoseNode
    from thymos_nodes.perception_node import PerceptionNode
    from thymos_nodes.reasoner_node import ReasonerNode
    from thymos_nodes.responder_node import ResponderNode
    from thymos_nodes.sensors import CameraNode, MicrophoneNode
    from thymos_nodes.speaker_node import SpeakerNode

    known = {
        "camera": CameraNode,
        "microphone": MicrophoneNode,
        "enose": EnoseNode,
        "perception": PerceptionNode,
        "reasoner": ReasonerNode,
        "responder": ResponderNode,
        "speaker": SpeakerNode,
    }
    data = yaml.safe_load(graph.config_file("thymos.yaml").read_text())
    assert set(data) == {f"/**/{name}" for name in known}
    for key, section in data.items():
        declared = {p.name: p for p in known[key.removeprefix("/**/")].PARAMS}
        for name, value in section["ros__parameters"].items():
            assert type(value) is type(declared[name].default), name
            assert not declared[name].choices or value in declared[name].choices
    for kind in known.values():
        assert all(p.description.endswith(".") for p in kind.PARAMS)


# -- parameters


def test_parameters_take_limits_from_the_settings() -> None:
    (length,) = params.of_section("window", WindowConfig, {"length_s": "Length [s]."})
    assert (length.name, length.default, length.low, length.high) == (
        "window.length_s",
        WindowConfig().length_s,
        0.1,
        60.0,
    )
    spread = length.descriptor().floating_point_range[0]
    assert (spread.from_value, spread.to_value) == (0.1, 60.0)
    (threads,) = params.of_section("reason", ReasonConfig, {"threads": "Threads."})
    assert threads.descriptor().integer_range[0].to_value == 64
    (backend,) = params.of_section("reason", ReasonConfig, {"backend": "Which."})
    assert "rules" in backend.choices


def test_a_section_of_wrong_values_is_refused() -> None:
    made = params.section_of(WindowConfig, "window", {"window.hop_s": 2.0, "uri": "sim:"})
    assert made == WindowConfig(hop_s=2.0)
    with pytest.raises(ConfigError, match=r"window\.hop_s"):
        params.section_of(WindowConfig, "window", {"window.hop_s": 0.0})


# -- time


def test_capture_times_follow_ros_time_and_its_steps() -> None:
    robot, ros = ManualClock(5 * S), ManualClock(1000 * S)
    steps: list[int] = []
    time = RosTime(ros, robot, on_step=steps.append)
    assert time.to_ros(4 * S) == 999 * S
    robot.advance_ns(S // 2)
    ros.advance_ns(3 * S)
    assert time.to_ros(5 * S) == 1000 * S  # measured anew once a second only
    robot.advance_ns(S // 2)
    assert time.to_ros(6 * S) == 1003 * S
    assert steps == [2 * S]


# -- perception: what is observed before a window is asked for


@pytest.mark.parametrize("last", [Kind.VIDEO, Kind.AUDIO])
def test_what_a_window_holds_is_observed_first_whoever_comes_last(last: Kind) -> None:
    """Topics overtake each other: the block up to a window's end may come after the next frame."""
    config = Config(window=WindowConfig(length_s=2.0, hop_s=2.0))
    made = Perceiving(Pipeline(config, perceivers=[]), ManualClock(), len, len)
    specs = {kind: stages.spec(kind, rate) for kind, rate in ((Kind.VIDEO, 10), (Kind.AUDIO, 1000))}
    taken = [s for spec in specs.values() for s in stages.samples(spec, 2.02)]
    of = {spec.name: spec for spec in specs.values()}
    inside = [s for s in taken if s.t_ns < 2 * S]
    frame = stages.samples(specs[Kind.VIDEO], 2.2)[20]
    block = inside.pop()
    assert (block.stream, block.t_ns, frame.t_ns) == ("microphone", 2 * S - S // 50, 2 * S)
    for sample in (*inside, *((block, frame) if last is Kind.VIDEO else (frame, block))):
        made.take(of[sample.stream], sample)
    items = list(made._items.queue)
    (window,) = (n for n, item in enumerate(items) if isinstance(item, Window))
    heard = [item.t_ns for item in items[:window] if isinstance(item, Sample)]
    assert block.t_ns in heard
    assert len(heard) >= len(inside) + 1


# -- health


def capture(health: Health, hz: float, nominal: float) -> diagnostics.Task:
    return diagnostics.of_source(
        HealthReport(health, "cable pulled" if health is Health.LOST else "", "plug it in"),
        Counters(received=10, dropped=2, corrupt=1, reconnects=3),
        measured_hz=hz,
        nominal_hz=nominal,
        facts={"uri": "sim:"},
    )


@pytest.mark.parametrize(
    ("health", "hz", "nominal", "level", "words"),
    [
        (Health.OK, 29.0, 30.0, diagnostics.OK, "ok"),
        (Health.OK, 20.0, 30.0, diagnostics.WARN, "20.0 Hz instead of 30.0 Hz"),
        (Health.OK, 20.0, 0.0, diagnostics.OK, "ok"),
        (Health.OK, 0.0, 30.0, diagnostics.WARN, "no samples"),
        (Health.DEGRADED, 30.0, 30.0, diagnostics.WARN, "degraded"),
        (Health.LOST, 0.0, 30.0, diagnostics.ERROR, "cable pulled"),
    ],
)
def test_level_and_words(
    health: Health, hz: float, nominal: float, level: bytes, words: str
) -> None:
    task = capture(health, hz, nominal)
    assert task.level == level
    assert words in task.message


def test_diagnostics_message_follows_the_conventions() -> None:
    made = diagnostics.array("robot/camera", "Webcam 7", [capture(Health.LOST, 0.0, 30.0)], 7 * S)
    status = made.status[0]
    assert (status.name, status.hardware_id) == ("robot/camera: capture", "Webcam 7")
    values = {v.key: v.value for v in status.values}
    assert values["dropped"] == "2"
    assert values["reconnects"] == "3"
    assert values["remedy"] == "plug it in"
    assert made.header.stamp.sec == 7


def test_rate_falls_when_samples_stop() -> None:
    rate = diagnostics.Rate()
    for i in range(50):
        rate.tick(i * S // 10)
    assert rate.hz(49 * S // 10) == pytest.approx(10.0)
    assert rate.hz(69 * S // 10) < 8.0
    assert rate.hz(20 * S) == 0.0


# -- pairs


def test_explanation_and_window_find_each_other_in_any_order() -> None:
    pairs = Pairs()

    def window(name: str, sec: int) -> PerceptionWindow:
        made = PerceptionWindow(id=name)
        made.t1.sec = sec
        return made

    def explanation(name: str, sec: int) -> Explanation:
        made = Explanation(window_id=name)
        made.t1.sec = sec
        return made

    assert pairs.window(window("w000000", 1)) is None
    assert pairs.explanation(explanation("w000000", 9)) is None  # of another run
    found = pairs.explanation(explanation("w000000", 1))
    assert found is not None
    assert found[0].t1.sec == 1
    assert pairs.explanation(explanation("w000007", 7)) is None
    late = pairs.window(window("w000007", 7))
    assert late is not None
    for i in range(3 * KEPT):
        pairs.window(window(f"w{i}", i))
    assert len(pairs._windows) == KEPT


# -- bridges (the real packages are not on PyPI: same field names, plain classes)


class Plain(SimpleNamespace):
    """A message-like thing that starts with a header."""

    def __init__(self, **fields: Any) -> None:
        from std_msgs.msg import Header

        super().__init__(**{"header": Header(), **fields})


def foreign(*kinds: str) -> ModuleType:
    module = ModuleType("foreign")
    for kind in kinds:
        setattr(module, kind, Plain)
    return module


SMELT = SmellFrame(
    Nose(
        "x",
        "",
        (Channel("NO2", "ohm", "TGS2602"), Channel("CO", "adc"), Channel("H2", "ohm", "TGS2620")),
        ("temperature", "humidity", "pressure"),
        frame_id="enose_link",
    ),
    3,
    5 * S,
    np.array([10.0, 4294967295.0, 2.5]),
    (Fault.NONE, Fault.SENTINEL, Fault.NONE),
    (0, 1_000_000, 2_000_000),
    temperature_celsius=21.0,
    humidity_percent=40.0,
    pressure_hpa=1013.0,
    baseline=BaselineAir(np.array([12.0, np.nan, 3.0]), np.ones(3), 1, "calibrated"),
)


def test_gas_for_olfaction_msgs() -> None:
    make = bridges.Foreign(foreign("GasSensorArray", "GasSensor"))
    made = olfaction.array_message(make, SMELT)
    assert [s.technology for s in made.sensors] == [1, 1, 1, 100, 101]
    assert [s.raw_units for s in made.sensors] == [5, 0, 5, 100, 101]
    assert [(s.manufacturer, s.mpn) for s in made.sensors[:3]] == [(0, 0), (0, 0), (1, 50)]
    assert made.sensors[1].raw != made.sensors[1].raw  # NaN: no field says invalid
    assert made.sensors[4].raw == pytest.approx(40.0)
    assert [s.raw_air for s in made.sensors[:3]] == [12.0, 0.0, 3.0]
    assert made.sensors[0].header.frame_id == "enose_link/NO2"
    assert made.sensors[2].header.stamp.sec == 5
    assert made.sensors[2].header.stamp.nanosec == 2_000_000


def test_gas_from_olfaction_msgs() -> None:
    make = bridges.Foreign(foreign("GasSensorArray", "GasSensor"))
    back = olfaction.frame_from(olfaction.array_message(make, SMELT), seq=3)
    assert [c.name for c in back.nose.channels] == ["NO2", "CO", "H2"]
    assert [c.unit for c in back.nose.channels] == ["ohm", "unknown", "ohm"]
    assert [c.sensor_model for c in back.nose.channels] == ["", "", "TGS2620"]
    assert back.faults == (Fault.NONE, Fault.MISSING, Fault.NONE)
    assert back.offset_ns == SMELT.offset_ns
    assert (back.temperature_celsius, back.humidity_percent) == (21.0, 40.0)
    assert back.nose.air == ("temperature", "humidity")  # it has no pressure
    assert back.baseline is not None
    assert np.array_equal(back.baseline.values, [12.0, np.nan, 3.0], equal_nan=True)


def test_perception_smells_with_a_foreign_nose() -> None:
    make = bridges.Foreign(foreign("GasSensorArray", "GasSensor"))
    stream = TopicStream("enose", Kind.GAS)
    sent = olfaction.array_message(make, SMELT)
    assert stream.hold(sent)  # like any, until it is told where it comes from
    found = [stream.take(m, 9 * S) for m in (*stream.release(), sent)]
    assert [s.seq for s in found] == [1, 2]
    assert found[0].t_ns == 5 * S
    assert np.array_equal(found[0].payload, [10.0, np.nan, 2.5, 21.0, 40.0], equal_nan=True)
    assert stream.spec is not None
    assert stream.spec.unit == "mixed"
    assert stream.spec.device == "olfaction_msgs/GasSensorArray"
    with pytest.raises(ConfigError, match="olfaction_msgs is not installed"):
        bridges.gas_sensor_array()


def test_nothing_of_a_foreign_array_is_lost_on_the_way_back() -> None:
    make = bridges.Foreign(foreign("GasSensorArray", "GasSensor"))
    header = {"header": make.message("std_msgs/msg/Header", frame_id="nose/a")}
    other = {"raw": 1.5, "raw_air": 2.5, "calib_a": -0.7, "calib_b": 1e-3}
    sensors = [
        Plain(**header, **other, technology=2, manufacturer=2, mpn=0, raw_units=6),
        Plain(technology=255, manufacturer=255, mpn=255, raw_units=255, **other),
        Plain(technology=51, manufacturer=50, mpn=70, raw_units=4, **other | {"raw_air": 0.0}),
    ]
    sent = Plain(sensors=sensors)
    sent.header.frame_id = "nose"
    frame = olfaction.frame_from(sent)
    assert frame.faults == (Fault.NONE, Fault.UNSTABLE, Fault.NONE)
    assert [c.unit for c in frame.nose.channels] == ["ppm_m", "unknown", "ppb"]
    back = olfaction.array_message(make, frame)
    for was, now in zip(sensors, back.sensors, strict=True):
        for name in ("technology", "manufacturer", "mpn", "raw_units", "calib_a", "calib_b"):
            assert getattr(was, name) == getattr(now, name), name
        assert was.raw_air == now.raw_air
    with pytest.raises(FrameError, match="0 gas sensors"):
        olfaction.frame_from(Plain(sensors=[]))


def test_expression_and_speech_for_hri_msgs() -> None:
    hri = foreign("Expression", "LiveSpeech")
    base = {"id": "c", "confidence": 0.5, "t0_ns": S, "t1_ns": 2 * S}
    face = Cue(
        modality="face",
        name="expression",
        value="anger",
        emotion={"anger": 0.75, "neutral": 0.25},
        track="face 1",
        **base,
    )
    made = bridges.expression(face, face.t1_ns, hri)
    assert (made.expression, made.confidence, made.header.stamp.sec) == ("angry", 0.5, 2)
    assert made.valence != made.valence  # unknown is NaN
    words = Cue(modality="words", name="transcript", value="hello", **base)
    speech = bridges.live_speech(words, "en", hri)
    assert (speech.final, speech.language, speech.header.stamp.sec) == ("hello", "en", 2)
    assert bridges.hri_id("face 1") == "face_1"


def test_bridges_are_off_without_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "hri_msgs.msg", None)
    monkeypatch.setitem(sys.modules, "olfaction_msgs.msg", None)
    assert bridges.messages("hri_msgs") is None
    assert bridges.messages("olfaction_msgs") is None
