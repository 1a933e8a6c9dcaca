"""`mmrecun train`."""

from typing import Annotated

import typer

from mmrecun.cli.options import Data, Device, Model, Out, SeedOption, Set
from mmrecun.cli.output import JsonFlag, facts_table, print_json, progress_bar
from mmrecun.cli.registered import settings_of_model
from mmrecun.settings import parse_assignments
from mmrecun.text import duration


def train(
    data: Data,
    out: Out,
    model: Model = "mgcn",
    assignments: Set = [],  # noqa: B006
    seed: SeedOption = 0,
    device: Device = "auto",
    help_settings: Annotated[
        bool,
        typer.Option(
            "--help-settings", callback=settings_of_model, help="Describe the settings of the model, and stop."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a recommender on DATA, stopping early on validation; an interrupted call resumes when repeated."""
    del help_settings
    from mmrecun import jobs
    from mmrecun.jobs import refuse_impossible
    from mmrecun.training.validation import VALIDATION_CUTOFF

    settings = parse_assignments(assignments)
    refuse_impossible(data, model, settings)
    try:
        with progress_bar(f"training {model}") as progress:
            manifest = jobs.train(data, model, out, settings, seed, device, progress)
    except KeyboardInterrupt:
        kept = jobs.resume_file(out)
        left = f"the same command resumes from {kept}" if kept.exists() else "no epoch was finished, nothing is left"
        raise KeyboardInterrupt(f"stopped; {left}") from None
    metric = f"recall@{VALIDATION_CUTOFF}"
    if as_json:
        facts = {"best_epoch": manifest.best_epoch, "epochs": manifest.epochs, "valid": {metric: manifest.valid}}
        print_json({"run": str(out), **facts, "seconds": manifest.seconds})
        return
    facts_table(
        {
            "run": out,
            "best epoch": f"{manifest.best_epoch} of {manifest.epochs}",
            metric: f"{manifest.valid:.4f} on validation",
            "time": duration(manifest.seconds),
        },
        f"trained {model}",
    )
