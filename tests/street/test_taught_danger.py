"""An odour that a person taught as a danger warns people, and waits for no language model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.config import Config, PerceiveConfig, RespondConfig, WindowConfig
from thymos.contract import Alert
from thymos.devices import open_uri
from thymos.events import Observer
from thymos.perceive.smell import SmellPerceiver
from thymos.pipeline import Pipeline
from thymos.reason.rules import RulesReasoner
from thymos.respond.guard import rulebook
from thymos.respond.responder import StreetResponder
from thymos.runner import run_offline
from thymos.samples import each
from thymos.smell.recognise.store import device_of

QUIET = Config(window=WindowConfig(length_s=4.0, hop_s=4.0), respond=RespondConfig(speak=False))


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "calibrations"))


def simulated(events: str, seconds: int, seed: int) -> Any:
    source = open_uri("enose", f"sim:?pace=0&seconds={seconds}&seed={seed}&events={events}")
    assert source is not None
    return source


def recorded(path: Path, odour: str, seed: int) -> tuple[Path, str]:
    """A recording of one sniff as CSV, and under which name its nose is known."""
    with simulated(f"{odour}@20-55", 120, seed) as source, path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["t_s", *(f"{name} [ohm]" for name in source.spec.channels)])
        for sample in each(source):
            rows.writerow([sample.t_ns / 1e9, *(round(float(v), 2) for v in sample.payload)])
        return path, device_of(source.spec)


def teach(folder: Path, name: str, odour: str, *more: str) -> None:
    files = [recorded(folder / f"{odour}{seed}.csv", odour, seed) for seed in (5, 6, 7)]
    given = [part for path, _ in files for part in ("--from", str(path))]
    asked = ["smell", "teach", name, "--nose", files[0][1], "--json", *given, *more]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.stdout)["sniffs"] == 3


class Log(Observer):
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def on_alert(self, alert: Alert) -> None:
        self.alerts.append(alert)


def street(odour: str) -> tuple[list[Any], list[Alert]]:
    """A run with other noise than what was taught, without any language model."""
    log = Log()
    pipeline = Pipeline(
        QUIET,
        perceivers=[SmellPerceiver(PerceiveConfig())],
        reasoner=RulesReasoner(),
        responder=StreetResponder(),
        observers=[log],
    )
    reports = list(run_offline([simulated(f"{odour}@20-45", 60, 11)], pipeline))
    pipeline.close()
    return reports, log.alerts


def test_what_was_taught_as_smoke_warns_as_smoke_does(tmp_path: Path) -> None:
    teach(tmp_path, "our stove", "coffee", "--means", "smoke")
    teach(tmp_path, "orange peel", "orange")
    reports, alerts = street("coffee")
    (alert,) = alerts
    assert (alert.cue.name, alert.cue.value) == ("danger", "smoke")
    assert alert.response.guard.danger == "smoke"
    assert alert.response.text == rulebook().danger["smoke"].smelt
    assert alert.t_ns / 1e9 < 32  # the first answer comes after 5 s, and must hold for one
    odours = [c for r in reports for c in r.cues if c.name == "odour" and c.value != "unknown"]
    assert {c.value for c in odours} == {"smoke"}
    assert all(c.untrusted and "our stove, taught as smoke" in c.text for c in odours)
    assert [c.value for r in reports for c in r.cues if c.name == "odour_pleasantness"]
    told = "".join(r.explanation.model_dump_json() + r.response.model_dump_json() for r in reports)
    assert "like smoke" in told
    assert "stove" not in told
    assert street("orange")[1] == []


@pytest.mark.parametrize("means", [[], ["--means", "coffee"]])
def test_without_that_meaning_nobody_is_warned(tmp_path: Path, means: list[str]) -> None:
    teach(tmp_path, "our stove", "coffee", *means)
    reports, alerts = street("coffee")
    assert alerts == []
    values = {c.value for r in reports for c in r.cues if c.name == "odour"}
    assert values - {"unknown"} == {"coffee" if means else "our stove"}
