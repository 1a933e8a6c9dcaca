"""The class of every command: paths may begin with `~`, and an option of one value may be given once.

Shells do not expand `~` after `=` or in quotes.
"""

import os
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperOption

from mmrecun.errors import ConfigError


class Command(TyperCommand):
    """A command that is called with the home directory in place of `~` in its paths."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            ConfigError: when an option of one value is given twice, since the first would be passed over.
        """
        given = list(args)
        rest: list[str] = super().parse_args(ctx, args)
        if ctx.resilient_parsing:  # a shell asks for completions
            return rest
        _, _, order = self.make_parser(ctx).parse_args(args=given)
        for option in dict.fromkeys(order):
            once = isinstance(option, TyperOption) and not (option.multiple or option.is_flag)
            if once and order.count(option) > 1:
                raise ConfigError(f"{option.opts[0]} is given {order.count(option)} times; give it once")
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Call the command."""
        ctx.params = {name: with_home(value) for name, value in ctx.params.items()}
        return super().invoke(ctx)


def with_home(value: Any) -> Any:
    """Return a path, or each of a list of paths, with the home directory in place of `~`; other values unchanged."""
    if isinstance(value, list):
        return [with_home(each) for each in value]
    return Path(os.path.expanduser(value)) if isinstance(value, Path) else value  # noqa: PTH111 - it never raises
