"""The openai backend against a small HTTP server on the loopback that does what a test wants.

A real llama.cpp server is asked in test_backends.py.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import wave
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from thymos.attend.media import Media, Picture, Sound
from thymos.config import Config, ReasonConfig
from thymos.errors import ConfigError, ModelError
from thymos.reason import build
from thymos.reason.chat import ChatReasoner
from thymos.reason.remote import RemoteLlm

pytest.importorskip("httpx2")
ASK = [{"role": "user", "content": "Hello."}]
KEY = "sk-very-secret"
ANSWER = (
    '{"use":["c1","c2"],"label":"sadness",'
    '"why":"They seem sad because the brows are drawn together and the voice is quiet."}'
)
PATIENT = 60.0


class Peer(ThreadingHTTPServer):
    """Answers each question with the next of `script`: a status, or what to write."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[object] = []
        self.asked: list[dict] = []
        self.headers: list[str] = []
        self.models: object = {"data": [{"id": "org/some-model", "owned_by": "vllm"}]}
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.headers.append(self.headers.get("Authorization", ""))
        self.reply(200, json.dumps(self.server.models))

    def reply(self, status: int, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append(body)
        server.headers.append(self.headers.get("Authorization", ""))
        step = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        if isinstance(step, int):
            self.reply(step, json.dumps({"error": {"message": f"fault {step}"}}), Location="/x")
        elif isinstance(step, tuple):
            self.reply(step[0], json.dumps({"error": {"message": step[1]}}))
        else:
            self.send_response(200)
            self.end_headers()
            try:
                step(self.wfile)
            except OSError:
                server.left.set()


def chunk(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def says(text: str):
    def write(out) -> None:
        for i in range(0, len(text), 7):
            out.write(chunk(text[i : i + 7]))
        usage = {"choices": [], "usage": {"prompt_tokens": 321, "completion_tokens": 12}}
        out.write(b"data: " + json.dumps(usage).encode() + b"\n\ndata: [DONE]\n\n")

    return write


def endless(out) -> None:
    """Writes slowly until the other side has gone."""
    while True:
        out.write(chunk("word "))
        out.flush()
        time.sleep(0.005)


def raw(data: bytes):
    return lambda out: out.write(data)


@pytest.fixture
def peer():
    server = Peer()
    server.script = [says(ANSWER)]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def shown(pictures: int = 1, sounds: int = 1) -> Media:
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:, 16:] = (250, 10, 10)
    tone = (np.sin(np.arange(1600) / 9) * 9000).astype(np.int16)
    return Media(
        tuple(Picture("camera", 10**9 * (i + 1), pixels, "motion", 256) for i in range(pictures)),
        tuple(Sound("microphone", 0, 10**8, 16_000, tone, "sound", 3) for _ in range(sounds)),
    )


@pytest.fixture
def seen(cue, evidence_of):
    evidence = evidence_of(
        [
            cue("face", "the brows are drawn together", "sadness"),
            cue("voice", "the voice is quiet", "sadness"),
        ]
    )
    return replace(evidence, media=lambda b: shown(1 if b.picture else 0, 1 if b.second else 0))


def test_pictures_and_sound_arrive_whole(peer):
    from PIL import Image

    done = RemoteLlm(peer.url).complete(ASK, media=shown(), deadline_s=PATIENT)
    assert (done.finish, done.text) == ("stop", ANSWER)
    assert (done.prompt_tokens, done.answer_tokens) == (321, 12)
    picture, sound, text = peer.asked[0]["messages"][-1]["content"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert image.shape == (24, 32, 3)
    assert image[12, 28, 0] > 200
    assert image[12, 4, 0] < 50
    with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 1600)
        heard = np.frombuffer(file.readframes(1600), "<i2")
    np.testing.assert_array_equal(heard, shown().sounds[0].samples)
    assert text == {"type": "text", "text": "Hello."}


def test_an_explanation_with_eyes_and_ears(peer, seen):
    reasoner = ChatReasoner(RemoteLlm(peer.url), backend="openai", deadline_s=PATIENT)
    made = reasoner.explain(seen)
    assert (made.backend, made.model, made.fallback) == ("openai", "some-model", "")
    assert [look.kind for look in made.looked_at] == ["sound", "picture"]
    assert made.asked.prompt_tokens == 321
    assert "Pictures are shown of: 1.0 s." in made.asked.text


def test_what_a_server_refuses_is_told_in_words_from_then_on(peer, seen):
    peer.script = [(400, "audio input is not supported"), (500, "image input"), says(ANSWER)]
    reasoner = ChatReasoner(RemoteLlm(peer.url), backend="openai", deadline_s=PATIENT)
    made = reasoner.explain(seen)
    assert made.fallback == ""
    assert made.looked_at == ()
    kinds = [[type(m["messages"][-1]["content"])] for m in peer.asked]
    assert kinds == [[list], [list], [str]]
    assert "Sound is played" not in json.dumps(peer.asked[1])
    assert "Pictures are shown" not in json.dumps(peer.asked[2])
    assert len(reasoner.remarks) == 2
    assert reasoner.stats["pictures or sound refused"] == 2
    assert reasoner.explain(seen).fallback == ""
    assert len(peer.asked) == 4  # the next window is asked once


def test_a_server_that_names_pictures_keeps_its_sound(peer, seen):
    peer.script = [(400, "at most 0 image(s) may be provided"), says(ANSWER)]
    made = ChatReasoner(RemoteLlm(peer.url), deadline_s=PATIENT).explain(seen)
    assert [look.kind for look in made.looked_at] == ["sound"]


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_giving_up_closes_the_connection(peer, how):
    peer.script = [endless]
    cancel = threading.Event()
    llm = RemoteLlm(peer.url)
    take = (lambda _: cancel.set()) if how == "cancel" else None
    done = llm.complete(
        ASK, cancel=cancel, on_text=take, deadline_s=PATIENT if how == "cancel" else 0.3
    )
    assert done.finish == ("cancelled" if how == "cancel" else how)
    assert peer.left.wait(PATIENT)  # the server noticed


def test_giving_up_on_a_server_that_says_nothing(peer):
    hold = threading.Event()
    peer.script = [lambda out: hold.wait(PATIENT)]
    done = RemoteLlm(peer.url).complete(ASK, deadline_s=0.2)
    hold.set()
    assert (done.finish, done.text) == ("deadline", "")


def test_a_busy_server_is_asked_again_but_not_for_ever(peer):
    peer.script = [503, says(ANSWER)]
    assert RemoteLlm(peer.url).complete(ASK, deadline_s=PATIENT).text == ANSWER
    assert len(peer.asked) == 2
    peer.asked.clear()
    peer.script = [503]
    done = RemoteLlm(peer.url).complete(ASK, deadline_s=PATIENT)
    assert (done.finish, done.detail) == ("error", "HTTP 503: fault 503")
    assert len(peer.asked) == 3


def test_answers_are_asked_for_as_json_unless_the_server_does_not_know_how(peer):
    llm = RemoteLlm(peer.url)
    llm.complete(ASK, grammar="root ::= x", deadline_s=PATIENT)
    assert peer.asked[0]["response_format"] == {"type": "json_object"}
    assert "grammar" not in peer.asked[0]
    peer.script = [400, says(ANSWER)]
    assert llm.complete(ASK, grammar="root ::= x", deadline_s=PATIENT).text == ANSWER
    llm.complete(ASK, grammar="root ::= x", deadline_s=PATIENT)
    assert ["response_format" in body for body in peer.asked] == [True, True, False, False]


BROKEN = [
    b"data: {not json}\n\n",
    b'data: {"error": {"message": "out of memory"}}\n\n',
    b"data: [1]\n\n",
    b'data: {"choices": [{"delta": 3}]}\n\n',
    b'data: {"choices": 7}\n\n',
]


def test_strange_counts_are_not_published(peer, seen):
    def write(out) -> None:
        out.write(chunk(ANSWER))
        out.write(b'data: {"usage": {"prompt_tokens": "many", "completion_tokens": -3}}\n\n')

    peer.script = [write]
    made = ChatReasoner(RemoteLlm(peer.url), deadline_s=PATIENT).explain(seen)
    assert (made.asked.prompt_tokens, made.asked.answer_tokens) == (None, None)


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_answer_is_an_error(peer, data):
    peer.script = [raw(data)]
    done = RemoteLlm(peer.url).complete(ASK, deadline_s=PATIENT)
    assert done.finish == "error"
    assert done.detail


def test_a_flood_is_cut(peer):
    peer.script = [raw(b"data: " + b"x" * (3 << 20))]
    done = RemoteLlm(peer.url).complete(ASK, deadline_s=PATIENT)
    assert (done.finish, "more than an answer" in done.detail) == ("error", True)


def test_a_redirect_is_not_followed(peer):
    peer.script = [307]
    done = RemoteLlm(peer.url).complete(ASK, media=shown(), deadline_s=PATIENT)
    assert done.finish == "error"
    assert "307" in done.detail
    assert len(peer.asked) == 1


def test_the_key_is_sent_and_never_told(peer, capfd, caplog):
    caplog.set_level("DEBUG")
    llm = RemoteLlm(peer.url, key=KEY)
    peer.script = [(401, "no")]
    done = llm.complete(ASK, deadline_s=PATIENT)
    assert peer.headers == [f"Bearer {KEY}"] * 2
    told = f"{done} {llm!r} {llm.remarks} {caplog.text} {capfd.readouterr()}"
    assert KEY not in told
    peer.models = {"nothing": KEY}
    with pytest.raises(ModelError) as caught:
        RemoteLlm(peer.url, key=KEY)
    assert KEY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "url", ["http://192.0.2.7:8000/v1", "https://api.example.com/v1", "http://localhost.example/v1"]
)
def test_nothing_leaves_this_computer_unless_that_is_allowed(url):
    config = Config(reason=ReasonConfig(backend="openai", base_url=url))
    with pytest.raises(ConfigError, match="another computer") as caught:
        build(config, store=None)
    assert "allow_remote" in caught.value.hint


