"""The specs that come with the package, by name."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name


def spec_folder() -> Traversable:
    """Return the folder of the specs that come with the package."""
    return files("mmrecun.bench") / "specs"


def shipped() -> list[str]:
    """Return the names of the specs that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in spec_folder().iterdir() if entry.name.endswith(".toml"))


def is_file(spec: str) -> bool:
    """Say whether `spec` names a file, rather than a spec that comes with the package.

    Raises:
        ConfigError: when it is neither, with the nearest known name.
    """
    if Path(spec).suffix == ".toml" or Path(spec).is_file():
        return True
    if spec not in shipped():
        raise ConfigError(f"{unknown_name('spec', spec, shipped())}; a spec of your own is a .toml file")
    return False
