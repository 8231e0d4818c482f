"""Thymos: a robot that sees, hears and smells, explains what someone may feel, and answers.

The core needs numpy and pydantic; cameras, models, ROS and speech are extras, imported when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thymos.config import Config, load_config
    from thymos.contract import WindowReport
    from thymos.errors import ThymosError
    from thymos.explainer import explain
    from thymos.pipeline import Pipeline
    from thymos.samples import Flag, Kind, Origin, Sample, Source, StreamSpec

__version__ = "0.1.0"

_HOME = {
    "Config": "thymos.config",
    "Flag": "thymos.samples",
    "Kind": "thymos.samples",
    "Origin": "thymos.samples",
    "Pipeline": "thymos.pipeline",
    "Sample": "thymos.samples",
    "Source": "thymos.samples",
    "StreamSpec": "thymos.samples",
    "ThymosError": "thymos.errors",
    "WindowReport": "thymos.contract",
    "explain": "thymos.explainer",
    "load_config": "thymos.config",
}

__all__ = [
    "Config",
    "Flag",
    "Kind",
    "Origin",
    "Pipeline",
    "Sample",
    "Source",
    "StreamSpec",
    "ThymosError",
    "WindowReport",
    "explain",
    "load_config",
]


def __getattr__(name: str) -> Any:  # lazy: `import thymos` stays fast and light
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'thymos' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
