"""Files of other noses as targets of `fuzz_noses`: what they are, and what must hold for them.

Whatever the bytes are: reading ends, or is refused in words. A file that is read strictly is
written again byte for byte, from its rows and from its smell frames. Salvage reads what strict
reading reads, and refuses nothing that it accepts.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from thymos.errors import ThymosError
from thymos.smell import formats
from thymos.smell.formats import FeatureTable, Recording

MOST_ROWS = 5000

_SMELLNET = (
    "NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance,Altitude\n"
    "31,67,75,818,2,29,0,25.59,1015.15,38.72,242.43,15.44\n"
    "31,67,75,818,2,29,4294967295,25.6,1015.1,100.0,0.0,15.4\n"
)
_BSEC = (
    "BSEC library version 1.4.8.0\r\nTimestamp [ms], raw temperature [°C], pressure [hPa], "
    "gas [Ohm], IAQ, IAQ accuracy, temperature [°C], relative humidity [%]\r\n"
    "3025, 25.31, 1013.25, 102400.00, 25.00, 0, 25.25, 45.40\r\n"
    "6025, 25.32, 1013.25, 102410.00, 25.00, 1, 25.25, 45.41\r\n"
)
_EXCHANGE = "timestamp,sensor_NO2,MQ3,ch0,humidity\n0.0,1,2.5,3,40\n0.5,,2.6,3,41\n"
_OWN = '\ufefft_s;"NO2 [ohm]";CO [ohm]\r\n0;1;2\r\n\r\n# remark\r\n0.10; 3;"4"\r\n'
_HOME = (
    "id time\t   R1   R2   Temp.   Humidity\n0  -0.999750  12.862100  10.368300  26.2  59.1\n"
    "1  0.000250  12.862100  10.368300  26.2  59.1\n"
)
_DYNAMIC = (
    "Time (seconds), CO conc (ppm), Ethylene conc (ppm), sensor readings (16 channels)\n"
    "0.00    0.00    1.50    " + "  ".join(f"{900 + c}.25" for c in range(16)) + " \n"
)
_TURBULENT = "".join(f"{t},23.5,50.1,{','.join(str(700 + c) for c in range(8))}\n" for t in (0, 70))
_TWIN = "".join("\t".join([f"0.0{t}", *(f"{30 + c}.5" for c in range(8))]) + "\n" for t in range(3))
_SCAN = ",".join(f"{80000 + n}.5" for n in range(50)) + "\n" + ",".join("7" * 50) + "\n"
_FEATURES = "".join(f" {i}:{i}.500000" for i in range(1, 129))
_LIBSVM = f"1;10.000000{_FEATURES} \n6;5.000000{_FEATURES} \n"
_NAMES = [
    f"s{s:02d}_{kind}"
    for s in range(1, 3)
    for kind in (
        "dR", "dR_norm", "ema_rise_0.001", "ema_rise_0.01", "ema_rise_0.1", "ema_decay_0.001",
        "ema_decay_0.01", "ema_decay_0.1",
    )
]  # fmt: skip
_UCI = f"gas,ppm,{','.join(_NAMES)}\nEthanol,10.0,{','.join('1.25' for _ in _NAMES)}\n"
_CONFIG = json.dumps(
    {
        "configHeader": {"boardType": "board_8"},
        "configBody": {
            "heaterProfiles": [
                {"id": "p", "timeBase": 140, "temperatureTimeVectors": [[320, 5], [100, 2]]}
            ],
            "dutyCycleProfiles": [
                {"id": "d", "numberScanningCycles": 5, "numberSleepingCycles": 10}
            ],
            "sensorConfigurations": [
                {"sensorIndex": 0, "heaterProfile": "p", "dutyCycleProfile": "d"}
            ],
        },
    },
    indent=2,
)
_LABELS = json.dumps({"labelInformation": [{"labelTag": 1001, "labelName": "avocado"}]})
_SIDECAR = json.dumps(
    {
        "substance": "tea", "sampling_rate_hz": 2.0, "device_id": "rig",
        "sensor_units": {"sensor_1": "adc", "ch1": "humidity_percent"},
    }
)  # fmt: skip
_TABLES = (
    _SMELLNET, _BSEC, _EXCHANGE, _OWN, _HOME, _DYNAMIC, _SCAN, _LIBSVM, _UCI,
)  # fmt: skip

CORPORA: dict[str, list[bytes]] = {
    "tables": [text.encode() for text in _TABLES],
    "series": [_TURBULENT.encode(), _TWIN.encode()],
    "settings": [_CONFIG.encode(), _LABELS.encode()],
    "sidecar": [_SIDECAR.encode()],
}
NAMES: dict[str, tuple[str, ...]] = {
    "tables": ("case.csv",),
    "series": ("000_Et_H_CO_n", "B1_GEa_F040_R2.txt"),
    "settings": ("case.bmeconfig", "case.bmelabelinfo"),
    "sidecar": ("case.json",),
    "logs": ("case.bmerawdata",),
}


class Formats:
    """A file of another nose: read, and written again."""

    def __init__(self, target: str) -> None:
        folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = tempfile.TemporaryDirectory(dir=folder)
        place = Path(self._folder.name)
        self._paths = [place / name for name in NAMES[target]]
        self._read = self._paths
        if target == "sidecar":  # the input is what stands beside a good file
            table = place / "case.csv"
            table.write_text("timestamp,sensor_1,ch1\n" + "0.5,1,40\n" * 12)
            self._read = [table]
        self.history: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.history = [data]
        for path, read in zip(self._paths, self._read, strict=True):
            path.write_bytes(data)
            strict = self._whole(read)
            kept = self._salvaged(read)
            assert strict is None or strict == kept, "salvage reads what strict reading reads"

    def _whole(self, path: Path) -> int | None:
        """Rows of a file that is sound, which comes back as it was; None if it is refused."""
        try:
            recording = formats.read(path)
            texts = "".join(recording.texts())
        except ThymosError:
            return None
        encoding = recording.dialect.encoding if isinstance(recording, Recording) else "utf-8"
        data = path.read_bytes()
        assert texts.encode(encoding, "surrogateescape") == data, "the same bytes"
        if isinstance(recording, FeatureTable):
            return sum(np.isfinite(e.values).all() for e in recording.exposures())
        if not isinstance(recording, Recording):
            return 0
        made = list(formats.frames(recording))
        if (made and recording.format != "exchange") or "file.format" in recording.noses[0].extra:
            again = "".join(formats.from_frames(made, recording.format).texts())
            assert again.encode(encoding, "surrogateescape") == data, "the same bytes from frames"
        return len(made)

    def _salvaged(self, path: Path) -> int:
        try:
            recording = formats.read(path, strict=False)
        except ThymosError:
            return -1
        if isinstance(recording, Recording):
            rows = sum(1 for _ in formats.frames(recording))
            assert rows <= MOST_ROWS
            return rows
        return sum(1 for _ in recording.exposures()) if isinstance(recording, FeatureTable) else 0
