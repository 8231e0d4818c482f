"""Loading a transformers model: from a folder, a GGUF file or the hub, its processor with it."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thymos.errors import MissingExtraError, ModelError

_COMMIT = re.compile(r"^[0-9a-f]{40}$")


@dataclass(frozen=True)
class Loaded:
    """A model with what prepares its input.

    Attributes:
        model: Generates.
        tokenizer: Its tokenizer.
        processor: Makes tensors of text, pictures and sound; None: a model of text alone.
        device: Where the weights are.
        remarks: What whoever starts it should know.
    """

    model: Any
    tokenizer: Any
    processor: Any
    device: Any
    remarks: tuple[str, ...] = field(default=())

    @property
    def sees(self) -> bool:
        """Whether its processor has a part for pictures."""
        return getattr(self.processor, "image_processor", None) is not None

    @property
    def rate_hz(self) -> int:
        """Sampling rate of its part for sound, samples/s; 0 if it has none."""
        part = getattr(self.processor, "feature_extractor", None) or getattr(
            self.processor, "audio_processor", None
        )
        return int(getattr(part, "sampling_rate", 0))

    def processor_kwargs(self, pictures: bool) -> dict[str, Any]:
        """Options of one call: a picture is one tile, where the family would cut it into many."""
        part = getattr(self.processor, "image_processor", None)
        if pictures and hasattr(part, "do_image_splitting"):
            return {"images_kwargs": {"do_image_splitting": False}}
        return {}


def load(
    name: str,
    *,
    device: str,
    dtype: str,
    quantise: str,
    threads: int,
    trust_remote_code: bool,
) -> Loaded:
    """Load a model with its processor; see `thymos.reason.hub.HubLlm`.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: No such model, or it cannot be loaded.
    """
    torch, transformers = _libraries()
    place, options = _place(name, trust_remote_code)
    remarks: list[str] = []
    if trust_remote_code:
        remarks.append(f"code that came with '{name}' runs in this process (trust_remote_code)")
    torch.set_num_threads(threads)
    target = _device(torch, device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = transformers.AutoConfig.from_pretrained(place, **options)
            processor = _processor(transformers, config, place, options)
            model = _model(
                transformers, config, place, options, _weights(torch, target, dtype, quantise)
            )
            if quantise == "none":
                model = model.to(target)
    except ModelError:
        raise
    except Exception as err:  # each family fails in its own way
        raise ModelError(
            f"transformers cannot load '{name}': {str(err).strip().splitlines()[0][:200]}",
            hint=_remedy(str(err), name),
        ) from err
    model = model.eval()
    whole = hasattr(processor, "tokenizer")
    tokenizer = processor.tokenizer if whole else processor
    return Loaded(model, tokenizer, processor if whole else None, target, tuple(remarks))


def _libraries() -> tuple[Any, Any]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import torch
        import transformers
    except ImportError as err:
        raise MissingExtraError("torch and transformers", "transformers") from err
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers


def _place(name: str, trust_remote_code: bool) -> tuple[str, dict[str, Any]]:
    """Where the files are, and the options that every part is loaded with."""
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    path = Path(name).expanduser()
    if path.suffix == ".gguf" or path.is_file():
        if not path.is_file():
            raise ModelError(f"there is no model at '{path}'", hint="thymos models list")
        return str(path.parent), {**options, "gguf_file": path.name, "local_files_only": True}
    if path.is_dir():
        return str(path), {**options, "local_files_only": True}
    if name.startswith((".", "/", "~")):
        raise ModelError(f"there is no folder '{path}'", hint="give a folder or a name on the hub")
    repo, _, revision = name.partition("@")
    if trust_remote_code and not _COMMIT.match(revision):
        raise ModelError(
            f"'{name}' would run code of a revision that may change",
            hint=f"pin it: reason.model: {repo}@COMMIT, with all 40 digits of the commit",
        )
    return repo, {**options, "revision": revision} if revision else options


def _device(torch: Any, wanted: str) -> Any:
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError as err:
        raise ModelError(f"there is no device '{wanted}'", hint="reason.device: auto") from err
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "this torch sees no GPU", hint="reason.device: cpu, or install torch for your CUDA"
        )
    return device


def _weights(torch: Any, device: Any, dtype: str, quantise: str) -> dict[str, Any]:
    """Options of the weights alone."""
    if dtype == "auto":
        made: dict[str, Any] = {"dtype": torch.float32 if device.type == "cpu" else "auto"}
    else:
        made = {"dtype": getattr(torch, dtype)}
    if quantise != "none":
        from transformers import BitsAndBytesConfig

        eight = quantise == "int8"
        made["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=eight, load_in_4bit=not eight, bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.float16,
        )  # fmt: skip
        made["device_map"] = {"": str(device)}
    return made


def _model(
    transformers: Any, config: Any, place: str, options: dict[str, Any], weights: dict[str, Any]
) -> Any:
    """The network: a multimodal one if the library knows one for this configuration."""
    config = getattr(config, "thinker_config", config)  # of an omni model: the part that writes
    more = {**options, **weights}
    if "gguf_file" not in more:
        more["use_safetensors"] = True  # pickles run code
    kinds = (transformers.AutoModelForMultimodalLM, transformers.AutoModelForCausalLM)
    for kind in kinds:
        try:
            model, told = kind.from_pretrained(
                place, config=config, output_loading_info=True, **more
            )
        except ValueError as err:
            if kind is kinds[-1] or "Unrecognized configuration class" not in str(err):
                raise
        else:
            lacking = sorted([*told["missing_keys"], *map(str, told["mismatched_keys"])])
            if lacking:
                raise ModelError(
                    f"{len(lacking)} weights are missing or of another shape, '{lacking[0]}' first:"
                    " it would answer at random",
                    hint="copy the model again; all of its .safetensors files belong to it",
                )
            return model
    raise AssertionError  # pragma: no cover


def _processor(transformers: Any, config: Any, place: str, options: dict[str, Any]) -> Any:
    """What makes the input: the family's processor, or a tokenizer alone."""
    if "gguf_file" in options:
        return transformers.AutoTokenizer.from_pretrained(place, **options)
    try:
        return transformers.AutoProcessor.from_pretrained(place, **options)
    except ImportError as err:
        if "torchvision" not in str(err).lower():
            raise
    return _without_video(transformers, config, place, options)


