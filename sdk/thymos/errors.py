"""Errors of Thymos, one root.

    ThymosError
    ├── ConfigError            a setting, URI or option is wrong
    ├── MediaError             a file is missing, damaged, or not what its name says
    │   └── TrackMissingError  the file is fine and has no such track (no sound, no picture)
    ├── DeviceError
    │   ├── DeviceNotFoundError
    │   ├── DevicePermissionError
    │   └── DeviceLostError    it was there and went away
    ├── CalibrationError       cannot be made, stored, read or trusted
    │   └── NotCalibratedError this was never calibrated
    ├── ModelError             weights are missing or damaged, or a backend cannot run
    ├── RecordingError         a recording cannot be written or read
    ├── FrameError             a smell frame contradicts itself, or its text is none
    ├── SharedMemoryError      a stream cannot be shared between processes
    └── MissingExtraError      a library of an optional extra is not installed

Every message says what happened; `hint` is the next thing to do, in one line.
"""

from __future__ import annotations


class ThymosError(Exception):
    """Root of all errors that Thymos raises on purpose.

    Attributes:
        hint: What to do next, one line, or an empty string.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ThymosError):
    """A setting, URI or option is wrong."""


class MediaError(ThymosError):
    """A media file is missing, damaged, or not what its name says."""


class TrackMissingError(MediaError):
    """The file is readable and has no track of the wanted kind."""


class DeviceError(ThymosError):
    """A device cannot be used."""


class DeviceNotFoundError(DeviceError):
    """There is no such device."""


class DevicePermissionError(DeviceError):
    """The device exists and this user may not open it."""


class DeviceLostError(DeviceError):
    """The device was open and went away."""


class CalibrationError(ThymosError):
    """A calibration cannot be made, written, found or read, or is too old."""


class NotCalibratedError(CalibrationError):
    """There is no calibration of this kind for this device."""


class ModelError(ThymosError):
    """Weights are missing or damaged, or an inference backend cannot run."""


class RecordingError(ThymosError):
    """A recording cannot be written or read."""


class FrameError(ThymosError):
    """A smell frame contradicts itself, or a text or file does not hold one."""


class SharedMemoryError(ThymosError):
    """A stream cannot be shared between processes: no room, no right, or it has a writer."""


class MissingExtraError(ThymosError):
    """A library that belongs to an optional extra is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"this needs the library '{library}', which is not installed",
            hint=f"pip install 'thymos[{extra}]'",
        )
        self.library = library
        self.extra = extra
