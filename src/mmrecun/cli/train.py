"""`mmrecun train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrecun.cli.assignments import parse_assignments
from mmrecun.cli.mapped import refuse_other_options
from mmrecun.cli.options import Cpus, Data, Device, Model, On, Out, SeedOption, Set, StoreUrl
from mmrecun.cli.output import JsonFlag, facts_table, print_json, progress_bar
from mmrecun.cli.registered import settings_of_model
from mmrecun.text import duration

if TYPE_CHECKING:
    from mmrecun.chunked.run import MappedManifest
    from mmrecun.manifest import Manifest

_EITHER = {"data", "out", "model", "assignments", "seed", "help_settings", "as_json"}
_SHARED = {*_EITHER, "on_disk", "workers", "on", "store", "cpus"}
_IN_MEMORY = {*_EITHER, "device"}

OnDisk = Annotated[
    bool,
    typer.Option(
        "--on-disk", help="Keep pairs, tables and moments on disk, for what does not fit memory: bprmf, vbpr."
    ),
]
WorkerCount = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that share a training: rows on disk of bprmf and vbpr, users of lightgcn and mgcn.",
    ),
]
HelpSettings = Annotated[
    bool,
    typer.Option("--help-settings", callback=settings_of_model, help="Describe the settings of the model, and stop."),
]


def train(
    context: typer.Context,
    data: Data,
    out: Out,
    model: Model = "mgcn",
    assignments: Set = [],
    seed: SeedOption = 0,
    device: Device = "auto",
    on_disk: OnDisk = False,
    workers: WorkerCount = 1,
    on: On = "here",
    store: StoreUrl = None,
    cpus: Cpus = None,
    help_settings: HelpSettings = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a recommender on DATA, stopping early on validation; an interrupted call resumes when repeated."""
    del help_settings
    from mmrecun import jobs
    from mmrecun.jobs import refuse_impossible

    settings = parse_assignments(assignments)
    shared = on_disk or workers > 1 or on != "here"
    if shared:
        refuse_other_options(context, _SHARED, "a training on disk or in several processes")
    else:
        refuse_other_options(context, _IN_MEMORY, "a training in one process in memory")
        refuse_impossible(data, model, settings)
    try:
        with progress_bar(f"training {model}") as progress:
            manifest: Manifest | MappedManifest
            if shared:
                share = jobs.Workers(workers, on, store, cpus)
                spread = jobs.train_mapped if on_disk else jobs.train_parts
                manifest = spread(data, model, out, settings, seed, progress, share)
            else:
                manifest = jobs.train(data, model, out, settings, seed, device, progress)
    except KeyboardInterrupt:
        kept = jobs.training_folder(out) if shared else jobs.resume_file(out)
        left = f"the same command resumes from {kept}" if kept.exists() else "no epoch was finished, nothing is left"
        raise KeyboardInterrupt(f"stopped; {left}") from None
    _show(manifest, model, out, as_json)


def _show(manifest: "Manifest | MappedManifest", model: str, out: Path, as_json: bool) -> None:
    from mmrecun.training.validation import VALIDATION_METRIC

    if as_json:
        valid = {VALIDATION_METRIC: manifest.valid}
        facts = {"best_epoch": manifest.best_epoch, "epochs": manifest.epochs, "valid": valid}
        print_json({"run": str(out), **facts, "seconds": manifest.seconds})
        return
    facts_table(
        {
            "run": out,
            "best epoch": f"{manifest.best_epoch} of {manifest.epochs}",
            VALIDATION_METRIC: f"{manifest.valid:.4f} on validation",
            "time": duration(manifest.seconds),
        },
        f"trained {model}",
    )
