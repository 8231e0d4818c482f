"""The scene of `thymos demo`."""

from __future__ import annotations

from thymos.demo.scene import Scene, build_scene

__all__ = ["Scene", "build_scene"]