def _without_video(transformers: Any, config: Any, place: str, options: dict[str, Any]) -> Any:
    """The family's processor without its part for video, which alone needs torchvision.

    Thymos shows frames as pictures, so that nothing is lost; torchvision often has no wheel that
    fits the torch of a Jetson.
    """
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    family = PROCESSOR_MAPPING[type(config)]

    class WithoutVideo(family):  # type: ignore[misc, valid-type]
        """The same, content with a stand-in for the part it lacks."""

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            """As the family does, the stand-in passed over."""
            if isinstance(argument, _NoVideo):
                return _NoVideo
            return super().check_argument_for_proper_class(argument_name, argument)

    settings, rest = WithoutVideo.get_processor_dict(place, **options)
    auto = {
        "tokenizer": transformers.AutoTokenizer,
        "image_processor": transformers.AutoImageProcessor,
        "feature_extractor": transformers.AutoFeatureExtractor,
    }
    parts = [
        auto[part].from_pretrained(place, **options) if part in auto else _NoVideo()
        for part in WithoutVideo.get_attributes()
    ]
    made = WithoutVideo.from_args_and_dict(parts, settings, **rest)
    return made[0] if isinstance(made, tuple) else made


class _NoVideo(dict[str, Any]):
    """Stands where a processor wants a part for video; it is never given any. Empty in JSON."""

    model_input_names: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> None:
        """Settings of a part that is not there."""
        if name.startswith("__"):
            raise AttributeError(name)


def _remedy(text: str, name: str) -> str:
    """What to type against a loading error."""
    for word, package in (
        ("bitsandbytes", "bitsandbytes"), ("torchvision", "torchvision"), ("timm", "timm"),
        ("num2words", "num2words"), ("gguf", "gguf"), ("accelerate", "accelerate"),
    ):  # fmt: skip
        if re.search(rf"`?{word}`?.*(require|install|not found)|(require|install).*{word}", text):
            return f"pip install {package}"
    if "trust_remote_code" in text:
        return "read its code first; then reason.trust_remote_code: true and a pinned revision"
    if "memory" in text.lower():
        return "a smaller model, reason.dtype: bfloat16 or reason.quantise: int4"
    return f"check the name '{name}', the network, or copy the model into a folder and name that"
