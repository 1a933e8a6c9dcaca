"""The class of every command: paths may begin with `~`, which shells do not expand after `=` or in quotes."""

import os
from pathlib import Path
from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command that is called with the home directory in place of `~` in its paths."""

    def invoke(self, ctx: Any) -> Any:
        """Call the command."""
        ctx.params = {name: with_home(value) for name, value in ctx.params.items()}
        return super().invoke(ctx)


def with_home(value: Any) -> Any:
    """Return a path, or each of a list of paths, with the home directory in place of `~`; other values unchanged."""
    if isinstance(value, list):
        return [with_home(each) for each in value]
    return Path(os.path.expanduser(value)) if isinstance(value, Path) else value  # noqa: PTH111 - it never raises
