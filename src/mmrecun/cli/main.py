"""The command group, and the one place where errors become exit codes."""

import os
import sys

import typer
from rich.markup import escape

from mmrecun.cli import audit, data, demo, doctor, evaluate, plan, recommend, train, unlearn
from mmrecun.cli.output import errors
from mmrecun.errors import MMRecUnError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Take users, items, interactions and modalities back out of a trained recommender.",
)
app.add_typer(data.app, name="data")
app.command()(demo.demo)
for module in (plan.plan, train.train, evaluate.evaluate, recommend.recommend, unlearn.unlearn, audit.audit):
    app.command()(module)
app.command()(doctor.doctor)


def main() -> None:
    """Run the command line; exit 2 with one line for a mistake that can be mended.

    Threads that wait should sleep: spinning ones slow a machine that others share five- to tenfold. The setting is
    read when torch is loaded, so it is made here, before any command is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except MMRecUnError as error:
        errors.print("[red]error:[/red]", escape(str(error)), highlight=False, soft_wrap=True)
        sys.exit(2)
