"""A command group that takes a command's name for granted: `mmrecun bench SPEC` is `mmrecun bench run SPEC`."""

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """A group that runs its command `default` when none is named."""

    default = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default command before arguments that begin with no command's name."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed
