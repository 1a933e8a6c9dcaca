"""Options of `mmrecun unlearn`: what is forgotten, from which model, and what is kept of the request."""

from pathlib import Path
from typing import Annotated

import typer

from mmrecun.cli.registered import settings_of_method
from mmrecun.errors import ConfigError

RunOrFile = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder, or a model file of another library.", show_default=False)
]
NewRun = Annotated[Path | None, typer.Option("--out", help="Folder of the new run; it must not exist yet.")]
UserFile = Annotated[
    Path | None, typer.Option("--users", metavar="F", help="File of user ids: one a line, or a table with a header.")
]
ItemFile = Annotated[
    Path | None, typer.Option("--items", metavar="F", help="File of item ids: one a line, or a table with a header.")
]
PairFile = Annotated[Path | None, typer.Option("--pairs", metavar="F", help="File with a user and an item a line.")]
UserIds = Annotated[list[str], typer.Option("--user", metavar="ID", help="A user; may be repeated.")]
ItemIds = Annotated[list[str], typer.Option("--item", metavar="ID", help="An item; may be repeated.")]
Modalities = Annotated[
    list[str],
    typer.Option("--modality", metavar="NAME[:F]", help="A whole modality, or that of the items in file F."),
]
Where = Annotated[
    str | None, typer.Option("--where", help='Attribute expression: licensor == "X" and `release date` < 2010.')
]
Like = Annotated[
    str | None,
    typer.Option("--like", metavar="FORMAT", help="RUN is a model of implicit, mmrec, recbole, torch or vectors."),
]
TrainedOn = Annotated[
    Path | None,
    typer.Option("--data", help="What that model was trained on: a dataset folder or a table of pairs."),
]
Reading = Annotated[
    list[str],
    typer.Option(
        "--reading",
        metavar="NAME=VALUE",
        help="How that model is read: users=F and items=F, ids of its rows, one a line; settings of the format, as "
        "layers=2.",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", metavar="1,2,5-7", help="Make a run for each seed: OUT/seed-1, OUT/seed-2, ..."),
]
IgnoreUnknown = Annotated[
    bool, typer.Option("--ignore-unknown", help="Skip ids that RUN does not have, and list them.")
]
UnknownFile = Annotated[
    Path | None, typer.Option("--unknown-file", metavar="F", help="Write the skipped ids to this file.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="F", help="Key for hashes of the request, which the run then keeps; or MMRECUN_KEY."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Report what would be forgotten, and stop.")]
HelpSettings = Annotated[
    bool,
    typer.Option("--help-settings", callback=settings_of_method, help="Describe the settings of the method, and stop."),
]

_MOST_SEEDS = 10_000  # each makes a run folder; more are taken for a typing error


def seeds_of(text: str | None, on: str) -> tuple[int, ...]:
    """Return the seeds that `text` lists, such as `1,2,5-7`; none without text.

    >>> seeds_of("1,5-7", "here"), seeds_of(None, "here")
    ((1, 5, 6, 7), ())

    Raises:
        ConfigError: for text that is no list of seeds, repeats a seed or has too many, and for a cluster without seeds.
    """
    if text is None:
        if on != "here":
            raise ConfigError("--on shares out the runs of several seeds; name some, such as --seeds 1000-1002")
        return ()
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ConfigError(f"--seeds {text}: '{part}' is not a seed; write numbers from 0, such as 1,2,5-7")
        if dash and int(last) - int(first) >= _MOST_SEEDS:
            raise ConfigError(f"--seeds {text}: '{part}' are more than {_MOST_SEEDS:,} seeds")
        found += range(int(first), int(last if dash else first) + 1)
    if len(set(found)) < len(found):
        raise ConfigError(f"--seeds {text}: a seed occurs twice")
    return tuple(found)
