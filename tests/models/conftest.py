"""A registry of small made-up roles, and wheels that real pip can download without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thymos.models import ModelStore, Registry

MakeStore = Callable[..., ModelStore]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def role(files: dict[str, bytes], *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "title": "made up",
        "files": {n: {"bytes": len(d), "sha256": sha256(d)} for n, d in files.items()},
        "sources": list(sources),
        **more,
    }


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
    """Write a wheel by hand: a zip with the three files that pip wants."""
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
        f"{len(data)}\n"
        for path, data in members.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    def make(**roles: dict[str, Any]) -> ModelStore:
        return ModelStore(tmp_path / "cache", Registry.model_validate({"roles": roles}))

    return make


def left_over(store: ModelStore) -> list[str]:
    """Everything in the cache that is neither a lock nor a role."""
    if not store.cache.is_dir():
        return []
    return sorted(p.name for p in store.cache.iterdir() if p.name.startswith(".pull"))
