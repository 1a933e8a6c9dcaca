"""`mmrecun train`."""

from mmrecun.cli.options import Data, Device, Model, Out, SeedOption, Set
from mmrecun.cli.output import JsonFlag, emit, progress_bar
from mmrecun.settings import parse_assignments


def train(
    data: Data,
    out: Out,
    model: Model = "mgcn",
    assignments: Set = [],  # noqa: B006
    seed: SeedOption = 0,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Train a recommender on DATA, stopping early on validation; an interrupted call goes on when repeated."""
    from mmrecun import jobs

    with progress_bar(f"training {model}") as report:
        manifest = jobs.train(data, model, out, parse_assignments(assignments), seed, device, report)
    result = {
        "run": str(out),
        "best_epoch": manifest.best_epoch,
        "epochs": manifest.epochs,
        "valid": {f"recall@{jobs.VALIDATION_CUTOFF}": manifest.valid},
        "seconds": manifest.seconds,
    }
    emit(result, as_json, f"trained {model}")
