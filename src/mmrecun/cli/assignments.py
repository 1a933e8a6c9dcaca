"""Assignments on the command line, such as `--set layers=3`; without pydantic, which takes long to import."""

import tomllib
from typing import Any

from mmrecun.errors import ConfigError


def parse_assignments(assignments: list[str], option: str = "--set") -> dict[str, Any]:
    """Parse assignments such as "layers=3"; values are read as TOML, and anything else as text.

    >>> parse_assignments(["layers=3", "form=swapped"])
    {'layers': 3, 'form': 'swapped'}

    Raises:
        ConfigError: for an assignment without a name or an equals sign, or of a name that has a value already.
    """
    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name.strip():
            raise ConfigError(f"{option} {assignment}: write it as name=value, for example {option} layers=3")
        if name.strip() in parsed:
            raise ConfigError(f"{option} {assignment}: '{name.strip()}' is given twice")
        try:
            parsed[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[name.strip()] = text.strip()
    return parsed
