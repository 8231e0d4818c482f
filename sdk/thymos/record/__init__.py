"""Recording to MCAP, and reading of recordings of any kind. See `docs/recording.md`."""

from thymos.record.recorder import Recorder
from thymos.record.recording import Recording, open_recording

__all__ = ["Recorder", "Recording", "open_recording"]
