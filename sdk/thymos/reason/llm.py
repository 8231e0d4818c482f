"""What a chat model is to Thymos, and the one in this process by default (llama.cpp).

One model serves the reasoner and the responder. Other backends: `hub.py`, `remote.py`.

llama.cpp runs inside the process (xllamacpp). Generation releases the GIL, so sensors keep
streaming while the model writes; the callback of the stream is where cancellation and the deadline
are looked at, between tokens while it writes and between batches while it reads the prompt.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

from thymos.attend.media import Budget, Media
from thymos.errors import MissingExtraError, ModelError

TextSink = Callable[[str], None]
Finish = Literal["stop", "length", "cancelled", "deadline", "refused", "error"]


class Message(TypedDict):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote.

    Attributes:
        text: All of it, also if it was cut.
        finish: Why it ended. `refused`: a server does not take pictures or sound; its `budget` has
            changed, ask again.
        detail: The message of an error, else empty.
        seconds: Wall time, waiting for the other user of the model included.
        prompt_tokens: Tokens of the prompt, pictures and sound included; None if nobody tells.
        answer_tokens: Tokens written, likewise.
    """

    text: str
    finish: Finish
    detail: str = ""
    seconds: float = 0.0
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class Completer(Protocol):
    """A chat model. `LocalLlm` is one; tests bring their own."""

    @property
    def name(self) -> str:
        """Name of the weights."""

    @property
    def size_bytes(self) -> int:
        """Size of the weights: how far the model's own words are trusted depends on it."""

    def complete(
        self,
        messages: list[Message],
        *,
        grammar: str = "",
        max_tokens: int = 96,
        on_text: TextSink | None = None,
        cancel: threading.Event | None = None,
        deadline_s: float = 8.0,
        slot: int = 0,
        fixed: int = 0,
    ) -> Completion:
        """Continue a chat; never raises for what the model does."""

    def close(self) -> None:
        """Let the weights go."""


@runtime_checkable
class Perceptive(Protocol):
    """A chat model that may take pictures and sound beside the text (a `Completer` as well)."""

    @property
    def budget(self) -> Budget:
        """What pictures and sound cost it, measured; a price of 0: it takes none."""

    def complete(
        self,
        messages: list[Message],
        *,
        media: Media = ...,
        grammar: str = "",
        max_tokens: int = 96,
        on_text: TextSink | None = None,
        cancel: threading.Event | None = None,
        deadline_s: float = 8.0,
        slot: int = 0,
        fixed: int = 0,
    ) -> Completion:
        """Continue a chat; `media` stands before the text of the last turn."""


@dataclass(slots=True)
class Stream:
    """State of one generation: what was written so far, and whether to go on.

    Attributes:
        cancel: When set, stop.
        on_text: Receives each piece.
        until: Monotonic time after which to stop.
        parts: The pieces.
        finish: Why it ended.
        detail: Message of an error.
        prompt_tokens: Told by the runner.
        answer_tokens: Likewise.
    """

    cancel: threading.Event | None
    on_text: TextSink | None
    until: float
    parts: list[str] = field(default_factory=list)
    finish: Finish = "stop"
    detail: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None

    def take(self, chunk: Any) -> bool:
        """Take one chunk of an OpenAI stream; True stops the generation."""
        if "error" in chunk:
            self.finish, self.detail = "error", str(chunk["error"].get("message", "unknown"))
            return True
        usage = chunk.get("usage") or {}
        self.prompt_tokens = _tokens(usage.get("prompt_tokens"), self.prompt_tokens)
        self.answer_tokens = _tokens(usage.get("completion_tokens"), self.answer_tokens)
        if self.stopped():
            return True
        for choice in chunk.get("choices", ()):
            self.write(str((choice.get("delta") or {}).get("content") or ""))
            if choice.get("finish_reason") == "length":
                self.finish = "length"
        return False

    def write(self, text: str) -> None:
        """Keep a piece and hand it on."""
        if text:
            self.parts.append(text)
            if self.on_text is not None:
                self.on_text(text)

    def stopped(self) -> bool:
        """Whether somebody cancelled or time is over; notes which."""
        if self.cancel is not None and self.cancel.is_set():
            self.finish = "cancelled"
            return True
        if time.monotonic() > self.until:
            self.finish = "deadline"
            return True
        return False

    def done(self, started: float) -> Completion:
        """What came of it.

        Args:
            started: Monotonic time of the beginning.
        """
        return Completion(
            "".join(self.parts),
            self.finish,
            self.detail,
            time.monotonic() - started,
            self.prompt_tokens,
            self.answer_tokens,
        )

    def acquire(self, lock: threading.Lock) -> bool:
        """Wait for the other user of a model, but not past the deadline."""
        while not lock.acquire(timeout=0.02):
            if self.stopped():
                return False
        return True


def _tokens(told: object, before: int | None) -> int | None:
    """A count as a server tells it; what is none leaves the one before."""
    return told if type(told) is int and told >= 0 else before


@dataclass(slots=True)
class _Stream(Stream):
    """The callback of the runner: it is called from C++, where nothing may be raised."""

    interrupt: BaseException | None = None

    def __call__(self, chunk: object) -> bool:
        """Take one chunk; True stops the generation. Never raises: the caller is C++."""
        try:
            return self.take(chunk)
        except Exception as err:  # noqa: BLE001  (a foreign chunk must not pass through C++)
            self.finish, self.detail = "error", str(err)
            return True
        except BaseException as err:  # noqa: BLE001  (Ctrl-C would be lost in C++)
            self.finish, self.interrupt = "cancelled", err
            return True

    def halted(self) -> bool:
        """`stopped`, for callers in C++: an interrupt is kept, not raised."""
        try:
            return self.stopped()
        except BaseException as err:  # noqa: BLE001  (raised again by `complete`)
            self.finish, self.interrupt = "cancelled", err
            return True


