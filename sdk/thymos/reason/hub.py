"""Any chat model of the transformers library, with pictures and sound where it takes them.

What a family can do is found by trying its own processor and chat template once, when the model
is loaded: a picture or a stretch of sound that makes the prompt longer is taken, and by how much is
its price. No list of names. The grammar of the answer is the one llama.cpp gets (GBNF, through
llguidance). Frames of video are given as pictures, each with its second in the text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thymos.attend.media import Budget, Media, Picture, Sound
from thymos.errors import ModelError
from thymos.reason.held import Compiler, token_ids
from thymos.reason.hub_load import Loaded, load
from thymos.reason.llm import Completion, Message, Stream, TextSink

PROBE_S = 2
"""Sound of this length is priced (one stretch of `thymos.attend`)."""
BYTES_PER_WEIGHT = 5 / 8
"""Of a file with 4-bit weights, on which `WRITES_FROM_BYTES` was set."""


class _Halt(Exception):  # noqa: N818  (no error: leaves the model between two layers)
    """Cancelled, or time is over."""


class HubLlm:
    """A transformers model in this process.

    Args:
        name: Folder, `.gguf` file, or hub name, also `name@revision`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `auto` is float32 on a CPU, else what the weights are stored in.
        quantise: `none`, or `int8` and `int4` (bitsandbytes, on a GPU).
        threads: CPU threads of torch (of the whole process).
        trust_remote_code: Run code that came with the weights.
        budget: Limits of what is shown of one window; its prices are measured here.
        context: Prompts longer than this are refused, tokens.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: No such model, or it cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantise: Literal["none", "int8", "int4"] = "none",
        threads: int = 2,
        trust_remote_code: bool = False,
        budget: Budget | None = None,
        context: int = 8192,
    ) -> None:
        self._name = name
        self._context = context
        self._lock = threading.Lock()
        self._loaded: Loaded | None = load(
            name,
            device=device,
            dtype=dtype,
            quantise=quantise,
            threads=threads,
            trust_remote_code=trust_remote_code,
        )
        self._parameters = sum(p.numel() for p in self._loaded.model.parameters())
        self._stream: Stream | None = None
        for layer in _layers(self._loaded.model):
            layer.register_forward_pre_hook(self._look_up)
        self.remarks: tuple[str, ...] = self._loaded.remarks
        self._folds = self._folds_system()
        self._budget = self._priced(budget or Budget(tokens=1024))
        self._compiler = Compiler.of(
            self._loaded.tokenizer, self._loaded.model.generation_config.eos_token_id
        )
        if self._compiler is None:
            self.remarks += ("llguidance cannot hold this model to a grammar: answers are checked",)

    @property
    def name(self) -> str:
        """Name of the folder or on the hub, with its revision."""
        place = Path(self._name).expanduser()
        return place.stem if place.is_file() else place.name if place.is_dir() else self._name

    @property
    def size_bytes(self) -> int:
        """Size that the weights would have with 4 bits each, whatever they are loaded in."""
        return int(self._parameters * BYTES_PER_WEIGHT)

    @property
    def budget(self) -> Budget:
        """What pictures and sound cost this model, measured with its processor."""
        return self._budget

    def complete(
        self,
        messages: list[Message],
        *,
        media: Media = Media(),  # noqa: B008  (frozen)
        grammar: str = "",
        max_tokens: int = 96,
        on_text: TextSink | None = None,
        cancel: threading.Event | None = None,
        deadline_s: float = 8.0,
        slot: int = 0,
        fixed: int = 0,
    ) -> Completion:
        """Continue a chat, always with the likeliest token.

        Args:
            messages: The chat so far.
            media: Stands before the text of the last turn.
            grammar: GBNF the answer obeys; empty for free text.
            max_tokens: Upper bound of the answer.
            on_text: Receives the answer word by word.
            cancel: When set, stops before the next layer of the network.
            deadline_s: Seconds after which it stops likewise, waiting included.
            slot: Unused: nothing is kept between calls.
            fixed: Unused.
        """
        started = time.monotonic()
        stream = Stream(cancel, on_text, started + deadline_s)
        if max_tokens == 0:
            return stream.done(started)
        if not stream.acquire(self._lock):
            return stream.done(started)
        try:
            self._stream = stream
            self._generate(stream, messages, media, grammar, max_tokens)
        except _Halt:
            pass  # the stream knows why
        except Exception as err:  # noqa: BLE001  (whatever a foreign model or its template raises)
            stream.finish, stream.detail = "error", f"{type(err).__name__}: {err}"
        finally:
            self._stream = None
            self._lock.release()
        return stream.done(started)

    def close(self) -> None:
        """Let the weights go; waits for a running generation."""
        with self._lock:
            self._loaded = None

    def _look_up(self, module: Any, inputs: Any) -> None:
        if self._stream is not None and self._stream.stopped():
            raise _Halt

    def _generate(
        self, stream: Stream, messages: list[Message], media: Media, grammar: str, max_tokens: int
    ) -> None:
        if self._loaded is None:
            stream.finish, stream.detail = "error", "the model is closed"
            return
        import torch
        from transformers import GenerationConfig

        model = self._loaded.model
        inputs = self._inputs(messages, media)
        read = stream.prompt_tokens = int(inputs["input_ids"].shape[1])
        if read + max_tokens > self._context:
            stream.finish = "error"
            stream.detail = f"{read} tokens do not fit into a context of {self._context}"
            return
        if stream.stopped():
            return
        given = model.generation_config
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_tokens,
            eos_token_id=given.eos_token_id,
            pad_token_id=given.pad_token_id or self._loaded.tokenizer.pad_token_id,
            bos_token_id=given.bos_token_id,
        )
        words = _Words(self._loaded.tokenizer, stream)
        held = [self._compiler.matcher(grammar)] if grammar and self._compiler else []
        try:
            with torch.inference_mode():
                made = model.generate(
                    **inputs, generation_config=config, streamer=words, logits_processor=held
                )
        finally:
            words.end()
            stream.answer_tokens = words.count
        if words.count >= max_tokens and int(made[0, -1]) not in token_ids(config.eos_token_id):
            stream.finish = "length"

    def _inputs(self, messages: Sequence[Message], media: Media) -> Any:
        """Tensors of a chat, by the model's own processor and template."""
        assert self._loaded is not None  # noqa: S101
        chat: list[dict[str, Any]] = [dict(m) for m in messages]
        if self._folds and chat[0]["role"] == "system" and len(chat) > 1:
            first, second, *rest = chat
            chat = [{**second, "content": f"{first['content']}\n\n{second['content']}"}, *rest]
        processor = self._loaded.processor
        if processor is None:
            made = self._loaded.tokenizer.apply_chat_template(
                chat, add_generation_prompt=True, tokenize=True, return_dict=True,
                return_tensors="pt",
            )  # fmt: skip
            return made.to(self._loaded.device)
        for message in chat:
            message["content"] = [{"type": "text", "text": message["content"]}]
        chat[-1]["content"] = [*_parts(media), *chat[-1]["content"]]
        made = processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
            processor_kwargs=self._loaded.processor_kwargs(bool(media.pictures)),
        )  # fmt: skip
        return made.to(self._loaded.device, dtype=self._loaded.model.dtype)

    def _count(self, media: Media = Media()) -> int:  # noqa: B008
        return int(self._inputs([{"role": "user", "content": "?"}], media)["input_ids"].shape[1])

    def _folds_system(self) -> bool:
        """Whether the template takes no system turn, so that it goes into the first one."""
        self._folds = False
        chat: list[Message] = [
            {"role": "system", "content": "?"},
            {"role": "user", "content": "?"},
        ]
        for folds in (False, True):
            self._folds = folds
            try:
                self._inputs(chat, Media())
            except Exception as err:  # noqa: BLE001  (templates raise what they like)
                fault = err
            else:
                return folds
        raise ModelError(
            f"'{self._name}' cannot be asked: {str(fault)[:160]}",
            hint="take an instruct model: its folder holds a chat template",
        ) from fault

    def _priced(self, wish: Budget) -> Budget:
        """The budget with this model's prices; what it does not take costs 0 and is remarked."""
        assert self._loaded is not None  # noqa: S101
        rate = self._loaded.rate_hz
        picture = self._price(Media((_grey(wish.side),))) if self._loaded.sees else 0
        second = self._price(Media((), (_silence(rate),))) / PROBE_S if rate else 0.0
        for takes, what, price in (("pictures", "see", picture), ("sound", "hear", second)):
            if not price:
                self.remarks += (
                    f"{self.name} takes no {takes}: it is told in words what we {what}",
                )
        if picture > wish.tokens:
            self.remarks += (
                f"a picture costs {self.name} {picture} tokens, more than reason.look_tokens"
                f" ({wish.tokens}): none is shown",
            )
        return Budget(
            tokens=wish.tokens, picture=picture, second=second, pictures=wish.pictures,
            seconds=wish.seconds, side=wish.side, rate_hz=rate or wish.rate_hz,
        )  # fmt: skip

    def _price(self, media: Media) -> int:
        """By how much it makes a prompt longer; 0 if this model does not take it."""
        try:
            return max(0, self._count(media) - self._count())
        except Exception as err:  # noqa: BLE001  (each processor refuses in its own way)
            self.remarks += (f"{self.name} refused a trial: {str(err)[:120]}",)
            return 0


