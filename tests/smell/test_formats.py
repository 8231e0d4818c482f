"""Foreign formats on files made by their descriptions; real ones are in test_formats_real.py."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.smell import formats
from thymos.smell.check import problems
from thymos.smell.formats import FormatError
from thymos.smell.formats.cells import ns_written, number, style_of, to_ns, written
from thymos.smell.formats.columns import read_header
from thymos.smell.formats.compose import own_csv
from thymos.smell.formats.delimited import split
from thymos.smell.frame import Fault, Phase, SmellFrame, TimeSource


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def frames_of(path: Path, name: str, **options: bool) -> list[SmellFrame]:
    """Readings of a file that is recognised as `name` and comes back byte for byte, both ways."""
    recording = formats.read(path, **options)
    assert recording.format == name
    encoding = recording.dialect.encoding
    made = list(formats.frames(recording))
    again = formats.from_frames(made, name)
    assert "".join(recording.texts()).encode(encoding) == path.read_bytes()
    assert "".join(again.texts()).encode(encoding) == path.read_bytes()
    assert [words for frame in made for words in problems(frame)] == []
    return made


# -- texts of numbers


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (("31", "0", "-4"), "d"), (("25.59", "31.0"), "r"), (("1.500000", "2.250000"), ".6f"),
        (("", ""), "r"), (("1e-05", "0.1"), "r"),
    ],
)  # fmt: skip
def test_numbers_come_back_as_they_were_written(texts: tuple[str, ...], style: str) -> None:
    assert style_of(texts) == style
    assert all(written(number(text), style) == text for text in texts)


@pytest.mark.parametrize("text", ["1_000", "٣", "1,5", "1e999", "9" * 500, "0x10", "--1", "1 2"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|comma|large"):
        number(text)


@pytest.mark.parametrize("text", ["", "nan", "NaN", "N/A"])
def test_no_value_is_nan(text: str) -> None:
    assert math.isnan(number(text))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01", 10**9),
        ("1970-01-01 00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01T00:00:00.000000001-0030", 1_800_000_000_001),
        ("1969-12-31T23:59:59", -(10**9)),
    ],
)
def test_dates(text: str, ns: int) -> None:
    assert to_ns(text, 10**9) == ns


@pytest.mark.parametrize("text", ["2024-13-01T00:00:00", "2024-01-01", "2024-01-01T25:00:00", ""])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        to_ns(text, 10**9)


def test_times_are_exact() -> None:
    assert to_ns("1700000000.123456789", 10**9) == 1_700_000_000_123_456_789
    assert ns_written(1_700_000_000_123_456_789, 10**9, ".9f") == "1700000000.123456789"
    assert ns_written(4834 * 10**6, 10**6, "d") == "4834"


@pytest.mark.parametrize(
    ("line", "mark", "cells"),
    [
        ("1, 2,3\r\n", ",", ("1", "2", "3")),
        ("\t 1  2\t3 \n", " ", ("1", "2", "3")),
        ("1\t\t3\n", "\t", ("1", "", "3")),
        ('"a, b",2,"say ""x"""\n', ",", ('"a, b"', "2", '"say ""x"""')),
        (",,\n", ",", ("", "", "")),
        ("1;2", ";", ("1", "2")),
    ],
)
def test_lines_are_taken_apart_and_put_together(
    line: str, mark: str, cells: tuple[str, ...]
) -> None:
    found, layout = split(line, mark)
    assert found == cells
    assert (
        layout[0] + "".join(c + after for c, after in zip(found, layout[1:], strict=True)) == line
    )


# -- tables with a header


def test_our_own_csv(tmp_path: Path) -> None:
    text = "t_s,NO2 [ohm],CO [ohm],temperature,pressure\n0.00,1500,2,25.0,1013.2\n0.25,nan,,,\n"
    one, two = frames_of(write(tmp_path / "a.csv", text), "csv")
    assert [c.name for c in one.nose.channels] == ["NO2", "CO"]
    assert {c.unit for c in one.nose.channels} == {"ohm"}
    assert (one.t_ns, two.t_ns) == (0, 250_000_000)
    assert one.time_source is TimeSource.FILE
    assert (one.temperature_celsius, one.pressure_hpa) == (25.0, 1013.2)
    assert two.faults == (Fault.MISSING, Fault.MISSING)
    assert two.extra == {"NO2 [ohm]": "nan"}


