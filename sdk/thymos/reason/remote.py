"""A chat model behind any server that speaks OpenAI's protocol: vLLM, llama-server, Ollama.

By default on this computer only: what was seen, heard and said of people leaves it when
`reason.allow_remote` says so, not before. Pictures travel as JPEG in data URLs, sound as WAV. No
redirect is followed, and on the loopback no proxy of the environment is asked.
"""

from __future__ import annotations

import asyncio
import base64
import io
import ipaddress
import json
import threading
import time
import wave
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from thymos.attend.media import Budget, Media, Picture, Sound
from thymos.errors import ConfigError, MissingExtraError, ModelError
from thymos.reason.llm import Completion, Message, Stream, TextSink

PICTURE_TOKENS = 256
SECOND_TOKENS = 25.0
"""What Qwen2.5-VL and Qwen2.5-Omni need for 448 px and a second; servers do not tell theirs."""
UNKNOWN_BYTES = 10**12
TRIES = 2
MAX_BYTES = 1 << 20
"""More than this is no answer."""
POLL_S = 0.02
_ASK_S = 5.0
_BUSY = frozenset({429, 502, 503, 504})
_REFUSED = frozenset({400, 415, 422, 500, 501})


class RemoteLlm:
    """A model on a server.

    Args:
        base_url: With the version: `http://127.0.0.1:8080/v1`.
        model: Its name there; empty: the first one the server tells.
        key: Sent as a bearer token; never told or logged.
        seed: Of the sampler (at temperature 0 it changes nothing).
        allow_remote: The server may be another computer.
        budget: Limits of what is shown of one window.

    Raises:
        ConfigError: Not an address, or another computer that is not allowed.
        MissingExtraError: httpx2 is not installed.
        ModelError: No server answers there, or it has no such model.
    """

    def __init__(
        self,
        base_url: str,
        model: str = "",
        *,
        key: str = "",
        seed: int = 7,
        allow_remote: bool = False,
        budget: Budget | None = None,
    ) -> None:
        self._httpx = _library()
        self._url = base_url.rstrip("/")
        self._local = _is_local(base_url)
        self._key = key
        self._seed = seed
        self._lock = threading.Lock()
        self._closed = False
        self._constrained = True
        self._budget = replace(
            budget or Budget(tokens=1024), picture=PICTURE_TOKENS, second=SECOND_TOKENS
        )
        self.remarks: tuple[str, ...] = ()
        if not self._local:
            if not allow_remote:
                raise ConfigError(
                    f"'{urlsplit(base_url).hostname}' is another computer: words, pictures and "
                    "sound of people would leave this one",
                    hint="reason.allow_remote: true if they may, else a server on 127.0.0.1",
                )
            plain = "" if base_url.startswith("https:") else ", not encrypted"
            self.remarks = (
                f"words, pictures and sound of people go to {urlsplit(base_url).hostname}{plain}"
                " (reason.allow_remote)",
            )
        self._name, self._size, self._gbnf = self._introduce(model)

    @property
    def name(self) -> str:
        """Name of the model on the server."""
        return self._name

    @property
    def size_bytes(self) -> int:
        """Size of the weights if the server tells it (llama-server does), else taken as large."""
        return self._size

    @property
    def budget(self) -> Budget:
        """Estimated prices; 0 for what the server refused."""
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
        """Continue a chat at temperature 0.

        Args:
            messages: The chat so far.
            media: Stands before the text of the last turn.
            grammar: GBNF, for a llama-server; others are asked for a JSON object.
            max_tokens: Upper bound of the answer.
            on_text: Receives the answer piece by piece.
            cancel: When set, the connection is closed within some 20 ms; servers then stop.
            deadline_s: Seconds after which it is closed likewise, waiting included.
            slot: Unused: servers keep beginnings by themselves.
            fixed: Unused.
        """
        started = time.monotonic()
        stream = Stream(cancel, on_text, started + deadline_s)
        if max_tokens == 0:
            return stream.done(started)
        if not stream.acquire(self._lock):
            return stream.done(started)
        try:
            if self._closed:
                stream.finish, stream.detail = "error", "the model is closed"
            else:
                body = self._body(messages, media, grammar, max_tokens)
                _run(self._converse(body, stream, media))
        except Exception as err:  # noqa: BLE001  (whatever a foreign server sends or a watcher raises)
            stream.finish, stream.detail = "error", _plain(err)
        finally:
            self._lock.release()
        return stream.done(started)

    def close(self) -> None:
        """Nothing is kept open between calls; later calls are errors."""
        with self._lock:
            self._closed = True

    # -- talking

    def _client(self) -> Any:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return self._httpx.AsyncClient(
            headers=headers, timeout=_ASK_S, follow_redirects=False, trust_env=not self._local
        )

    def _introduce(self, wanted: str) -> tuple[str, int, bool]:
        """Ask which models there are: name, size, and whether it is llama.cpp (takes GBNF)."""
        start = "llama-server -m MODEL.gguf --port 8080, vllm serve MODEL or ollama serve; then"
        try:
            rows = _run(self._models())
        except Exception as err:
            raise ModelError(
                f"no model server answers at '{self._url}': {_plain(err)}",
                hint="put its key into THYMOS_API_KEY (reason.key_variable names another)"
                if "HTTP 401" in str(err) or "HTTP 403" in str(err)
                else f"{start} reason.base_url",
            ) from err
        names = [str(row.get("id", "")) for row in rows]
        if not names or (wanted and wanted not in names):
            raise ModelError(
                f"the server at '{self._url}' has no model '{wanted or 'at all'}'",
                hint=f"reason.model: one of {', '.join(names[:6])}" if names else start,
            )
        row = rows[names.index(wanted)] if wanted else rows[0]
        meta = row.get("meta") or {}
        name = str(row["id"]).replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".gguf")
        self._model = str(row["id"])
        return name, int(meta.get("size") or UNKNOWN_BYTES), row.get("owned_by") == "llamacpp"

    async def _models(self) -> list[dict[str, Any]]:
        async with self._client() as client:
            answer = await client.get(f"{self._url}/models")
        if answer.status_code != 200:
            raise ValueError(_fault(answer.status_code, answer.text))
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    def _body(
        self, messages: Sequence[Message], media: Media, grammar: str, max_tokens: int
    ) -> dict[str, Any]:
        chat: list[dict[str, Any]] = [dict(m) for m in messages]
        if media.looked_at:
            parts = [*map(_picture, media.pictures), *map(_sound, media.sounds)]
            chat[-1]["content"] = [*parts, {"type": "text", "text": chat[-1]["content"]}]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat,
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "seed": self._seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if grammar and self._gbnf:
            body["grammar"] = grammar
        elif grammar and self._constrained:
            body["response_format"] = {"type": "json_object"}
        return body

    async def _converse(self, body: dict[str, Any], stream: Stream, media: Media) -> None:
        """Ask, and again if the server is busy; give up as soon as the stream is stopped."""
        task = asyncio.ensure_future(self._ask(body, stream, media))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=POLL_S)
                if not task.done() and stream.stopped():
                    return
            task.result()
        finally:
            task.cancel()  # closes the connection
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, body: dict[str, Any], stream: Stream, media: Media) -> None:
        async with self._client() as client:
            client.timeout = None  # the stream knows its deadline
            for attempt in range(TRIES + 1):
                url = f"{self._url}/chat/completions"
                async with client.stream("POST", url, json=body) as answer:
                    if answer.status_code == 200:
                        await _read(answer, stream)
                        return
                    fault = _fault(answer.status_code, await _text(answer))
                if answer.status_code in _REFUSED and "context" not in fault:
                    if self._drop(media, fault):
                        stream.finish, stream.detail = "refused", fault
                        return
                    if body.pop("response_format", None):
                        self._constrained = False
                        continue
                if answer.status_code not in _BUSY or attempt == TRIES:
                    stream.finish, stream.detail = "error", fault
                    return
                await asyncio.sleep(0.2 * 2**attempt)

    def _drop(self, media: Media, fault: str) -> bool:
        """After a refusal: show no more of what it names; False if nothing was shown.

        If it names nothing, sound goes first: fewer models take it.
        """
        names_pictures = "image" in fault.lower() and "audio" not in fault.lower()
        if media.pictures and (names_pictures or not media.sounds):
            what = "pictures"
            self._budget = replace(self._budget, picture=0)
        elif media.sounds:
            what = "sound"
            self._budget = replace(self._budget, second=0.0)
        else:
            return False
        self.remarks += (f"{self._name} takes no {what} here: it is told in words",)
        return True


