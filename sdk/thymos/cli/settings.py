"""From options to settings: a file first, then what the command line says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from thymos.config import Config, ReasonConfig, load_config
from thymos.errors import ConfigError

BACKENDS: tuple[str, ...] = get_args(ReasonConfig.model_fields["backend"].annotation)


def settings(path: Path | None, **sections: dict[str, Any]) -> Config:
    """Read a settings file and lay the given values over it; None leaves a value alone.

    Raises:
        ConfigError: The file or a value is wrong.
    """
    return overlaid(load_config(path), **sections)


def overlaid(config: Config, **sections: dict[str, Any]) -> Config:
    """Lay values over settings; None leaves a value alone.

    Raises:
        ConfigError: A value is wrong.
    """
    data = config.model_dump()
    for section, values in sections.items():
        data[section].update({k: v for k, v in values.items() if v is not None})
    try:
        return Config.model_validate(data)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {first['msg']} (got {first['input']!r})") from err