@pytest.mark.parametrize(
    "text",
    [
        "\ufefft_s,NO2\r\n1,2\r\n3,4\r\n",
        "t_s;NO2\n1;2\n3;4",
        "t_s\tNO2\n1\t2\n\n# a remark\n3\t4\n\n\n",
        '"t_s","NO2"\n"1","2"\n"3","4"\n',
        "t_s, NO2\n 1, 2\n3,4 \n",
        "t_s,NO2\n1.50,007\n3e0,+4\n",
    ],
)
def test_bytes_that_mean_nothing_stay(tmp_path: Path, text: str) -> None:
    """Marks, line ends, blanks, quotes, remarks, zeros."""
    made = frames_of(write(tmp_path / "a.csv", text), "csv")
    assert [float(f.values[0]) for f in made] in ([2, 4], [7, 4])


def test_a_header_in_latin_1(tmp_path: Path) -> None:
    text = "t_s,gas_a,raw temperature [°C]\n1,2,20\n"
    (frame,) = frames_of(write(tmp_path / "a.csv", text, "latin-1"), "csv")
    assert frame.temperature_celsius == 20.0


def test_pascal_becomes_hectopascal_and_back(tmp_path: Path) -> None:
    text = "ms,NO2,pressure\n0,1,101325.0\n1000,2,99987.3\n"
    made = frames_of(write(tmp_path / "a.csv", text), "csv")
    assert [f.pressure_hpa for f in made] == [1013.25, 999.873]
    assert all(f.extra == {} for f in made)


def test_dates_and_labels(tmp_path: Path) -> None:
    text = (
        "timestamp,NO2,room,label\n2024-08-10T03:20:30.5Z,1,kitchen,tea\n"
        "2024-08-10 05:20:31+02:00,2,kitchen,\n2024-08-10 03:20:32,3,,mint\n"
    )
    path = write(tmp_path / "a.csv", text)
    made = frames_of(path, "csv")
    assert [f.t_ns - made[0].t_ns for f in made] == [0, 500_000_000, 1_500_000_000]
    assert made[0].t_ns == 1_723_260_030_500_000_000
    assert [c.name for c in made[0].nose.channels] == ["NO2"]
    assert [[o.name for o in f.odorants] for f in made] == [["tea"], [], ["mint"]]
    assert any("dates" in words for words in formats.read(path).warnings)


BSEC = (
    "Timestamp [ms], raw temperature [°C], pressure [hPa], raw relative humidity [%], gas [Ohm], "
    "IAQ, IAQ accuracy, temperature [°C], relative humidity [%], Static IAQ, CO2 equivalent, "
    "breath VOC equivalent"
)


def test_bsec_by_the_names_of_its_columns(tmp_path: Path) -> None:
    row = "3025, 25.31, 1013.25, 45.12, 102400.00, 25.00, 0, 25.25, 45.40, 25.00, 500.00, 0.50"
    text = f"BSEC library version 1.4.8.0\r\n{BSEC}\r\n{row}\r\n6025{row[4:]}\r\n"
    one, two = frames_of(write(tmp_path / "log.txt", text), "bsec")
    assert one.nose.channels[0].unit == "ohm"
    assert one.values.tolist() == [102400.0]
    assert (one.temperature_celsius, one.humidity_percent, one.pressure_hpa) == (
        25.25,
        45.4,
        1013.25,
    )
    assert two.t_ns - one.t_ns == 3 * 10**9
    assert one.extra["IAQ"] == "25.00"


def test_a_fork_of_bsec_puts_iaq_first(tmp_path: Path) -> None:
    text = (
        "IAQ,IAQ accuracy,Timestamp [ms],gas [Ohm],temperature [°C]\n"
        "25.0,0,1000,50000.5,21.0\nBSEC library version 1.4.8.0\n26.0,1,2000,50001.5,21.5\n"
    )
    made = frames_of(write(tmp_path / "log.csv", text), "bsec")
    assert [float(f.values[0]) for f in made] == [50000.5, 50001.5]
    assert [f.temperature_celsius for f in made] == [21.0, 21.5]


