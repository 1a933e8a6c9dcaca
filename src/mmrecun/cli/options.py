"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Argument(metavar="DATA", help="A dataset folder.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.", show_default=False)]
Model = Annotated[str, typer.Option("--model", help="bm3, bprmf, freedom, lightgcn, mgcn or vbpr.")]
Set = Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
On = Annotated[
    str,
    typer.Option("--on", metavar="here|ray|ray:HOST:PORT", help="Where to make the pieces: this process or a cluster."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="file://, s3:// or gs:// folder through which a cluster's files travel."
    ),
]
Cpus = Annotated[float | None, typer.Option("--cpus", min=0.01, help="Processors of a cluster that a piece takes; 1.")]
Gpus = Annotated[float | None, typer.Option("--gpus", min=0, help="GPUs that a piece takes, 0.25 for a quarter; 0.")]
