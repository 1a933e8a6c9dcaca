"""What other packages add under a name: models, methods, adapters and importers, found by their entry points.

A package names its classes in its own metadata, for example in `pyproject.toml`:

    [project.entry-points."mmrecun.adapters"]
    ours = "our_package.adapter:OurAdapter"
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name

T = TypeVar("T")


def find(kind: str, name: str, own: Mapping[str, type[T]], base: type[T]) -> type[T]:
    """Return the class called `name`, of this package or of one that adds it under `mmrecun.<kind>s`.

    Args:
        kind: for messages and for the group of entry points, such as "model".
        name: as a user writes it.
        own: the classes of this package by name; no other package may take one of these names.
        base: what an added class must derive from.

    Raises:
        ConfigError: for an unknown name, one that is given twice, or a class that cannot be imported.
    """
    added = [entry for entry in _added(kind) if entry.name == name]
    givers = sorted({_giver(entry) for entry in added} | ({"mmrecun"} if name in own else set()))
    if len(givers) > 1:
        raise ConfigError(
            f"{kind} '{name}' is the name of one from each of the packages {', '.join(givers)}; "
            "uninstall all but one, or rename its entry point"
        )
    if name in own:
        return own[name]
    if not added:
        raise ConfigError(unknown_name(kind, name, names(kind, own)))
    return _loaded(kind, added[0], base)


def names(kind: str, own: Mapping[str, object]) -> list[str]:
    """Return the names of all there are, this package's first."""
    return [*own, *sorted({entry.name for entry in _added(kind)} - set(own))]


def name_of(kind: str, cls: type[T], own: Mapping[str, type[T]], base: type[T]) -> str:
    """Return the name under which `cls` is found.

    Raises:
        ConfigError: when no package gives it a name.
    """
    for name, known in own.items():
        if known is cls:
            return name
    for entry in _added(kind):
        near = entry.module.split(".")[0] == cls.__module__.split(".")[0]  # no other package need be imported
        if near and _loaded(kind, entry, base) is cls:
            return entry.name
    raise ConfigError(f"{kind} {cls.__name__} has no name; give it one as an entry point in the group mmrecun.{kind}s")


def _added(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"mmrecun.{kind}s"))


def _giver(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _loaded(kind: str, entry: EntryPoint, base: type[T]) -> type[T]:
    said = f"{kind} '{entry.name}' of the package {_giver(entry)}"
    try:
        cls = entry.load()
    except Exception as error:  # noqa: BLE001  # whatever happens in somebody else's module is one line here
        first = str(error).splitlines()[0] if str(error) else ""
        raise ConfigError(f"{said} cannot be imported from {entry.value}: {type(error).__name__}: {first}") from None
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise ConfigError(f"{said}: {entry.value} is no subclass of {base.__module__}.{base.__qualname__}")
    return cls