def smellnet(header: str = "C2H5OH") -> str:
    names = f"NO2,{header},VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance"
    return f"{names},Altitude\n31,67,75,818,2,29,4294967295,25.59,1015.15,38.72,242.43,15.44\n"


def test_smellnet_sentinel_and_name(tmp_path: Path) -> None:
    (frame,) = frames_of(
        write(tmp_path / "brazil_nut.1f2e3d4c5b6a.csv.csv", smellnet()), "smellnet"
    )
    assert frame.faults[6] is Fault.SENTINEL
    assert frame.values[6] == 4294967295.0
    assert frame.odorants[0].name == "brazil_nut"
    assert frame.extra == {"Altitude": "15.44"}
    assert frame.time_source is TimeSource.ROW
    (old,) = frames_of(write(tmp_path / "avocado_6.csv", smellnet("C2H50H")), "smellnet")
    assert old.odorants[0].name == "avocado"


# -- OpenSmell Exchange


def exchange_file(folder: Path, step: float, told: dict[str, object] | None) -> Path:
    rows = "".join(f"{i * step:g},{500 + i},0.5,22.0\n" for i in range(12))
    path = write(folder / "coffee_rig_2026.csv", f"timestamp,sensor_1,MQ3,ch_temp\n{rows}")
    if told is not None:
        write(path.with_suffix(".json"), json.dumps(told))
    return path


TOLD = {
    "substance": "coffee",
    "device_id": "rig",
    "sampling_rate_hz": 2.0,
    "sensor_units": {"sensor_1": "adc", "MQ3": "rs_r0", "ch_temp": "temperature_celsius"},
    "sensor_models": {"MQ3": "MQ-3"},
}


def test_exchange_with_its_sidecar(tmp_path: Path) -> None:
    path = exchange_file(tmp_path, 0.5, TOLD)
    made = frames_of(path, "exchange")
    nose = made[0].nose
    assert [(c.name, c.unit, c.sensor_model) for c in nose.channels] == [
        ("sensor_1", "adc", ""), ("MQ3", "rs_r0", "MQ-3"),
    ]  # fmt: skip
    assert (nose.serial, nose.rate_hz, nose.air) == ("rig", 2.0, ("temperature",))
    assert made[3].t_ns == 1_500_000_000
    assert made[0].odorants[0].name == "coffee"
    recording = formats.read(path)
    assert recording.warnings == []
    formats.write(formats.from_frames(made, "exchange"), tmp_path / "b.csv")
    assert (tmp_path / "b.json").read_bytes() == path.with_suffix(".json").read_bytes()


@pytest.mark.parametrize(
    ("step", "told", "said", "second_ns"),
    [
        (0.5, TOLD, "", 500_000_000),
        (500.0, TOLD, "time_unit_mismatch", 500_000_000),
        (0.1, TOLD, "time_unit_mismatch: 2 Hz declared, 10 Hz measured", 100_000_000),
        (500.0, None, "time_unit_mismatch", 500_000_000),
        (0.6, TOLD, "", 600_000_000),
    ],
)
def test_the_measured_rate_beats_the_declared_one(
    tmp_path: Path, step: float, told: dict[str, object] | None, said: str, second_ns: int
) -> None:
    recording = formats.read(exchange_file(tmp_path, step, told))
    warnings = " ".join(recording.warnings)
    assert (said in warnings) if said else "mismatch" not in warnings
    times = [frame.t_ns for frame in formats.frames(recording)]
    assert times[1] - times[0] == second_ns


