"""PortAudio's devices: the library, one device by name, what its errors mean."""

from __future__ import annotations

import gc
import re
from typing import Any

from thymos.errors import DeviceError, DeviceNotFoundError, MissingExtraError

_ALSA_NUMBER = re.compile(r"\s*\(hw:\d+,\d+\)\s*$")
"""Where ALSA has put a card this time; it changes with the order of plugging."""

RATE_REFUSED, CHANNELS_REFUSED, IN_USE = -9997, -9998, -9985


def sound_library() -> Any:
    """Import sounddevice.

    Raises:
        MissingExtraError: The Python library is not installed.
        DeviceError: It is, and the system's PortAudio is not.
    """
    try:
        import sounddevice
    except ImportError as err:
        raise MissingExtraError("sounddevice", "microphone") from err
    except OSError as err:
        raise DeviceError(
            f"sound needs a system library: {err}", hint="sudo apt install libportaudio2"
        ) from err
    return sounddevice


def find_input(sd: Any, wanted: str) -> int | None:
    """Number of the input device that is meant; None is the system's choice.

    Args:
        sd: The library.
        wanted: A number, a name, a part of one in any case, or a name with another ALSA number
            (`USB Mic: Audio (hw:2,0)` finds the card after it has become `hw:1,0`).

    Raises:
        DeviceNotFoundError: None is called so.
        DeviceError: Several are.
    """
    if wanted in ("", "default"):
        return None
    if wanted.isdigit():
        return int(wanted)
    inputs = [
        (i, str(device["name"]))
        for i, device in enumerate(sd.query_devices())
        if device["max_input_channels"] > 0
    ]
    bare = _ALSA_NUMBER.sub("", wanted).casefold()
    for fits in (
        [(i, name) for i, name in inputs if name == wanted],
        [(i, name) for i, name in inputs if _ALSA_NUMBER.sub("", name).casefold() == bare],
        [(i, name) for i, name in inputs if wanted.casefold() in name.casefold()],
    ):
        names = {name for _, name in fits}
        if len(names) > 1:
            raise DeviceError(
                f"{len(names)} microphones are called '{wanted}': {', '.join(sorted(names))}",
                hint="write the whole name of one: thymos devices",
            )
        if fits:
            return fits[0][0]
    raise DeviceNotFoundError(
        f"there is no microphone '{wanted}'",
        hint="thymos devices; is this user in the group audio?",
    )


def look_again(sd: Any) -> bool:
    """Have PortAudio list its devices anew: it does so once, when it is loaded.

    That would end every stream of this process, so it is done only if there is none.

    Returns:
        Whether it was done.
    """
    # By type: asking a stranger for its `__class__` may run its code.
    if any(issubclass(type(o), sd._StreamBase) and not o.closed for o in gc.get_objects()):
        return False
    sd._terminate()
    sd._initialize()
    return True


def sound_error(device: str, err: BaseException) -> DeviceError:
    """What stands behind a stream that does not open."""
    text = str(err)
    if isinstance(err, ValueError) or "querying device" in text:
        what = f"no microphone '{device}'" if device != "default" else "no microphone"
        return DeviceNotFoundError(
            f"there is {what}: {text}", hint="thymos devices; is this user in the group audio?"
        )
    code = error_code(err)
    if code == RATE_REFUSED:
        return DeviceError(f"'{device}' cannot do this rate: {text}", hint="add ?rate=48000")
    if code == CHANNELS_REFUSED:
        return DeviceError(f"'{device}' has fewer channels: {text}", hint="add ?channels=1")
    if code == IN_USE:
        return DeviceError(f"'{device}' is in use: {text}", hint="fuser -v /dev/snd/*")
    return DeviceError(
        f"cannot open the microphone '{device}': {text}",
        hint="does the sound server run? pactl info; else see thymos devices",
    )


def error_code(err: BaseException) -> int | None:
    """PortAudio's number of an error, if it has one."""
    code = err.args[1] if len(err.args) > 1 else None
    return code if isinstance(code, int) else None