@dataclass(slots=True)
class _Quiet:
    """Watches the reading of the fixed beginning: only cancellation and deadline matter."""

    stream: _Stream

    def __call__(self, chunk: object) -> bool:
        """Stop when the answer itself would be stopped."""
        return self.stream.halted()


class LocalLlm:
    """A GGUF model in this process.

    The chat template is the one in the file. Two slots keep the fixed beginnings of two prompts
    (reasoner 0, responder 1) in the cache, so that each window only pays for its own evidence.

    Args:
        path: The .gguf file.
        threads: CPU threads.
        seed: Of the sampler (at temperature 0 it changes nothing).
        context: Tokens for each slot.

    Raises:
        MissingExtraError: xllamacpp is not installed.
        ModelError: No such file, or llama.cpp cannot load it.
    """

    SLOTS = 2

    def __init__(self, path: Path, *, threads: int = 2, seed: int = 7, context: int = 1536) -> None:
        xllamacpp = _library()
        if not path.is_file():
            raise ModelError(
                f"there is no language model at '{path}'", hint="thymos models pull llm"
            )
        self._path = path
        self._seed = seed
        self._lock = threading.Lock()
        try:
            self._server: Any = xllamacpp.Server(_params(xllamacpp, path, threads, context))
        except (RuntimeError, ValueError, OSError) as err:
            raise ModelError(
                f"llama.cpp cannot load '{path.name}': not a GGUF file it knows, or no memory left",
                hint="thymos models verify",
            ) from err

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self._path.stem

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self._path.stat().st_size

    def complete(
        self,
        messages: list[Message],
        *,
        grammar: str = "",
        max_tokens: int = 96,
        on_text: TextSink | None = None,
        cancel: threading.Event | None = None,
        deadline_s: float = 8.0,
        slot: int = 0,
        fixed: int = 0,
    ) -> Completion:
        """Continue a chat at temperature 0.

        Args:
            messages: The chat so far; what stays the same between calls comes first (cached).
            grammar: GBNF the answer obeys; empty for free text.
            max_tokens: Upper bound of the answer; 0 only reads the prompt into the cache.
            on_text: Receives the answer piece by piece.
            cancel: When set, stops within one token or one prompt batch (256 tokens).
            deadline_s: Seconds after which it stops likewise, waiting included.
            slot: 0 or 1, which cached beginning to use.
            fixed: How many messages at the beginning are the same in every call of this slot; they
                are kept in the cache. 0 computes everything anew.

        Floating-point sums depend on how a prompt is cut into batches, and so, now and then, does
        the likeliest token. Hence the cache is brought back to the fixed beginning before each
        answer: the cut, and with it the answer, does not depend on what was asked before.
        """
        started = time.monotonic()
        stream = _Stream(cancel, on_text, started + deadline_s)
        request: dict[str, Any] = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "seed": self._seed,
            "cache_prompt": fixed > 0,
            "id_slot": slot % self.SLOTS,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
        }
        if grammar:
            request["grammar"] = grammar
        if not stream.acquire(self._lock):
            return stream.done(started)
        try:
            if self._server is None:
                return Completion("", "error", "the model is closed")
            if 0 < fixed < len(messages):
                start = {**request, "messages": messages[:fixed], "max_tokens": 0, "grammar": ""}
                self._server.handle_chat_completions(start, _Quiet(stream))
            if stream.interrupt is None and not stream.stopped():
                self._server.handle_chat_completions(request, stream)
        except (RuntimeError, ValueError, TypeError, UnicodeError) as err:
            stream.finish, stream.detail = "error", str(err)
        finally:
            self._lock.release()
        if stream.interrupt is not None:
            raise stream.interrupt
        return stream.done(started)

    def close(self) -> None:
        """Let the weights go; waits for a running generation."""
        with self._lock:
            self._server = None


def _library() -> Any:
    """Import the runner.

    Its threads wait for each other in OpenMP, by default spinning: with perception on the same
    cores they then burn the time slices they wait for (measured: 7.5 instead of 2.4 s of CPU at
    worst, docs/reasoning.md). OpenMP reads the policy when it is loaded; a setting of yours wins.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ImportError as err:
        raise MissingExtraError("xllamacpp", "llm") from err
    return xllamacpp


def _params(library: Any, path: Path, threads: int, context: int) -> Any:
    """Settings of the runner: small memory, quiet, nobody else may use it."""
    params = library.CommonParams()
    params.model.path = str(path)
    params.n_parallel = LocalLlm.SLOTS
    params.n_ctx = context * LocalLlm.SLOTS
    params.kv_unified = False
    params.n_batch = params.n_ubatch = 256
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    # Waiting threads sleep: they share the cores with perception.
    params.cpuparams.poll = 0
    params.cpuparams_batch.poll = 0
    params.fit_params = False
    params.warmup = False
    params.cache_ram_mib = 0
    params.verbosity = -1
    # The runner opens a port on 127.0.0.1 that we do not use and cannot switch off: a random key
    # shuts it, and the page and slot listing are off.
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [secrets.token_hex(32)]
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 1
    return params
