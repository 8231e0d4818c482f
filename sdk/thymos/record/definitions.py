"""Message definitions: those of ROS 2 Jazzy, the own ones, and those of known audio packages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from thymos.errors import MissingExtraError, RecordingError

# Bags of ROS 2 Humble and older carry no definitions; these are the ones Thymos can use then
# (field by field as published by their packages). The two families of `audio_common_msgs` have
# messages of the same name with different fields: only one of them can be in a bag.
_OLFACTION = {
    "olfaction_msgs/msg/GasSensor": """std_msgs/Header header
uint8 technology
uint8 manufacturer
uint8 mpn
float64 raw
uint8 raw_units
float64 raw_air
float64 calib_a
float64 calib_b""",
    "olfaction_msgs/msg/GasSensorArray": "std_msgs/Header header\nGasSensor[] sensors",
}
_OLD = {  # of Thymos before SmellFrame
    "thymos_msgs/msg/GasArray": """std_msgs/Header header
string sensor_model
string[] channel_names
string unit
float64[] values
bool[] valid
string[] reasons
float64 temperature
float64 humidity
float64 pressure
bool warmup
uint64 sequence
uint32 flags
string note""",
}
_AUDIO_UTILS = """std_msgs/Header header
string format
uint32 channel_count
uint32 sampling_frequency
uint32 frame_sample_count
uint8[] data"""
_OTHERS = {
    "audio_utils_msgs/msg/AudioFrame": _AUDIO_UTILS,
    "audio_utils/msg/AudioFrame": _AUDIO_UTILS,
    "foxglove_msgs/msg/CompressedImage": """builtin_interfaces/Time timestamp
string frame_id
uint8[] data
string format""",
    "foxglove_msgs/msg/CompressedVideo": """builtin_interfaces/Time timestamp
string frame_id
uint8[] data
string format""",
    "foxglove_msgs/msg/RawAudio": """builtin_interfaces/Time timestamp
uint8[] data
string format
uint32 sample_rate
uint32 number_of_channels""",
}
_ROS_DRIVERS = {
    "audio_common_msgs/msg/AudioData": "uint8[] data",
    "audio_common_msgs/msg/AudioDataStamped": "std_msgs/Header header\nAudioData audio",
    "audio_common_msgs/msg/AudioInfo": """uint8 channels
uint32 sample_rate
string sample_format
uint32 bitrate
string coding_format""",
}
_MGONZS13 = {
    "audio_common_msgs/msg/AudioData": """float32[] float32_data
int32[] int32_data
int16[] int16_data
int8[] int8_data
uint8[] uint8_data""",
    "audio_common_msgs/msg/AudioInfo": """int32 format
int32 channels
int32 rate
int32 chunk""",
    "audio_common_msgs/msg/Audio": "AudioData audio_data\nAudioInfo info",
    "audio_common_msgs/msg/AudioStamped": "std_msgs/Header header\nAudio audio",
}


def message_folder() -> Path:
    """Folder of the `.msg` files of thymos_msgs: in the wheel, else in the source tree.

    Raises:
        RecordingError: The installation is incomplete.
    """
    here = Path(__file__).resolve()
    for folder in (
        here.parent / "msg",
        *(p / "interfaces" / "thymos_msgs" / "msg" for p in here.parents[3:4]),
    ):
        if (folder / "AudioFrame.msg").is_file():
            return folder
    raise RecordingError(
        "the message definitions of thymos_msgs are not installed",
        hint="install Thymos again: pip install --force-reinstall thymos",
    )


@lru_cache(maxsize=2)
def typestore(*, mgonzs13: bool = False) -> Any:
    """The rosbags type store with everything Thymos writes or knows how to read.

    Args:
        mgonzs13: Take `audio_common_msgs` from mgonzs13's package instead of ros-drivers'.

    Raises:
        MissingExtraError: rosbags is not installed.
    """
    try:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    except ImportError as err:
        raise MissingExtraError("rosbags", "record") from err
    store = get_typestore(Stores.ROS2_JAZZY)
    texts = {f"thymos_msgs/msg/{f.stem}": f.read_text("utf-8") for f in _message_files()}
    texts |= _OLD | _OLFACTION | _OTHERS | (_MGONZS13 if mgonzs13 else _ROS_DRIVERS)
    types: dict[str, Any] = {}
    for name, text in texts.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def _message_files() -> list[Path]:
    return sorted(message_folder().glob("*.msg"))


def store_of(definitions: dict[str, str]) -> Any:
    """A type store with the definitions a file carries; the known ones if it carries none.

    Raises:
        MissingExtraError: rosbags is not installed.
        RecordingError: They contradict themselves.
    """
    return _store_of(tuple(sorted(definitions.items())))


@lru_cache(maxsize=16)  # every stream of a recording opens it: 30 ms each, for the same texts
def _store_of(definitions: tuple[tuple[str, str], ...]) -> Any:
    try:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    except ImportError as err:
        raise MissingExtraError("rosbags", "record") from err

    types: dict[str, Any] = {}
    for name, text in definitions:
        try:
            types.update(get_types_from_msg(text, name))
        except Exception:  # noqa: BLE001, S112  perhaps of a topic nobody reads; decoding tells
            continue
    if not types:
        return typestore()
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(types)
    except Exception as err:  # a definition that contradicts what ROS fixes, as of Time
        raise RecordingError(f"the message definitions are damaged: {err}") from err
    return store
