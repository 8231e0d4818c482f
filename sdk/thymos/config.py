"""Settings: one pydantic model, read from YAML, with a default for everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thymos.errors import ConfigError


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, so a typo is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OffsetMs = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]


class SourcesConfig(Section):
    """Where the streams come from: URIs, see `thymos.devices`."""

    camera: str = "off"
    microphone: str = "off"
    enose: str = "off"
    topics: dict[str, str] = Field(
        default_factory=dict, description="Of a recording: which topic is which stream."
    )
    offset_ms: dict[str, OffsetMs] = Field(
        default_factory=dict, description="By stream: added to its capture stamps, live or file."
    )


class WindowConfig(Section):
    """Windows over capture time: one every hop, or one for each end of speech."""

    anchor: Literal["hop", "speech"] = Field(
        default="hop", description="hop: one every hop_s. speech: one when somebody stops speaking."
    )
    length_s: float = Field(default=4.0, gt=0.1, le=60.0)
    hop_s: float = Field(default=4.0, gt=0.1, le=60.0)
    after_s: float = Field(
        default=0.5, ge=0.0, le=10.0, description="Speech: how long a window goes on afterwards."
    )
    max_wait_s: float = Field(
        default=0.6, ge=0.0, le=30.0, description="Live: how long a window waits for late samples."
    )
    stale_after_s: float = Field(
        default=3.0, gt=0.0, description="A slow stream older than this is stale."
    )


class BufferConfig(Section):
    """How much of the past each ring keeps."""

    seconds: float = Field(default=20.0, gt=1.0)
    max_bytes: int = Field(default=256 * 1024 * 1024, gt=0, description="For each stream.")


class PerceiveConfig(Section):
    """Perception."""

    face_hz: float = Field(default=8.0, gt=0, le=60, description="Frames looked at each second.")
    words: bool = True
    language: str = "en"
    clean_air: str = Field(
        default="", description="Calibration file of the electronic nose; 'stored': its newest."
    )
    climate: str = Field(
        default="",
        description="What temperature and humidity do to the nose: a calibration file, 'stored', "
        "or 'learn' for finding it out in clean air.",
    )
    smell_state: str = Field(
        default="",
        description="File that keeps the clean air of the nose over a restart; empty: none.",
    )
    warm_up_s: float = Field(
        default=0.0, ge=0.0, le=86_400.0, description="Declared warm-up of the nose; 0: none."
    )
    drift_guard: str = Field(
        default="", description="File of `thymos smell guard`: tells when to calibrate the nose."
    )


class SmellConfig(Section):
    """What is remembered of smells."""

    remember: bool = Field(
        default=False,
        description="Count what usually accompanies a smell here; no faces, voices, words.",
    )
    memory: str = Field(default="", description="Its file; empty: in the user's data folder.")


class ReasonConfig(Section):
    """Reasoning backend."""

    backend: Literal["auto", "llama", "transformers", "openai", "rules"] = "auto"
    model: str = Field(
        default="llm",
        description="llama: role in the model registry, or a .gguf path. transformers: folder, "
        ".gguf, or name@revision on the hub. openai: name on the server; llm: its first one.",
    )
    threads: int = Field(default=2, ge=1, le=64)
    deadline_s: float = Field(default=8.0, gt=0)
    seed: int = 7
    look_tokens: int = Field(
        default=1024, ge=0, description="For pictures and sound of a window together; 0: none."
    )
    pictures: int = Field(default=4, ge=0, le=64, description="At most so many of one window.")
    picture_side: int = Field(default=448, ge=16, le=4096, description="Longer side at most [px].")
    device: str = Field(default="auto", description="transformers: auto, cpu, cuda, cuda:1, mps.")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    quantise: Literal["none", "int8", "int4"] = Field(
        default="none", description="transformers: with bitsandbytes, on a GPU."
    )
    trust_remote_code: bool = Field(
        default=False, description="transformers: run code that came with the weights."
    )
    base_url: str = Field(default="http://127.0.0.1:8080/v1", description="openai: the server.")
    key_variable: str = Field(
        default="THYMOS_API_KEY", description="openai: environment variable that holds the key."
    )
    allow_remote: bool = Field(
        default=False,
        description="openai: what was seen, heard and said may leave this computer.",
    )


class RespondConfig(Section):
    """Answering."""

    speak: bool = True
    use_model: bool = Field(default=True, description="Let the model propose sentences.")
    max_age_s: float = Field(default=6.0, gt=0, description="An older answer is not spoken.")


class RecordConfig(Section):
    """Recording."""

    path: str = ""
    faces: bool = Field(default=True, description="Keep video.")
    voices: bool = Field(default=True, description="Keep sound.")
    video: Literal["raw", "mjpeg", "h264"] = Field(
        default="mjpeg", description="How pictures are written: raw is exact, h264 the smallest."
    )
    audio: Literal["pcm", "flac"] = Field(
        default="pcm", description="How sound is written; both are exact, flac is smaller."
    )
    max_bytes: int = Field(default=20 * 1024**3, gt=0)
    min_free_bytes: int = Field(default=256 * 1024**2, ge=0)


class Config(Section):
    """All settings."""

    sources: SourcesConfig = SourcesConfig()
    window: WindowConfig = WindowConfig()
    buffer: BufferConfig = BufferConfig()
    perceive: PerceiveConfig = PerceiveConfig()
    smell: SmellConfig = SmellConfig()
    reason: ReasonConfig = ReasonConfig()
    respond: RespondConfig = RespondConfig()
    record: RecordConfig = RecordConfig()


def load_config(path: Path | str | None) -> Config:
    """Read a YAML file of settings; None gives the defaults.

    Raises:
        ConfigError: The file is missing, not YAML, or has a wrong key or value.
    """
    if path is None:
        return Config()
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except OSError as err:
        raise ConfigError(f"cannot read the settings in '{path}': {err.strerror}") from err
    except Exception as err:  # PyYAML lets out whatever int(), float() and date() make of a value
        raise ConfigError(f"'{path}' is not YAML: {err}") from err
    try:
        return Config.model_validate(data)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"'{path}': {where}: {first['msg']}") from err
