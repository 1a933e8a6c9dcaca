"""The command group, and the one place where errors become exit codes."""

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text
from typer.core import TyperGroup

from mmrecun import __version__
from mmrecun.cli import audit, bench, data, demo, doctor, evaluate, plan, recommend, train, unlearn
from mmrecun.cli.output import errors, plain, say
from mmrecun.errors import MMRecUnError

_UsageError: Any = typer.BadParameter.__base__


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say(str(stop) or "stopped", errors)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Take users, items, interactions and modalities back out of a trained recommender.",
)
app.add_typer(data.app, name="data")
app.command()(demo.demo)
for module in (
    plan.plan,
    train.train,
    evaluate.evaluate,
    recommend.recommend,
    unlearn.unlearn,
    audit.audit,
    bench.bench,
):
    app.command()(module)
app.command()(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        say(f"mmrecun {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; exit 2 with one line for a mistake that can be mended, 130 when it was interrupted.

    Threads that wait should sleep: spinning ones slow a machine that others share five- to tenfold. The setting is
    read when torch is loaded, so it is made here, before any command is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        sys.exit(app(prog_name="mmrecun", standalone_mode=False))
    except MMRecUnError as error:
        _refuse(str(error))
    except _UsageError as error:
        message = error.format_message().rstrip(".")
        if not message:  # the help was asked for by giving nothing, and is printed
            sys.exit(error.exit_code)
        where = error.ctx.command_path if error.ctx else "mmrecun"
        _refuse(f"{message[:1].lower()}{message[1:]}; see {where} --help")
    except OSError as error:
        if error.strerror is None:
            raise
        _refuse(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)


def _refuse(message: str) -> NoReturn:
    errors.print(Text.assemble(("error:", "red"), " ", plain(message)), soft_wrap=True)
    sys.exit(2)
