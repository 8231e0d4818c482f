"""What is known of a BME board beside its rows: noses, labels, configuration, clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from thymos.smell.formats.base import FormatError, Row
from thymos.smell.formats.bme_config import BoardConfig, parse_config, parse_labels, read_json
from thymos.smell.formats.cells import to_ns
from thymos.smell.formats.facts import PREFIX
from thymos.smell.frame import NAN, Channel, Nose

SUFFIX = ".bmerawdata"
LABELS = ".bmelabelinfo"
HINT = "a .bmerawdata file of BME AI-Studio is needed"
MAX_SENSORS = 16
MAX_STEPS = 16
MS = 1_000_000
_NS = 1_000_000_000
FIRST_SPECIMEN = 1001
"""Tags below are buttons of the board, not odours."""
SENSOR, ID, TIME, CLOCK = "sensor_index", "sensor_id", "timestamp_since_poweron", "real_time_clock"
OHM, STEP, TAG, ERROR = (
    "resistance_gassensor",
    "heater_profile_step_index",
    "label_tag",
    "error_code",
)
AIR_KEYS = {
    "temperature": "temperature",
    "humidity": "relative_humidity",
    "pressure": "pressure",
}
NEEDED = (SENSOR, STEP, TIME, OHM)


def labels_beside(path: Path) -> tuple[dict[int, str], dict[str, str], list[str]]:
    """Names of the tags from the file beside the log; a broken one gives none, and says so."""
    beside = path.with_suffix(LABELS)
    if not beside.is_file():
        return {}, {}, []
    try:
        data, text = read_json(beside)
        names, warnings = parse_labels(data)
    except (FormatError, ValueError) as err:
        return {}, {}, [f"the label file cannot be used: {err}"]
    return names, {LABELS: text}, warnings


def config_in(data: dict[str, Any], warnings: list[str]) -> BoardConfig:
    """The configuration at the head of a log; what is wrong with it goes to `warnings`."""
    try:
        config = parse_config(data)
    except ValueError as err:
        warnings.append(str(err))
        return BoardConfig("", (), {}, {})
    warnings += config.warnings
    return config


def power_on_ns(rows: list[Row], names: tuple[str, ...]) -> int:
    """When the board was switched on, by its real-time clock; 0 if it has none."""
    if CLOCK not in names:
        return 0
    clock, time = names.index(CLOCK), names.index(TIME)
    for row in rows:
        try:
            now_ns = to_ns(row.cells[clock], _NS)
        except ValueError:
            continue
        if now_ns > 0:
            return now_ns - to_ns(row.cells[time], MS)
    return 0


def noses_of(
    data: dict[str, Any],
    config: BoardConfig,
    seen: dict[int, int],
    told: dict[str, str],
    first: tuple[list[Row], tuple[str, ...]],
) -> dict[int, Nose]:
    """The sensors of a board, each a nose, by their index.

    Args:
        data: The log without its rows.
        config: What the board was told to do.
        seen: Sensor → number of heater steps in the file.
        told: Facts that every nose shall carry.
        first: The first rows and the keys of the columns.
    """
    rows, names = first
    header = data.get("rawDataHeader")
    known = {str(k): str(v)[:120] for k, v in header.items()} if isinstance(header, dict) else {}
    board = known.get("boardId", "")
    session = "_".join(known[k] for k in ("seedPowerOnOff", "counterPowerOnOff") if k in known)
    ids: dict[int, str] = {}
    for row in rows:
        if ID in names:
            ids.setdefault(int(row.cells[names.index(SENSOR)]), row.cells[names.index(ID)])
    noses = {}
    for sensor in sorted(seen):
        profile = config.profile_of(sensor)
        channels = tuple(
            Channel(
                f"s{sensor}_h{step}",
                "ohm",
                sensor_model=config.model,
                sensor_id=ids.get(sensor, ""),
                heater_profile=profile.name,
                heater_step=step,
                heater_celsius=profile.steps[step][0] if step < len(profile.steps) else NAN,
                heater_ns=profile.steps[step][1] if step < len(profile.steps) else 0,
            )
            for step in range(max(seen[sensor], len(profile.steps)))
        )
        noses[sensor] = Nose(
            model=f"{config.model} {config.board}".strip(),
            serial=f"{board}/s{sensor}" if board else f"s{sensor}",
            channels=channels,
            air=tuple(name for name, key in AIR_KEYS.items() if key in names),
            tick_hz=1000.0,
            extra={**told, PREFIX + "header": json.dumps(known), "session": session,
                   SENSOR: str(sensor)},
        )  # fmt: skip
    return noses
