from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from thymos.cli import checks
from thymos.cli.checks import MIB, Finding, Machine
from thymos.cli.devices import Device
from thymos.cli.doctor import doctor, show
from thymos.models import FileCheck, RoleStatus

REQUIRES = (
    "numpy>=1.26",
    "pydantic>=2.10",
    'av>=14; extra == "camera"',
    "sounddevice>=0.5.1; extra == 'microphone'",
    'ros-jazzy-rclpy==7.1.6; extra == "ros"',
    'thymos[camera,microphone]; extra == "all"',
    'ruff>=0.9; extra == "dev"',
)


def levels(findings) -> dict[str, str]:
    return {f.name: f.level for f in findings}


def remedy(findings, name: str) -> str:
    return next(f.remedy for f in findings if f.name == name)


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9, 1), "fail"), ((3, 10, 4), "warn"), ((3, 11, 2), "ok"), ((3, 12, 0), "ok")],
)
def test_python(version, level) -> None:
    found = list(checks.check_python(Machine(python=version)))
    assert [f.level for f in found] == [level]
    assert bool(found[0].remedy) == (level != "ok")


def test_libraries_by_extra() -> None:
    have = {"numpy": "1.26.4", "pydantic": "2.1", "av": "18", "sounddevice": "0.5"}
    found = list(checks.check_libraries(Machine(requires=REQUIRES, version=have.get)))
    assert levels(found) == {
        "core": "ok", "camera": "ok", "microphone": "ok", "ros": "warn", "portaudio": "warn",
    }  # fmt: skip
    assert remedy(found, "ros") == "pip install 'thymos[ros]'"
    assert remedy(found, "portaudio") == "sudo apt-get install libportaudio2"
    assert "numpy 1.26.4" in found[0].text


def test_a_broken_core_fails() -> None:
    found = list(checks.check_libraries(Machine(requires=REQUIRES, version=lambda _: None)))
    assert levels(found)["core"] == "fail"
    assert "portaudio" not in levels(found)


def test_permissions_name_the_group() -> None:
    nodes = {"/dev/video*": ["/dev/video0"], "/dev/ttyACM*": ["/dev/ttyACM0"]}
    machine = Machine(
        user="ada", groups=frozenset({"audio", "dialout"}),
        nodes=lambda p: nodes.get(p, []), may_open=lambda path: False,
    )  # fmt: skip
    found = list(checks.check_permissions(machine))
    assert levels(found) == {"video": "warn", "dialout": "warn", "groups": "warn"}
    assert remedy(found, "video") == "sudo usermod -aG video ada, then log in again"
    assert remedy(found, "dialout") == "ls -l /dev/ttyACM0"  # the group is not what is missing
    open_all = Machine(root=True, nodes=lambda p: nodes.get(p, []))
    assert set(levels(checks.check_permissions(open_all)).values()) == {"ok"}


def test_devices() -> None:
    devices = [
        Device("camera", "v4l2:/dev/video0", "Cam"),
        Device("enose", "", "enose", "no bus", False, "fix"),
    ]
    found = list(checks.check_devices(devices))
    assert levels(found) == {"v4l2:/dev/video0": "ok", "enose": "warn"}
    assert [f.level for f in checks.check_devices([])] == ["ok"]
    known = Device("camera", "v4l2:0", "C920", calibrations=("av-sync 3 d (applied)",))
    (told,) = checks.check_devices([known])
    assert told.text == "C920; calibrated: av-sync 3 d (applied)"


def role(name: str, state) -> RoleStatus:
    return RoleStatus(name, name.upper(), "MIT", 1, state, Path("/m"), (), f"pull {name}")


def test_models() -> None:
    status = [role("a", "present"), role("b", "missing"), role("c", "damaged"),
              role("d", "missing"), role("e", "installed"), role("f", "present")]  # fmt: skip
    wrong = [FileCheck("f", "w.bin", False, "1", "2")]
    found = list(checks.check_models(status, frozenset({"d"}), wrong))
    assert levels(found) == {"a": "ok", "b": "warn", "c": "fail", "e": "ok", "f": "fail"}
    assert remedy(found, "f") == "thymos models pull f"


