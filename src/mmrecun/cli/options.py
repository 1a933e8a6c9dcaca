"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from mmrecun.models import registry as model_registry
from mmrecun.text import alternatives
from mmrecun.unlearning import registry as method_registry

MODEL_NAMES = alternatives(sorted(model_registry.MODELS))


def known_model(name: str | None) -> str | None:
    """Refuse a model that does not exist, before torch is loaded.

    Raises:
        ConfigError: with the nearest known one.
    """
    if name is not None:
        model_registry.REGISTRY.check(name)
    return name


def known_method(name: str) -> str:
    """Refuse a method that does not exist, before torch is loaded.

    Raises:
        ConfigError: with the nearest known one.
    """
    method_registry.REGISTRY.check(name)
    return name


Data = Annotated[Path, typer.Argument(metavar="DATA", help="A dataset folder.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.", show_default=False)]
Model = Annotated[
    str,
    typer.Option("--model", is_eager=True, callback=known_model, help=f"{MODEL_NAMES}; mmrecun models describes them."),
]
Method = Annotated[
    str,
    typer.Option(
        "--method", is_eager=True, callback=known_method, help="mmrecun, retrain (Gold) or another of mmrecun methods."
    ),
]
Set = Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
On = Annotated[
    str,
    typer.Option("--on", metavar="here|ray|ray:HOST:PORT", help="Where to make the pieces: this process or a cluster."),
]
OnParts = Annotated[
    str, typer.Option("--on", metavar="here|ray:HOST:PORT", help="Where the parts of a run in parts are.")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="file://, s3:// or gs:// folder through which a cluster's files travel."
    ),
]
Cpus = Annotated[float | None, typer.Option("--cpus", min=0.01, help="Processors of a cluster that a piece takes; 1.")]
Gpus = Annotated[float | None, typer.Option("--gpus", min=0, help="GPUs that a piece takes, 0.25 for a quarter; 0.")]