def _library() -> Any:
    try:
        import httpx2
    except ImportError as err:
        raise MissingExtraError("httpx2", "openai") from err
    return httpx2


def _is_local(base_url: str) -> bool:
    """Whether an address is the loopback.

    Raises:
        ConfigError: It is no address, or holds a password.
    """
    try:
        parts = urlsplit(base_url)
        host, secret = parts.hostname, parts.username or parts.password
    except ValueError:
        host, secret, parts = None, None, urlsplit("")
    if host is None or parts.scheme not in ("http", "https"):
        raise ConfigError(
            f"reason.base_url '{base_url}' is no address", hint="http://127.0.0.1:8080/v1"
        )
    if secret:
        raise ConfigError(
            "reason.base_url holds a password", hint="put the key into THYMOS_API_KEY instead"
        )
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, also where this thread has a loop of its own (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _read(answer: Any, stream: Stream) -> None:
    """Take server-sent events until the end, the mark of the end, or the stream stops."""
    rest, size = b"", 0
    async for piece in answer.aiter_bytes():
        size += len(piece)
        if size > MAX_BYTES:
            raise ValueError("the server sends more than an answer")
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            name, _, data = line.strip().partition(b":")
            if name != b"data":
                continue
            if data.strip() == b"[DONE]" or stream.take(json.loads(data)):
                return


async def _text(answer: Any) -> str:
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > 4096:
            break
    return body[:4096].decode(errors="replace")


def _fault(status: int, text: str) -> str:
    """One line about a refusal."""
    try:
        row = json.loads(text)
        text = str((row.get("error") or {}).get("message") or row.get("detail") or text)
    except (ValueError, AttributeError):
        pass
    return f"HTTP {status}: {' '.join(text.split())[:160]}"


def _plain(err: BaseException) -> str:
    text = " ".join(str(err).split())[:160]
    return f"{type(err).__name__}: {text}" if text else type(err).__name__


def _picture(picture: Picture) -> dict[str, Any]:
    try:
        from PIL import Image
    except ImportError as err:
        raise MissingExtraError("pillow", "record") from err
    file = io.BytesIO()
    Image.fromarray(picture.pixels).save(file, "jpeg", quality=90)
    url = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _sound(sound: Sound) -> dict[str, Any]:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sound.rate_hz)
        out.writeframes(sound.samples.astype("<i2").tobytes())
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
