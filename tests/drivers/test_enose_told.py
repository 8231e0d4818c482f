"""What a live nose tells is in the frames of its samples: raw values, reasons, tick, heater."""

from __future__ import annotations

import numpy as np

from thymos.samples import Counters, Sample
from thymos.smell.check import problems
from thymos.smell.frame import Fault, SmellFrame, TimeSource
from thymos_drivers.enose.decoder import Decoder
from thymos_drivers.enose.intake import Intake
from thymos_drivers.enose.text import TextDecoder
from thymos_drivers.enose.wire import WARMUP, Description, WireDecoder, WireEncoder

MS = 1_000_000


def smelt(decoder: Decoder, parts: list[bytes]) -> list[Sample]:
    """The samples of a nose that sends these pieces, 100 ms apart."""
    readings = [r for i, part in enumerate(parts) for r in decoder.feed(part, i * 100 * MS)]
    intake = Intake("enose", decoder, Counters(), climate=decoder.climate, serial="A5")
    return intake.take(readings)


def frames(samples: list[Sample]) -> list[SmellFrame]:
    found = [s.smell for s in samples if s.smell is not None]
    assert len(found) == len(samples) > 0
    for frame, sample in zip(found, samples, strict=True):
        assert problems(frame) == []
        assert (frame.seq, frame.t_ns, frame.flags) == (sample.seq, sample.t_ns, sample.flags)
        gas = len(frame.nose.channels)
        assert np.array_equal(frame.usable, sample.payload[:gas], equal_nan=True)
        assert np.array_equal(frame.air, sample.payload[gas:], equal_nan=True)
    return found


def test_our_own_protocol_tells_its_electronics() -> None:
    nose = WireEncoder(
        Description(
            (("MQ2", "adc"), ("gas", "adc"), ("temperature", "degC")),
            rate_hz=10,
            info=(
                *(("nose", "Lab nose"), ("serial", "7"), ("fw", "1.2")),
                *(("supply_volt", "5"), ("load_ohm", "10000")),
                *(("adc_bits", "10"), ("adc_volt", "3.3"), ("burn_in_s", "172800")),
            ),
        )
    )
    pieces = [nose.header(), nose.data(0, 500, [100, 1023, 21.5], WARMUP)]
    pieces.append(nose.data(1, 600, [float("nan"), 500, 21.5]))
    first, second = frames(smelt(WireDecoder(), pieces))
    made = first.nose
    assert (made.model, made.serial, made.rate_hz, made.tick_hz) == ("Lab nose", "7", 10.0, 1000.0)
    assert (made.burn_in_ns, dict(made.extra)) == (172_800 * 10**9, {"fw": "1.2"})
    mq2 = made.channels[0]
    assert (mq2.sensor_model, mq2.supply_volt, mq2.load_ohm) == ("MQ2", 5.0, 1e4)
    assert (mq2.adc_bits, mq2.adc_volt) == (10, 3.3)
    assert (first.tick, first.time_source) == (500, TimeSource.DEVICE)
    assert first.faults == (Fault.NONE, Fault.RAIL)
    assert first.values[1] == 1023.0  # the raw number stays
    assert second.faults == (Fault.MISSING, Fault.NONE)


def test_facts_that_are_no_numbers_do_no_harm() -> None:
    odd = (("load_ohm", "ten"), ("adc_bits", "nan"), ("supply_volt", "-5"), ("burn_in_s", "1e99"))
    nose = WireEncoder(Description((("a", "adc"),), info=odd))
    (found,) = frames(smelt(WireDecoder(), [nose.header(), nose.data(0, 1, [5])]))
    channel = found.nose.channels[0]
    assert np.isnan([channel.load_ohm, channel.supply_volt]).all()
    assert (channel.adc_bits, found.nose.burn_in_ns, found.nose.serial) == (0, -1, "A5")


HEAD = (
    b"half a line\r\n"
    b"TimeStamp(ms),Sensor Index,Temperature(deg C),Pressure(Pa),Humidity(%),Gas Resistance(ohm),"
)
HEAD += b"Gas Index,Meas Index,idac,Status,Gas Valid,Heater Stable\r\n"


def test_heater_steps_of_a_board_and_what_it_calls_invalid_itself() -> None:
    rows = [HEAD]
    for n in range(12):
        for step in range(2):
            status = b"b0" if (n, step) != (9, 1) else b"80"  # the heater was not stable
            row = f"{1000 + 200 * n + 100 * step},0,25.31,101325.00,45.12,{5000 + n + 10 * step},"
            rows.append(row.encode() + b"%d,17,90,%s,32,16\r\n" % (step, status))
    found = frames(smelt(TextDecoder(), rows))
    steps = found[0].nose.channels
    assert [(c.name, c.sensor_id, c.heater_step) for c in steps] == [
        ("s0_h0", "0", 0),
        ("s0_h1", "0", 1),
    ]
    assert found[0].nose.air == ("temperature", "humidity", "pressure")
    assert found[0].pressure_hpa == 1013.25
    (odd,) = [f for f in found if any(f.faults)]
    assert odd.faults == (Fault.NONE, Fault.UNSTABLE)
    assert odd.values.tolist() == [5009.0, 5019.0]
    assert np.isnan(odd.usable[1])


def test_a_nose_without_a_clock_is_timed_by_the_host() -> None:
    lines = [b"12,13,14\r\n"] * 8
    found = frames(smelt(TextDecoder(), lines))
    assert {(f.time_source, f.tick) for f in found} == {(TimeSource.HOST, None)}
    assert found[0].nose.model == "unknown (text)"