def test_where_it_goes_is_said(peer, monkeypatch):
    monkeypatch.setattr("thymos.reason.remote._is_local", lambda url: False)
    llm = RemoteLlm(peer.url, allow_remote=True)
    assert "go to 127.0.0.1, not encrypted" in llm.remarks[0]


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://127.0.0.1/", "http://[::1", "file:///x"]
)
def test_an_address_that_is_none(url):
    with pytest.raises(ConfigError, match="no address"):
        RemoteLlm(url)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        RemoteLlm("http://me:hunter2@127.0.0.1/v1")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_no_server_and_no_such_model(peer):
    with pytest.raises(ModelError, match="no model server answers") as caught:
        RemoteLlm("http://127.0.0.1:9/v1")
    assert "llama-server" in caught.value.hint
    with pytest.raises(ModelError, match="has no model 'other'") as caught:
        RemoteLlm(peer.url, "other")
    assert "org/some-model" in caught.value.hint


def test_built_from_settings(peer, monkeypatch, seen):
    monkeypatch.setenv("MY_KEY", KEY)
    reason = {"base_url": peer.url, "key_variable": "MY_KEY", "look_tokens": 300, "pictures": 1}
    made = build(Config(reason=ReasonConfig(backend="openai", **reason)), store=None)
    assert (made.backend, made.model) == ("openai", "some-model")
    assert (made.llm.budget.tokens, made.llm.budget.pictures) == (300, 1)
    assert made.explain(seen).fallback == ""
    assert peer.headers[-1] == f"Bearer {KEY}"
    made.close()
    assert made.explain(seen).fallback.startswith("runner error: the model is closed")


def test_inside_a_running_loop(peer):
    """As in a notebook."""
    import asyncio

    async def ask() -> str:
        return RemoteLlm(peer.url).complete(ASK, deadline_s=PATIENT).text

    assert asyncio.run(ask()) == ANSWER
