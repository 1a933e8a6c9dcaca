"""Optional libraries: loaded when they are first needed, with one clear line where they are missing."""

from importlib import import_module
from types import ModuleType

from mmrecun.errors import ConfigError


def library(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: its import name, such as "faiss".
        extra: the extra of this package that brings it.
        purpose: what it is needed for, as the first words of the error.

    Raises:
        ConfigError: when it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = error.name or module
        raise ConfigError(f"{purpose} needs the library '{name}'; pip install 'mmrecun[{extra}]'") from None
