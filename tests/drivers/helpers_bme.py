"""A BME68x chip behind an SMBus: registers as in the data sheet, with faults on request."""

from __future__ import annotations

from bme680 import constants as c


class Chip:
    """What `bme680.BME680` needs of a bus, with one chip on it.

    Calibration words are plausible ones; the raw counts give about 25 degC, 1000 hPa and 45 %.
    """

    def __init__(self, address: int = 0x76, *, high: bool = True) -> None:
        self.address = address
        self.registers = {c.CHIP_ID_ADDR: c.CHIP_ID, c.CHIP_VARIANT_ADDR: int(high)}
        self.high = high
        self.closed = False
        self.gone = False
        self.silent = 0
        self.stable = True
        self.asked = 0
        self.gas = 600
        self.gas_range = 6
        words = {
            c.T1_LSB_REG: 26000, c.T2_LSB_REG: 26400, c.P1_LSB_REG: 36000, c.P2_LSB_REG: -10400,
            c.P4_LSB_REG: 7000, c.P5_LSB_REG: -120, c.P8_LSB_REG: -2500, c.P9_LSB_REG: -2500,
            c.GH2_LSB_REG: -6000,
        }  # fmt: skip
        bytes_ = {
            c.T3_REG: 3, c.P3_REG: 88, c.P6_REG: 30, c.P7_REG: 40, c.P10_REG: 30,
            c.H1_MSB_REG: 48, c.H2_MSB_REG: 63, c.H3_REG: 0, c.H4_REG: 45, c.H5_REG: 20,
            c.H6_REG: 120, c.H7_REG: -100, c.GH1_REG: -30, c.GH3_REG: 18,
        }  # fmt: skip
        self.calibration = bytearray(c.COEFF_ADDR1_LEN + c.COEFF_ADDR2_LEN)
        for at, word in words.items():
            self.calibration[at : at + 2] = (word & 0xFFFF).to_bytes(2, "little")
        for at, byte in bytes_.items():
            self.calibration[at] = byte & 0xFF

    def read_byte_data(self, address: int, register: int) -> int:
        self._answer(address)
        if register == c.FIELD0_ADDR:
            if self.silent:
                self.silent -= 1
                return 0
            return c.NEW_DATA_MSK
        return self.registers.get(register, 0)

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        self._answer(address)
        if register == c.COEFF_ADDR1:
            return list(self.calibration[: c.COEFF_ADDR1_LEN])
        if register == c.COEFF_ADDR2:
            return list(self.calibration[c.COEFF_ADDR1_LEN :])
        assert (register, length) == (c.FIELD0_ADDR, c.FIELD_LENGTH)
        return self._field()

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self._answer(address)
        self.registers[register] = value

    def close(self) -> None:
        self.closed = True

    def _answer(self, address: int) -> None:
        self.asked += 1
        if self.gone or address != self.address:
            raise OSError(121, "Remote I/O error")

    def _field(self) -> list[int]:
        pressure, temperature, humidity = 350_000, 495_000, 21_500
        field = [0] * c.FIELD_LENGTH
        field[0] = c.NEW_DATA_MSK
        field[2:5] = [pressure >> 12, pressure >> 4 & 0xFF, (pressure & 15) << 4]
        field[5:8] = [temperature >> 12, temperature >> 4 & 0xFF, (temperature & 15) << 4]
        field[8:10] = [humidity >> 8, humidity & 0xFF]
        status = c.GASM_VALID_MSK | (c.HEAT_STAB_MSK if self.stable else 0)
        at = 15 if self.high else 13
        field[at : at + 2] = [self.gas >> 2, (self.gas & 3) << 6 | status | self.gas_range]
        return field
