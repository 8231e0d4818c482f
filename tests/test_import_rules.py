"""Who may import whom: the street has one direction."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("thymos", "thymos_drivers", "thymos_calibration", "thymos_nodes", "thymos_msgs")
ALLOWED = {
    "sdk/thymos": ("thymos",),
    "drivers/thymos_drivers": (
        "thymos_drivers",
        "thymos.samples",
        "thymos.clock",
        "thymos.errors",
        "thymos.smell.formats",
        "thymos.smell.frame",
        "thymos.smell.stream",
        "thymos.smell.validity",
    ),
    "calibration/thymos_calibration": ("thymos_calibration", "thymos", "thymos_drivers"),
    "nodes/thymos_nodes": OURS,
}
HEAVY = ("torch", "rclpy", "mediapipe", "cv2", "av", "xllamacpp", "onnxruntime", "scipy", "jax")


def imports(path: Path) -> list[str]:
    """Modules that a file imports anywhere, also lazily."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
    return found


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_room_imports_only_what_lies_up_the_street(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in files
        for module in imports(path)
        if any(within(module, ours) for ours in OURS)
        and not any(within(module, allowed) for allowed in ALLOWED[folder])
    ]
    assert wrong == []


def test_the_sdk_never_imports_ros() -> None:
    files = (ROOT / "sdk/thymos").rglob("*.py")
    assert [p for p in files for m in imports(p) if within(m, "rclpy")] == []


def test_importing_thymos_is_light() -> None:
    code = f"import sys, thymos; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_is_light() -> None:
    code = (
        "import sys, thymos.cli.main as m; m.mount();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