def test_ros() -> None:
    none = list(checks.check_ros(Machine()))
    assert levels(none) == {"rclpy": "warn"}
    alien = list(checks.check_ros(Machine(path=("/opt/ros/humble/lib/python3.10/site-packages",))))
    assert "not for Python 3.11" in alien[0].text
    bare = list(checks.check_ros(Machine(has_module=lambda name: name == "rclpy")))
    assert levels(bare) == {
        "rclpy": "ok", "thymos_msgs": "warn", "middleware": "ok", "profile": "warn",
    }  # fmt: skip
    env = {"FASTRTPS_DEFAULT_PROFILES_FILE": "/gone.xml"}
    gone = list(checks.check_ros(Machine(has_module=lambda _: True, env=env)))
    assert levels(gone)["profile"] == "fail"
    good = list(checks.check_ros(Machine(has_module=lambda _: True, env=env,
                                         is_file=lambda _: True)))  # fmt: skip
    assert set(levels(good).values()) == {"ok"}
    other = Machine(has_module=lambda _: True, env={"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
    assert "profile" not in levels(checks.check_ros(other))


def test_resources() -> None:
    rich = Machine(cpus=4, memory=8192 * MIB, available=4096 * MIB, shm_bytes=512 * MIB,
                   free={"here": 9000 * MIB})  # fmt: skip
    assert set(levels(checks.check_resources(rich)).values()) == {"ok"}
    poor = Machine(cpus=1, memory=512 * MIB, available=100 * MIB, shm_bytes=64 * MIB,
                   free={"here": 100 * MIB, "models": 1000 * MIB})  # fmt: skip
    assert levels(checks.check_resources(poor)) == {
        "processors": "warn", "memory": "fail", "shared memory": "warn", "disk (here)": "fail",
        "disk (models)": "warn",
    }  # fmt: skip
    assert all(f.remedy for f in checks.check_resources(poor))


def test_this_machine_can_be_looked_at() -> None:
    machine = Machine.here({"here": Path("/no/such/folder")})
    assert machine.cpus >= 1
    assert machine.free["here"] > 0
    assert any(line.startswith("numpy") for line in machine.requires)
    assert levels(checks.check_libraries(machine))["core"] == "ok"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> typer.Typer:
    monkeypatch.setenv("THYMOS_MODELS", str(tmp_path))
    app = typer.Typer()
    app.command()(doctor)
    return app


def test_command_in_json_and_its_exit_code(command: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--json"])
    body = json.loads(result.stdout)
    assert result.exit_code == (0 if body["ok"] else 1)
    by_name = {(f["area"], f["name"]): f for f in body["findings"]}
    assert by_name["models", "llm"]["level"] == "warn"
    assert by_name["models", "llm"]["remedy"] == "thymos models pull llm"
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"cut off")
    result = CliRunner().invoke(command, ["--json"])
    assert result.exit_code == 1
    assert CliRunner().invoke(command, ["--json", "--verify"]).exit_code == 1


def test_a_wrong_registry_is_a_finding(command, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THYMOS_MODELS_REGISTRY", str(tmp_path / "no.yaml"))
    result = CliRunner().invoke(command, ["--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)["findings"]
    assert [f["level"] for f in found if f["area"] == "models"] == ["fail"]


def test_table_shows_remedies() -> None:
    out = Console(file=io.StringIO(), width=80)
    show(
        out, [Finding("a", "x", "ok", "fine", "unused"), Finding("a", "y", "warn", "[b]", "do it")]
    )
    text = out.file.getvalue()
    assert "→ do it" in text
    assert "unused" not in text
    assert "[b]" in text
    assert "missing or worth a look: 1" in text
