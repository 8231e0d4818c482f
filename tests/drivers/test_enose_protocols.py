"""Golden lines of real noses (olfaction notes, section 10.1) and whole readings from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.smell.formats.columns import read_header
from thymos.smell.validity import Validity
from thymos_drivers.enose.recognise import LineKind, recognise
from thymos_drivers.enose.rows import Assembler

HEADER_5 = (
    "TimeStamp(ms), Temperature(deg C), Pressure(Pa), Humidity(%), Gas resistance(ohm), "
    "Status, Gas index"
)
HEADER_6 = (
    "TimeStamp(ms),Sensor Index,Temperature(deg C),Pressure(Pa),Humidity(%),Gas Resistance(ohm),"
    "Gas Index,Meas Index,idac,Status,Gas Valid,Heater Stable"
)
HEADER_7 = (
    "Timestamp [ms], raw temperature [°C], pressure [hPa], raw relative humidity [%], gas [Ohm], "
    "IAQ, IAQ accuracy, temperature [°C], relative humidity [%], Static IAQ, CO2 equivalent, "
    "breath VOC equivalent"
)
SMELLNET = (
    "NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance,Altitude"
)


def columns(header: str) -> tuple[str, ...]:
    line = recognise(header.encode())
    assert line.kind is LineKind.HEADER
    return line.names


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("OSM,1023,512,498", (1023, 512, 498)),
        ("512,511,498,700,333,221", (512, 511, 498, 700, 333, 221)),
        ("31,818,67,75", (31, 818, 67, 75)),
        ("12 13 14 15 16 17 18", (12, 13, 14, 15, 16, 17, 18)),
        ("OSM,5", (5,)),
    ],
)
def test_rows(text: str, values: tuple[float, ...]) -> None:
    line = recognise(text.encode() + b"\r\n")
    assert (line.kind, line.values) == (LineKind.DATA, values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12,,14", (12, math.nan, 14)),
        ("nan,1,2", (math.nan, 1, 2)),
        ("nan,nan,nan", (math.nan,) * 3),
    ],
)
def test_an_empty_cell_keeps_its_place(text: str, expected: tuple[float, ...]) -> None:
    line = recognise(text.encode())
    assert line.kind is LineKind.DATA
    np.testing.assert_array_equal(line.values, expected)


def test_info() -> None:
    line = recognise(b"INFO,universal-esp32,1.0.0,6,interval_ms=500\n")
    assert line.kind is LineKind.INFO
    assert line.info == {
        "fw": "universal-esp32",
        "ver": "1.0.0",
        "channels": "6",
        "interval_ms": "500",
    }


@pytest.mark.parametrize(
    ("header", "row", "column", "value"),
    [
        (HEADER_5, "1234, 25.31, 101325.00, 45.12, 102400.00, b0, 3", "Status", 176),
        (HEADER_5, "1374, 25.31, 101325.00, 45.12, 102400.00, 90, 4", "Status", 144),
        (HEADER_6, "1400,0,25.31,101325.00,45.12,102400.00,3,17,90,b0,32,16", "idac", 90),
        (HEADER_6, "1400,0,25.31,101325.00,45.12,102400.00,3,17,90,b0,32,16", "Status", 176),
    ],
)
def test_status_is_hex_and_nothing_else_is(
    header: str, row: str, column: str, value: float
) -> None:
    names = columns(header)
    line = recognise(row.encode(), names)
    assert line.kind is LineKind.DATA
    assert line.values[names.index(column)] == value


def test_bsec_has_twelve_named_values() -> None:
    names = columns(HEADER_7)
    row = b"3025, 25.31, 1013.25, 45.12, 102400.00, 25.00, 0, 25.25, 45.40, 25.00, 500.00, 0.50"
    line = recognise(row, names)
    assert line.kind is LineKind.DATA
    assert len(line.values) == len(names) == 12


@pytest.mark.parametrize(
    "raw",
    [
        b"BSEC library version 1.4.8.0",
        b"Need more samples to start infering.",
        b"ets Jun  8 2016 00:22:57",
        b"Skip I: 3",
        b"clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00",
    ],
)
def test_boot_and_status_text_is_no_data(raw: bytes) -> None:
    assert recognise(raw).kind in (LineKind.TEXT, LineKind.BOOT)


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00bad\x80", b"12,\x01,3", b"{broken", b"hello, 3, 4"])
def test_noise(raw: bytes) -> None:
    assert recognise(raw).kind is LineKind.NOISE


def test_named_values() -> None:
    line = recognise(b"GM102B: 512  eq  1.65V")
    assert (line.kind, line.names, line.values) == (LineKind.NAMED, ("GM102B",), (512,))
    assert recognise(b"MQ:512").values == (512,)
    assert recognise(b"NO2: 1.2 PPM").unit == "ppm"
    line = recognise(
        b"Ms|123456|0|CH4_MQ4_Description for MQ4|12.5|1|CO_MQ7_Description for MQ7|300|"
    )
    assert line.values == (12.5, 300)
    assert line.tick_ms == 123456


def test_json() -> None:
    line = recognise(
        b'{"type":"data","tick":12345678,"s":0,"id":1234567,"v":123456.7,"st":"mox_d","gi":3,'
        b'"T":25.32,"H":45.12,"P":1013.25}'
    )
    assert (line.names, line.values, line.tick_ms) == (("s0_h3",), (123456.7,), 12345678)
    assert line.climate == {"temperature": 25.32, "humidity": 45.12, "pressure": 1013.25}
    assert recognise(b'{"type":"ready","version":"2.1.0","sensors":8}').kind is LineKind.BOOT
    assert recognise(b'{"type":"data","s":0,"v":1' + b"0" * 400 + b"}").kind is LineKind.NOISE


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_no_line_breaks_the_recogniser(raw: bytes) -> None:
    names = columns(HEADER_5)
    assert recognise(raw).kind in LineKind
    assert recognise(raw, names).kind in LineKind


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet='0123456789,.:;|{}"OSMINFerab \t', max_size=40), max_size=30))
def test_no_sequence_of_lines_breaks_the_assembler(lines: list[str]) -> None:
    rows = Assembler()
    for n, line in enumerate(lines):
        for reading in rows.feed(line.encode(), n):
            assert reading.values.shape == (len(rows.names) + len(rows.climate),)


CELLS = st.sampled_from(
    ["", "nan", "-inf", "inf", "1e308", "-1", "b0", "zz", "0", "3", "4294967295"]
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([HEADER_5, HEADER_6, HEADER_7, SMELLNET]),
    st.lists(st.lists(CELLS, min_size=5, max_size=13), max_size=30),
)
def test_no_row_after_a_header_breaks_the_assembler(header: str, table: list[list[str]]) -> None:
    rows = Assembler()
    rows.feed(header.encode(), 0)
    check: Validity | None = None
    for n, cells in enumerate(table):
        for reading in rows.feed(",".join(cells).encode(), n):
            check = check or Validity(rows.names, rows.unit, rows.climate)
            values, _ = check.check(reading.values)
            assert values.shape == (len(rows.names) + len(rows.climate),)
            assert not np.isinf(values).any()


def test_gas_columns_are_found_by_name() -> None:
    smellnet = read_header(columns(SMELLNET))
    assert smellnet.names == ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG", "Benzene")
    assert smellnet.unit == "adc"
    bsec = read_header(columns(HEADER_7))
    assert (bsec.names, bsec.unit, bsec.time) == (("gas",), "ohm", 0)
    ours = read_header(columns("t_s,NO2 [ohm],CO [ohm]"))
    assert (ours.names, ours.unit, ours.time) == (("NO2", "CO"), "ohm", 0)
    turned = tuple(reversed(columns(HEADER_7)))
    assert read_header(turned).gas == (7,)


@pytest.mark.parametrize(
    ("column", "ms"),
    [
        ("TimeStamp(ms)", 1),
        ("Timestamp [ms]", 1),
        ("time", 1),
        ("t", 1),
        ("millis", 1),
        ("t_s", 1000),
        ("time [s]", 1000),
        ("Timestamp (sec)", 1000),
    ],
)
def test_unit_of_the_time_column(column: str, ms: float) -> None:
    found = read_header((column, "NO2", "CO"))
    assert (found.time, found.time_ms) == (0, ms)


def feed(rows: Assembler, text: str, dt_ns: int = 1) -> list[tuple[float, ...]]:
    out = []
    for n, line in enumerate(text.strip().splitlines()):
        out += [tuple(reading.values) for reading in rows.feed(line.encode(), n * dt_ns)]
    return out


def test_cut_off_rows_are_dropped_once_the_count_is_known() -> None:
    rows = Assembler()
    got = feed(rows, "512,51,3\n513,52,3\n514,53,3\n515,5\n516,54,3")
    assert got == [(514, 53, 3), (516, 54, 3)]
    assert rows.bad == 1


def test_four_lines_make_one_reading_of_the_seeed_board() -> None:
    rows = Assembler()
    got = []
    t = 0
    for n in range(5):
        for name in ("GM302B", "GM502B", "GM702B") if n == 0 else (
            "GM102B", "GM302B", "GM502B", "GM702B"
        ):  # fmt: skip
            readings = rows.feed(f"{name}: {100 * n + int(name[2])}  eq  1.65V".encode(), t)
            t += 5
            got += [tuple(reading.values) for reading in readings]
        t += 2000
    assert rows.names == ("GM102B", "GM302B", "GM502B", "GM702B")
    assert got == [(301, 303, 305, 307), (401, 403, 405, 407)]


def test_a_lost_line_of_a_reading_is_nan() -> None:
    rows = Assembler()
    lines = ["A: 1", "B: 2", "C: 3"] * 3 + ["A: 4", "C: 6", "A: 7", "B: 8", "C: 9"]
    got = feed(rows, "\n".join(lines))
    np.testing.assert_array_equal(got[-2:], [(4, math.nan, 6), (7, 8, 9)])


def test_heater_scans_become_one_reading_a_cycle() -> None:
    rows = Assembler()
    lines = [HEADER_5]
    for cycle in range(4):
        for step in range(3):
            status = "90" if (cycle, step) == (3, 1) else "b0"  # 0x90: gas not valid
            lines.append(
                f"{1000 * cycle + 100 * step}, 25.3, 101325, 45.1, {1e5 + 10 * cycle + step}, "
                f"{status}, {step}"
            )
    got = feed(rows, "\n".join(lines))
    assert rows.names == ("h0", "h1", "h2")
    assert rows.unit == "ohm"
    assert rows.climate == ("temperature", "humidity", "pressure")
    air = (25.3, 45.1, 1013.25)  # pascal on the wire
    np.testing.assert_allclose(got[-1], (100030.0, math.nan, 100032.0, *air))


def test_eight_sensors_are_pivoted() -> None:
    rows = Assembler()
    lines = [HEADER_6]
    for cycle in range(4):
        for step in range(2):
            for sensor in range(8):
                value = 1000 * cycle + 10 * sensor + step + 1
                lines.append(f"{cycle},{sensor},25,101325,45,{value},{step},1,90,b0,32,16")
    got = feed(rows, "\n".join(lines))
    assert rows.names[:3] == ("s0_h0", "s0_h1", "s1_h0")
    assert len(rows.names) == 16
    assert got[-1][0] == 3001


def test_sentinels_rails_and_stuck_values_become_nan_with_a_reason() -> None:
    check = Validity(("NO2", "Benzene"), "adc")
    values, note = check.check(np.array([31.0, 4294967295.0]))
    assert values[0] == 31
    assert math.isnan(values[1])
    assert note == "Benzene: 4294967295 stands for no reading"
    values, note = check.check(np.array([1023.0, 5.0]))
    assert math.isnan(values[0])
    assert "NO2: at the end of its range" in note
    check.check(np.array([2000.0, 5.0]))  # so it was a 12 bit converter
    assert check.check(np.array([1023.0, 5.0]))[1] == ""
    ohm = Validity(("gas",), "ohm")
    assert "0 is none" in ohm.check(np.array([0.0]))[1]
    notes = [ohm.check(np.array([5432.1]))[1] for _ in range(Validity.STUCK + 1)]
    assert notes[0] == ""
    assert "stuck at 5432.1" in notes[-1]
