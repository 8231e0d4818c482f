"""The stored offset between a camera and a microphone, applied by itself in live runs.

`thymos calibrate av-sync` measures by how much the sound is stamped later than the picture. A live
run whose camera and microphone were measured together takes it off the stamps of the sound, unless
`sources.offset_ms` names one of the two. Recordings are never moved so: what they replay must not
depend on what is stored on the machine.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from thymos.devices import stored_calibration
from thymos.errors import CalibrationError, MissingExtraError, NotCalibratedError
from thymos.samples import Kind, Source, StreamSpec
from thymos.supervise import OFFSET_KEY, Shifted, shifted

KIND = "av-sync"
MIN_CONFIDENCE = 0.5
_MAX_MS = 10_000.0
_HOW = "thymos calibrate av-sync"


@dataclass(frozen=True, slots=True)
class StoredOffset:
    """What is known of a camera and a microphone.

    Attributes:
        offset_ms: To be added to the stamps of the sound.
        made_at: When it was measured.
        confidence: How sure that was, 0 to 1.
    """

    offset_ms: float
    made_at: dt.datetime
    confidence: float

    @property
    def text(self) -> str:
        """Where it comes from; the same on any day."""
        return f"{KIND} of {self.made_at:%Y-%m-%d}, confidence {self.confidence:.2f}"


def stored_offset(camera: StreamSpec, microphone: StreamSpec) -> StoredOffset | None:
    """The newest `av-sync` result of two open devices; None if they were never measured together.

    Raises:
        CalibrationError: There is one and it is not to be used: too old, damaged, or not sure.
    """
    try:
        path = stored_calibration(KIND, camera, microphone)
    except (NotCalibratedError, MissingExtraError):
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        late_ms, sure = data["offset_ms"], data["quality"]["confidence"]
        made_at = dt.datetime.fromisoformat(data["made_at"])
        usable = math.isfinite(late_ms) and abs(late_ms) <= _MAX_MS and math.isfinite(sure)
    except (OSError, ValueError, TypeError, LookupError) as err:
        raise CalibrationError(f"'{path}' tells no offset: {err}", hint=_HOW) from err
    if not usable or sure < MIN_CONFIDENCE:
        raise CalibrationError(f"'{path}' is not sure enough (confidence {sure:g})", hint=_HOW)
    return StoredOffset(-float(late_ms), made_at, float(sure))


class Synced(Shifted):
    """A live microphone; its stamps are moved by what is stored of it and its camera.

    Decided once, when both are open; a microphone that is opened again keeps its offset.

    Args:
        source: The microphone, not yet open.
        camera: Opened before it; None if `settle` will be told of it.
        note: Told what was applied, or why not.
    """

    def __init__(
        self, source: Source, camera: Source | None, note: Callable[[str], object]
    ) -> None:
        super().__init__(source, 0.0)
        self._camera = camera
        self._note = note
        self._settled = False

    def open(self) -> None:
        """See `Source`."""
        super().open()
        if self._camera is not None:
            self.settle(self._camera.spec)

    def settle(self, camera: StreamSpec) -> None:
        """Look up the offset to this camera; the first camera counts."""
        plain = self._source.spec
        if self._settled or OFFSET_KEY in plain.extra:
            return
        self._settled = True
        try:
            found = stored_offset(camera, plain)
        except CalibrationError as err:
            how = f" ({err.hint})" if err.hint else ""
            self._note(f"{plain.name}: the stored {KIND} is not applied: {err}{how}")
            return
        if found is None or not found.offset_ms:
            return
        self.move(found.offset_ms, found.text)
        age = dt.datetime.now(dt.timezone.utc) - found.made_at
        self._note(
            f"{plain.name}: stamps are moved by {found.offset_ms:+g} ms ({KIND} of "
            f"{age.days} days ago, confidence {found.confidence:.2f})"
        )


def synced(
    sources: Sequence[Source], offsets_ms: Mapping[str, float], note: Callable[[str], object]
) -> list[Source]:
    """Offsets by hand as `shifted`; else the stored one of a live camera and microphone.

    Args:
        sources: Not yet open. The first live camera and microphone count.
        offsets_ms: By stream, by hand: where one of the two is named, nothing stored is applied.
        note: Told what was applied, or why not.

    Returns:
        The sources, to be opened in this order: the camera before its microphone.
    """
    moved = shifted(sources, offsets_ms)
    live = [s for s in moved if s.live and s.spec.name not in offsets_ms]
    camera = next((s for s in live if s.spec.kind is Kind.VIDEO), None)
    microphone = next((s for s in live if s.spec.kind is Kind.AUDIO), None)
    if camera is None or microphone is None:
        return moved
    ears = Synced(microphone, camera, note)
    moved = [ears if s is microphone else s for s in moved]
    return sorted(moved, key=lambda s: s is ears) if _before(moved, ears, camera) else moved


def _before(sources: Sequence[Source], first: Source, second: Source) -> bool:
    return sources.index(first) < sources.index(second)
