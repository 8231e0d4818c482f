"""The hub source against a server on the loopback that answers as the hub does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.models.conftest import left_over, role

from thymos.errors import ModelError

REVISION = "0123456789abcdef0123456789abcdef01234567"
GOOD = b"weights from the hub" * 500

pytest.importorskip("huggingface_hub")


class Hub(BaseHTTPRequestHandler):
    served = GOOD

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path != f"/some/repo/resolve/{REVISION}/sub/model.bin":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(self.served).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(len(self.served)))
        self.end_headers()
        if body:
            self.wfile.write(self.served)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def source(endpoint: str, inside: str = "sub/model.bin") -> dict[str, object]:
    return {
        "kind": "hub",
        "repo": "some/repo",
        "revision": REVISION,
        "endpoint": endpoint,
        "files": {"model.bin": inside},
    }


def test_pull_from_the_hub(make_store, endpoint):
    store = make_store(a=role({"model.bin": GOOD}, source(endpoint)))
    store.pull("a")
    assert store.path("a").read_bytes() == GOOD
    assert sorted(p.name for p in (store.cache / "a").iterdir()) == [".verified.json", "model.bin"]


def test_what_the_hub_serves_is_checked(make_store, endpoint, monkeypatch):
    monkeypatch.setattr(Hub, "served", b"something else")
    store = make_store(a=role({"model.bin": GOOD}, source(endpoint)))
    with pytest.raises(ModelError, match="wrong sha256"):
        store.pull("a")
    assert not left_over(store)


def test_a_file_the_hub_does_not_have(make_store, endpoint):
    store = make_store(a=role({"model.bin": GOOD}, source(endpoint, "sub/other.bin")))
    with pytest.raises(ModelError, match="some/repo"):
        store.pull("a")
    assert not left_over(store)
