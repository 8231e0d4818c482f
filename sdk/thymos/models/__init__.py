"""Which weights a role uses, where they come from, and whether they are what they should be."""

from __future__ import annotations

from thymos.models.registry import Registry, load_registry
from thymos.models.store import FileCheck, ModelStore, Progress, RoleStatus

__all__ = ["FileCheck", "ModelStore", "Progress", "Registry", "RoleStatus", "load_registry"]
