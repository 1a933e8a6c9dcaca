"""Errors, as one small tree.

MMRecUnError
 ├── DataError       a dataset, a file or a split cannot be used as it is
 ├── ConfigError     a setting is unknown, ill-typed or contradicts another
 ├── ForgetError     a forget request names something unknown, or would remove everything
 ├── ShapeError      an array has other dimensions than the function states
 ├── DivergedError   a loss or a parameter is no longer a finite number
 └── ArtifactError   a run folder is missing, incomplete or does not fit
      └── DiskError  the disk is full or takes no more
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mmrecun.text import escape_control

_OPTION = re.compile(r"(?<!\S)--([a-z]+(?:-[a-z]+)*)\b")
_ARGUMENTS = {"set": "settings", "from": "source"}  # options that are not called like their arguments
_P = ParamSpec("_P")
_R = TypeVar("_R")


class MMRecUnError(Exception):
    """Base of every error that a user can correct; its text is one line, with quoted names made printable.

    It is written for the command line, whose options have the names of arguments.

    Attributes:
        names_arguments: whether the text names 'on_disk', as Python's callers know it, where it has --on-disk.
    """

    names_arguments = False

    def __str__(self) -> str:
        text = escape_control(super().__str__())
        return _OPTION.sub(_argument, text) if self.names_arguments else text


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return f"'{_ARGUMENTS.get(name, name)}'"


def naming_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return the function with errors that name its arguments instead of options of the command line."""

    @wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except MMRecUnError as error:
            error.names_arguments = True
            raise

    return called


class DataError(MMRecUnError):
    """A dataset, a file or a split cannot be used as it is."""


class ConfigError(MMRecUnError):
    """A setting is unknown, ill-typed or contradicts another."""


class ForgetError(MMRecUnError):
    """A forget request names something unknown, or would remove everything."""


class ShapeError(MMRecUnError):
    """An array has other dimensions than the function states."""


class DivergedError(MMRecUnError):
    """A loss or a parameter is no longer a finite number."""


class ArtifactError(MMRecUnError):
    """A run folder is missing, incomplete or does not fit."""


class DiskError(ArtifactError):
    """The disk is full or takes no more, so that no work that writes can go on."""
