"""The command group, and the one place where errors become exit codes."""

import sys

import typer

from mmrecun.cli import audit, data, demo, doctor, evaluate, plan, recommend, train, unlearn
from mmrecun.cli.output import errors
from mmrecun.errors import MMRecUnError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.command()(demo.demo)
app.add_typer(data.app, name="data")
for module in (plan.plan, train.train, evaluate.evaluate, recommend.recommend, unlearn.unlearn, audit.audit):
    app.command()(module)
app.command()(doctor.doctor)


def main() -> None:
    """Run the command line; exit 2 with one line for a mistake that can be mended."""
    try:
        app()
    except MMRecUnError as error:
        errors.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
