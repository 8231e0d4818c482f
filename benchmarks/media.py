"""Real pictures as input: the face clip of the demo, back and forth."""

from __future__ import annotations

from pathlib import Path

from thymos.demo.scene import LAST, back_and_forth
from thymos.demo.writers import write_video
from thymos.devices import open_uri
from thymos.models import ModelStore
from thymos.samples import Source

FPS, SIZE = 30, (640, 480)


def face_video(folder: Path, frames: int) -> Source:
    """A VGA film of so many frames as a source (not open).

    Raises:
        ModelError: The clip was not fetched.
    """
    video = folder / f"face-{frames}.mp4"
    order = [back_and_forth(n, LAST) for n in range(frames)]
    write_video(ModelStore().path("media-face"), video, order, FPS, size=SIZE)
    source = open_uri("camera", f"file:{video}")
    assert source is not None
    return source
