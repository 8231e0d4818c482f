"""Reading an open source until it ends: what all calibrations share."""

from __future__ import annotations

from collections.abc import Iterator

from thymos.errors import CalibrationError
from thymos.samples import EndOfStream, Sample, Source


def samples_of(source: Source, what: str, *, patience_s: int = 30) -> Iterator[Sample]:
    """The samples of an open source, to its end.

    Args:
        source: Open.
        what: What people call it: "nose".
        patience_s: So many reads of a second without a sample, and it counts as silent.

    Raises:
        CalibrationError: It falls silent.
        DeviceLostError: It went away.
    """
    silent = 0
    while True:
        try:
            sample = source.read(1.0)
        except EndOfStream:
            return
        if sample is not None:
            silent = 0
            yield sample
            continue
        silent += 1
        if silent >= patience_s:
            raise CalibrationError(f"the {what} sends nothing", hint="thymos devices")
