"""`mmrecun plan`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrecun.cli.assignments import parse_assignments
from mmrecun.cli.options import MODEL_NAMES, Device, Set, known_model
from mmrecun.cli.output import JsonFlag, facts_table, print_json
from mmrecun.errors import ConfigError
from mmrecun.text import duration


def plan(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset folder, or a run folder.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", callback=known_model, help=f"{MODEL_NAMES}; mgcn, or that of the run, if not given."),
    ] = None,
    assignments: Set = [],
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Predict memory and time of training, evaluation and audit; refuse a training that does not fit this machine.

    DATA is a dataset folder, or a run folder, which stands for its dataset, model and settings.
    """
    from mmrecun.jobs import plan as make_plan

    made = make_plan(data, model, parse_assignments(assignments), device)
    needed, free = (f"{size / (1 << 30):.1f} GiB" for size in (made.memory_bytes, made.available_bytes))
    if as_json:
        print_json({**vars(made), "fits": made.fits})
    if made.seconds_per_epoch is None:
        raise ConfigError(f"training {made.model} on {data} would take {needed}, of {free} free; {made.advice}")
    if not as_json:
        facts = {
            "parameters": made.parameters,
            "train": f"{needed}, {duration(made.seconds_per_epoch)} an epoch without validation",
            "evaluate": _both(made.evaluate_bytes, made.evaluate_seconds),
            "audit": f"{_both(made.audit_bytes, made.audit_seconds)}; {_time(made.gold_seconds)} more for each Gold",
            "free": free,
        }
        facts_table(facts, f"{made.model} on {data}")


def _both(size: int, seconds: float | None) -> str:
    return f"{size / (1 << 30):.1f} GiB, {_time(seconds)}"


def _time(seconds: float | None) -> str:
    return "not assessed" if seconds is None else duration(seconds)
