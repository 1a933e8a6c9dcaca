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

from mmrecun.text import escape_control


class MMRecUnError(Exception):
    """Base of every error that a user can correct; its text is one line, with quoted names made printable."""

    def __str__(self) -> str:
        return escape_control(super().__str__())


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