def test_exchange_without_a_time_axis(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ch0,ch1\n" + "1,2\n" * 10)
    write(path.with_suffix(".json"), json.dumps({"substance": "tea", "sampling_rate_hz": 4}))
    made = frames_of(path, "exchange")
    assert made[1].t_ns == 250_000_000
    write(path.with_suffix(".json"), json.dumps({"substance": "tea"}))
    assert any("no_time_axis" in words for words in formats.read(path).warnings)


def test_a_broken_sidecar_is_told(tmp_path: Path) -> None:
    path = exchange_file(tmp_path, 0.5, None)
    write(path.with_suffix(".json"), "{")
    with pytest.raises(FormatError, match=r"coffee_rig_2026.json' is no JSON"):
        formats.read(path)


# -- UCI series, made by their descriptions: the real files are not here


def test_home_activity(tmp_path: Path) -> None:
    head = "id time\t      R1         R2         R3         R4         R5         R6         R7   "
    rows = "".join(
        f"{n}  {t:.6f}  12.862100  10.368300  10.438300  11.669900  13.493100  13.342300  "
        f"8.041690  8.739010  26.225700  59.052800\n"
        for n in (0, 1)
        for t in (-0.99975, 0.0, 1.5, 2.0)
    )
    path = write(
        tmp_path / "HT_Sensor_dataset.dat", f"{head}     R8        Temp.      Humidity\n{rows}"
    )
    plain = frames_of(path, "home-activity")
    assert {f.phase for f in plain} == {Phase.UNKNOWN}
    write(
        tmp_path / "HT_Sensor_metadata.dat",
        "id\tdate\t\tclass\t\tt0\tdt\n0\t07-04-15\tbanana\t13.49\t1.64\n"
        "1\t07-05-15\tbackground\t19.61\t0.54\n",
    )
    made = frames_of(path, "home-activity")
    assert [f.phase for f in made[:4]] == [
        Phase.BASELINE, Phase.EXPOSURE, Phase.EXPOSURE, Phase.RECOVERY,
    ]  # fmt: skip
    assert [len(f.odorants) for f in made] == [0, 1, 1, 0, 0, 0, 0, 0]
    assert made[0].t_ns == round(-0.99975 * 3600 * 10**9)
    assert [c.sensor_model for c in made[0].nose.channels][:2] == ["TGS2611", "TGS2612"]
    in_ohm = frames_of(path, "home-activity", ohms=True)
    assert in_ohm[0].nose.channels[0].unit == "ohm"
    assert in_ohm[0].values[0] == pytest.approx(12862.1)
    assert in_ohm[0].extra["R1"] == "12.862100"


def test_dynamic_mixtures(tmp_path: Path) -> None:
    head = (
        "Time (seconds), Methane conc (ppm), Ethylene conc (ppm), sensor readings (16 channels)\n"
    )
    sensors = "  ".join(f"{1000 + c:.2f}" for c in range(15))
    rows = "".join(
        f"{t:.2f}    {m:.2f}    0.00    {sensors}  -50.85 \r\n"
        for t, m in ((0.0, 0.0), (0.01, 296.67))
    )
    path = write(tmp_path / "ethylene_methane.txt", head + rows)
    made = frames_of(path, "dynamic-mixtures")
    assert made[1].t_ns == 10_000_000
    assert [(o.name, o.amount, o.unit) for o in made[1].odorants] == [("methane", 296.67, "ppm")]
    assert made[0].odorants == ()
    in_ohm = frames_of(path, "dynamic-mixtures", ohms=True)[0]
    assert in_ohm.values[0] == pytest.approx(40000.0 / 1000.0 * 1000.0)
    assert in_ohm.faults[15] is Fault.OUT_OF_RANGE
    assert in_ohm.extra["S16"] == "-50.85"
    assert np.isnan(in_ohm.values[15])


def test_exchange_without_sidecar_is_named_by_its_file(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n}\n" for n in range(10))
    path = write(tmp_path / "green-tea_rig-1_2026-06-15.csv", f"timestamp,MQ3\n{rows}")
    assert frames_of(path, "exchange")[0].odorants[0].name == "green-tea"


def test_a_turbulent_copy_with_a_header_is_a_csv(tmp_path: Path) -> None:
    head = "Time(s),Temperature(oC),Relative_Humidity(%)," + ",".join(f"S{i}" for i in range(8))
    row = "0.5,23.5,50.1," + ",".join(["700"] * 8)
    path = write(tmp_path / "000_Et_H_CO_n.csv", f"{head}\n{row}\n")
    (frame,) = frames_of(path, "csv")
    assert (frame.humidity_percent, len(frame.nose.channels)) == (50.1, 8)


@pytest.mark.parametrize("mark", [",", " "])
def test_turbulent_mixtures(tmp_path: Path, mark: str) -> None:
    rows = "".join(
        mark.join([f"{t:.1f}", "23.5", "50.1", *(f"{700 + c}" for c in range(8))]) + "\n"
        for t in (0, 59.9, 60, 239.9, 240)
    )
    path = write(tmp_path / "000_Et_H_CO_n", rows)
    made = frames_of(path, "turbulent-mixtures")
    assert [f.phase for f in made] == [
        Phase.BASELINE, Phase.BASELINE, Phase.EXPOSURE, Phase.EXPOSURE, Phase.RECOVERY,
    ]  # fmt: skip
    assert [o.name for o in made[0].odorants] == ["ethylene"]
    assert made[0].temperature_celsius == 23.5
    in_ohm = frames_of(path, "turbulent-mixtures", ohms=True)[0]
    assert in_ohm.values[0] == pytest.approx(10 * (3110 - 700) / 700 * 1000)


def test_twin_arrays(tmp_path: Path) -> None:
    rows = "".join(
        "\t".join([f"{t / 100:.2f}", *(f"{30 + c}.{t}" for c in range(8))]) + "\n" for t in range(4)
    )
    path = write(tmp_path / "B1_GEa_F040_R2.txt", rows)
    made = frames_of(path, "twin-arrays")
    assert made[0].nose.serial == "B1"
    assert [(o.name, o.amount) for o in made[0].odorants] == [("ethanol", 50.0)]
    assert made[3].t_ns == 30_000_000
    assert made[0].nose.channels[0].unit == "kohm"
    other = write(tmp_path / "B5_GCO_F100_R1.txt", rows)
    assert frames_of(other, "twin-arrays")[0].odorants[0].amount == 250.0


def test_libsvm_of_the_older_set_has_no_amounts(tmp_path: Path) -> None:
    row = "1 " + " ".join(f"{i}:{i / 2:.6f}" for i in range(1, 129))
    path = write(tmp_path / "batch1.dat", f"{row} \n{row.replace('1 ', '6 ', 1)} \n")
    table = formats.read(path)
    assert "".join(table.texts()) == path.read_text()
    one, two = table.exposures()
    assert (one.gas, two.gas) == ("Ethanol", "Toluene")
    assert math.isnan(one.ppm)
    assert one.values[127] == 64.0


# -- BME logs


def bme_log(
    rows: list[list[object]], *, board: str = "board_8", compact: bool = True, tail: str = ""
) -> str:
    keys = (
        "label_tag",
        "sensor_index",
        "sensor_id",
        "timestamp_since_poweron",
        "real_time_clock",
        "temperature",
        "pressure",
        "relative_humidity",
        "resistance_gassensor",
        "heater_profile_step_index",
        "error_code",
    )  # fmt: skip  (in another order than the board writes them)
    profile = {"id": "p", "timeBase": 140, "temperatureTimeVectors": [[320, 5], [100, 2]]}
    sensors = [{"sensorIndex": i, "heaterProfile": "p", "dutyCycleProfile": "d"} for i in range(8)]
    data = {
        "configHeader": {"boardType": board},
        "configBody": {"heaterProfiles": [profile], "sensorConfigurations": sensors},
        "rawDataHeader": {"boardId": "A1", "seedPowerOnOff": "seed", "counterPowerOnOff": 2},
        "rawDataBody": {"dataColumns": [{"key": k} for k in keys], "dataBlock": rows},
    }
    return json.dumps(data, indent=None if compact else "\t") + tail


def bme_rows(clock: int = 1_700_000_000) -> list[list[object]]:
    return [
        [
            0,
            s,
            90 + s,
            5000 + 140 * h + s,
            clock + 5 if clock else 0,
            20.5,
            1010.25,
            40,
            1e5 + h,
            h,
            0,
        ]
        for h in (0, 1)
        for s in (0, 3)
    ]


@pytest.mark.parametrize("compact", [True, False])
def test_bme_columns_go_by_their_key(tmp_path: Path, compact: bool) -> None:
    path = write(tmp_path / "a.bmerawdata", bme_log(bme_rows(), compact=compact))
    made = frames_of(path, "bmerawdata")
    assert [f.nose.serial for f in made] == ["A1/s0", "A1/s3", "A1/s0", "A1/s3"]
    assert made[0].t_ns == 1_700_000_005 * 10**9
    assert made[2].t_ns - made[0].t_ns == 140_000_000
    assert made[0].time_source is TimeSource.DEVICE
    assert (made[2].values[1], made[2].faults[0]) == (100001.0, Fault.MISSING)
    assert made[0].nose.channels[1].heater_celsius == 100.0
    assert made[0].nose.channels[1].heater_ns == 280_000_000
    assert made[0].session == "seed_2"
    assert made[0].humidity_percent == 40.0


def test_a_bme690_has_no_clock_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmerawdata", bme_log(bme_rows(clock=0), board="board_690"))
    made = frames_of(path, "bmerawdata")
    assert made[0].t_ns == 5000 * 10**6
    assert made[0].time_source is TimeSource.FILE
    assert made[0].nose.model == "BME690 board_690"
    assert "no real-time clock: times count from power-on" in formats.read(path).warnings


def test_columns_behind_the_rows_and_odd_numbers(tmp_path: Path) -> None:
    text = bme_log([[1, 0, 7, 1.50, 0, 2e1, 1e3, 50.000, 100000.0, 0, 0]])
    text = text.replace("1.5,", "1.50,").replace("20.0,", "2e1,").replace("50.0,", "50.000,")
    data = text.replace('"rawDataBody": {"dataColumns"', '"rawDataBody": {"x": 1, "dataColumns"')
    head, _, rest = data.partition('"dataColumns": ')
    columns, _, block = rest.partition(', "dataBlock": ')
    moved = f'{head}"dataBlock": {block[:-2]}, "dataColumns": {columns}}}}}'
    made = frames_of(write(tmp_path / "a.bmerawdata", moved), "bmerawdata")
    assert made[0].t_ns == 1_500_000
    assert made[0].values[0] == 1e5


@pytest.mark.parametrize("indent", [None, 2, 4, "\t"])
def test_settings_that_are_changed_keep_their_layout(tmp_path: Path, indent: str | None) -> None:
    text = json.dumps({"labelInformation": [{"labelTag": 1001, "labelName": "käse"}]},
                      indent=indent, ensure_ascii=False).replace("\n", "\r\n")  # fmt: skip
    found = formats.read(write(tmp_path / "a.bmelabelinfo", text))
    assert "".join(found.texts()) == text
    found.data["labelInformation"][0]["labelName"] = "tee"
    formats.write(found, tmp_path / "b.bmelabelinfo")
    assert (tmp_path / "b.bmelabelinfo").read_bytes().decode() == text.replace("käse", "tee")


def test_settings_in_an_odd_layout_are_copied(tmp_path: Path) -> None:
    text = '{ "labelInformation":\n[ {"labelTag":1.0e0,\t"labelName":"x"} ] }'
    found = formats.read(write(tmp_path / "a.bmelabelinfo", text))
    assert found.style is None
    assert "".join(found.texts()) == text


def test_a_label_defined_twice_is_told_and_the_last_counts(tmp_path: Path) -> None:
    rows = bme_rows()
    rows[1][0] = 1001
    path = write(tmp_path / "a.bmerawdata", bme_log(rows))
    labels = [{"labelTag": 1001, "labelName": name} for name in ("Specimen 1001", "avocado")]
    write(path.with_suffix(".bmelabelinfo"), json.dumps({"labelInformation": labels}))
    recording = formats.read(path)
    assert any("two names" in words for words in recording.warnings)
    made = list(formats.frames(recording))
    assert [[o.name for o in f.odorants] for f in made] == [[], ["avocado"], [], []]
    formats.write(formats.from_frames(made, "bmerawdata"), tmp_path / "b.bmerawdata")
    beside = tmp_path / "b.bmelabelinfo"
    assert beside.read_bytes() == path.with_suffix(".bmelabelinfo").read_bytes()


def test_a_part_of_a_log_and_two_parts_stay_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmerawdata", bme_log(bme_rows()))
    made = list(formats.frames(formats.read(path)))
    for some in (made[2:], made[2:] + made[:2]):
        formats.write(formats.from_frames(some, "bmerawdata"), tmp_path / "b.bmerawdata")
        again = list(formats.frames(formats.read(tmp_path / "b.bmerawdata")))
        assert [f.tick for f in again] == [f.tick for f in some]


def test_rows_of_a_table_in_another_order_stay_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "# remark\nt_s,NO2\n1,2\n3,4")
    made = frames_of(path, "csv")
    formats.write(formats.from_frames(made[::-1], "csv"), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "# remark\nt_s,NO2\n3,4\n1,2\n"


def test_readings_of_two_files_are_not_one(tmp_path: Path) -> None:
    one = list(formats.frames(formats.read(write(tmp_path / "a.csv", "t_s,NO2\n1,2\n"))))
    two = list(formats.frames(formats.read(write(tmp_path / "b.csv", "t_s,CO,NO2\n1,2,3\n"))))
    with pytest.raises(FormatError, match="the readings come from several"):
        list(formats.from_frames(one + two, "csv").texts())


@pytest.mark.parametrize("name", ["a.udf", "a.aiconfig"])
def test_kinds_that_others_convert(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="not read here") as wrong:
        formats.read(write(tmp_path / name, "x"))
    assert ".bmerawdata" in wrong.value.hint


# -- CSV from readings of any nose


def test_our_csv_from_any_nose(tmp_path: Path) -> None:
    path = write(tmp_path / "avocado_6.csv", smellnet())
    made, lost = own_csv(lambda: formats.frames(formats.read(path)))
    formats.write(made, tmp_path / "own.csv")
    (frame,) = frames_of(tmp_path / "own.csv", "csv")
    assert frame.values.tolist()[:3] == [31.0, 67.0, 75.0]
    assert frame.humidity_percent == 38.72
    assert "odorants" in lost
    log = write(tmp_path / "a.bmerawdata", bme_log(bme_rows()))
    with pytest.raises(FormatError, match="a CSV holds one nose, and these are 2"):
        own_csv(lambda: formats.frames(formats.read(log)))


def numbers() -> st.SearchStrategy[str]:
    """Numbers as people and firmware write them, and the lack of one."""
    fixed = st.builds(lambda v, n: f"{v:.{n}f}", st.floats(-1e6, 1e6), st.integers(0, 8))
    plain = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    odd = st.sampled_from(["", "nan", "007", "+5", "-0.0", "1e3", "1E-5", ".5", "5.", "4294967295"])
    return st.one_of(fixed, plain, st.integers(-(10**12), 10**12).map(str), odd)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_table_of_numbers_comes_back_byte_for_byte(data: st.DataObject) -> None:
    mark = data.draw(st.sampled_from([",", ";", "\t", ", ", " ,\t"]))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    cells = st.tuples(st.integers(0, 10**9).map(lambda n: f"{n / 1000:.3f}"), numbers(), numbers())
    table = data.draw(st.lists(cells, min_size=1, max_size=12))
    between = st.sampled_from(["", "", "", end, f"# a remark{end}", f"  {end}"])
    text = data.draw(st.sampled_from(["", "\ufeff"])) + mark.join(["t_s", "NO2", "CO [ohm]"]) + end
    for row in table:
        text += data.draw(between) + mark.join(row) + end
    text += data.draw(between)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.csv", text)
        recording = formats.read(path)
        made = list(formats.frames(recording))
        assert "".join(recording.texts()) == text
        assert "".join(formats.from_frames(made, "csv").texts()) == text


def test_every_format_is_in_the_table() -> None:
    assert len(formats.FORMATS) == 15
    for name, one in formats.FORMATS.items():
        assert one.name == name
        assert one.title
        assert one.holds in ("readings", "features", "settings")


def test_words_of_columns() -> None:
    columns = read_header(("t_s", "NO2 [ohm]", "CO [ohm]", "temperature"))
    assert (columns.names, columns.unit, columns.time) == (("NO2", "CO"), "ohm", 0)