class _Words:
    """Streamer of `generate`: text as soon as it is whole."""

    def __init__(self, tokenizer: Any, stream: Stream) -> None:
        self._tokenizer = tokenizer
        self._stream = stream
        self._ids: list[int] = []
        self._told = ""
        self._prompt = True

    @property
    def count(self) -> int:
        """Tokens written so far."""
        return len(self._ids)

    def put(self, value: Any) -> None:
        """Take the prompt, then each token."""
        if self._prompt:
            self._prompt = False
            return
        self._ids.extend(int(i) for i in value.reshape(-1))
        text = self._text()
        if not text.endswith("\ufffd"):  # part of a character
            self._tell(text)
        if self._stream.stopped():
            raise _Halt

    def end(self) -> None:
        """Hand on what was held back."""
        self._tell(self._text())

    def _text(self) -> str:
        text: str = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        return text

    def _tell(self, text: str) -> None:
        if text.startswith(self._told) and len(text) > len(self._told):
            new, self._told = text[len(self._told) :], text
            self._stream.write(new)


def _parts(media: Media) -> Iterator[dict[str, Any]]:
    """Pictures, then sound, as chat templates take them."""
    if media.pictures:
        from PIL import Image

        for picture in media.pictures:
            pixels = np.ascontiguousarray(picture.pixels)
            yield {"type": "image", "image": Image.fromarray(pixels)}
    for sound in media.sounds:
        yield {"type": "audio", "audio": sound.samples.astype(np.float32) / 32768.0}


def _layers(model: Any) -> Iterator[Any]:
    """Every block of every stack in a network: where it can be left."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList):
            yield from module


def _grey(side: int) -> Picture:
    return Picture("camera", 0, np.full((side, side, 3), 127, np.uint8), "even", 0)


def _silence(rate_hz: int) -> Sound:
    samples = np.zeros(PROBE_S * rate_hz, np.int16)
    return Sound("microphone", 0, PROBE_S * 10**9, rate_hz, samples, "even", 0)
