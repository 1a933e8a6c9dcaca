"""Classes by name, imported when they are first used: those of this package, and those that other packages register.

A package of your own adds a class under an entry point of one of the groups, in its pyproject.toml:

    [project.entry-points."mmrecun.models"]
    mymodel = "mypackage.mymodel:MyModel"
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Base = TypeVar("Base")


@dataclass(frozen=True)
class Registry:
    """The classes of one kind.

    Attributes:
        kind: what an entry is called in messages, such as "model".
        group: entry point group under which other packages register theirs.
        own: name -> "module:Class" of this package.
    """

    kind: str
    group: str
    own: Mapping[str, str]

    def names(self) -> list[str]:
        """Return every name, this package's first, without importing any implementation."""
        return list(dict.fromkeys([*self.own, *sorted(entry.name for entry in installed(self.group))]))

    def package_of(self, name: str) -> str:
        """Return the package or packages that register `name`, without importing them."""
        return " and ".join(self._owners(name))

    def check(self, name: str) -> None:
        """Refuse a name that is unknown, or that two packages register, without importing them.

        Raises:
            ConfigError: with the nearest known name, or with both packages.
        """
        owners = self._owners(name)
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is not the name of a {self.kind}; known: {', '.join(self.names())}")
        if not owners:
            raise ConfigError(unknown_name(self.kind, name, self.names()))
        if len(owners) > 1:
            raise ConfigError(
                f"{self.kind} '{name}' is registered more than once, by {' and by '.join(owners)}; "
                "uninstall one of these packages, or rename its entry point"
            )

    def load(self, name: str, base: type[Base]) -> type[Base]:
        """Import the class called `name`.

        Args:
            name: as registered.
            base: the class that it must be derived from.

        Raises:
            ConfigError: when the name is unknown or used twice, or when another package's class cannot be imported or
                is not a `base`.
        """
        self.check(name)
        if name in self.own:
            module, _, qualified = self.own[name].partition(":")
            found = getattr(import_module(module), qualified)
        else:
            found = self._foreign(next(iter(self._entries(name))))
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ConfigError(
                f"{self.kind} '{name}' of the package {self.package_of(name)} is not a class derived from "
                f"{base.__module__}.{base.__qualname__}"
            )
        return found

    def name_of(self, cls: type) -> str:
        """Return the name under which `cls` is registered.

        Raises:
            ConfigError: when it is under none.
        """
        path = f"{cls.__module__}:{cls.__qualname__}"
        for name, known in self.own.items():
            if known == path:
                return name
        for entry in installed(self.group):
            with suppress(ConfigError):  # a package that cannot be imported has not made `cls`
                if self._foreign(entry) is cls:
                    return entry.name
        raise ConfigError(
            f"{path} is not registered as a {self.kind}; name it in the entry points of its package, group {self.group}"
        )

    def _owners(self, name: str) -> list[str]:
        return ["mmrecun"] * (name in self.own) + [_package(entry) for entry in self._entries(name)]

    def _entries(self, name: str) -> "list[EntryPoint]":
        return [entry for entry in installed(self.group) if entry.name == name]

    def _foreign(self, entry: "EntryPoint") -> object:
        try:
            return entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ConfigError(
                f"{self.kind} '{entry.name}' of the package {_package(entry)} cannot be imported from "
                f"'{entry.value}' ({reason}); repair or uninstall that package"
            ) from error


@cache
def installed(group: str) -> "tuple[EntryPoint, ...]":
    """Return the entry points of `group` in this environment, read once."""
    from importlib.metadata import entry_points  # a slow import

    return tuple(entry_points(group=group))


def _package(entry: "EntryPoint") -> str:
    return entry.dist.name if entry.dist else entry.module.partition(".")[0]
