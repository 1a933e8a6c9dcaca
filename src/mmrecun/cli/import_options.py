"""Options of `mmrecun data import` alone."""

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="SRC", help="A folder as another tool lays it out, or a table of pairs.", show_default=False
    ),
]
NewFolder = Annotated[Path | None, typer.Option("--out", help="Dataset folder to make.")]
Layout = Annotated[
    str,
    typer.Option(
        "--format",
        help="auto, mmrec, table, lists (LightGCN), amazon, microlens, datasets (Hugging Face), ui, uir, uirt or "
        "uitup (Cornac).",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be read, and write nothing.")]
Name = Annotated[str | None, typer.Option(help="Name of the dataset.")]
UserColumn = Annotated[str, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str, typer.Option(help="Column of item ids.")]
TimestampColumn = Annotated[str | None, typer.Option(help="Column of times: numbers, dates or ISO 8601 text.")]
WeightColumn = Annotated[
    str | None, typer.Option(help="Column of weights; kept as an attribute, every row counts as a positive.")
]
MinWeight = Annotated[float | None, typer.Option(help="Leave out rows of a smaller weight.")]
SplitColumn = Annotated[str | None, typer.Option(help="Column with train, valid, test or 0, 1, 2.")]
Separator = Annotated[str | None, typer.Option(help="tab, comma, semicolon, pipe, space or a character.")]
ColumnNames = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Names of the columns, for a table without a header.")
]
FeatureFiles = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=FILE",
        help="Features, .npy, .parquet, .arrow or a folder of ID.npy; a row of NaN or null is an absent item.",
    ),
]
FeatureIds = Annotated[
    list[str], typer.Option(metavar="NAME=FILE", help="The item ids of the rows of an .npy file of features.")
]
ItemTable = Annotated[Path | None, typer.Option(help="Table of items: ids and attributes.")]
UserTable = Annotated[Path | None, typer.Option(help="Table of users: ids and attributes.")]
Split = Annotated[
    str | None, typer.Option(help="random, temporal, leave-k-out, or none where all pairs are training pairs.")
]
HeldOutEach = Annotated[int, typer.Option(min=1, help="Held out per user and part, for leave-k-out.")]
Core = Annotated[int, typer.Option(min=0, help="Keep users and items with at least so many pairs.")]
Duplicates = Annotated[str, typer.Option(help="error, or first to keep the first of a repeated pair.")]
TrainFile = Annotated[Path | None, typer.Option(help="Training pairs, where each split has a file; needs no SRC.")]
ValidFile = Annotated[Path | None, typer.Option(help="Validation pairs; cut from those of --train when absent.")]
TestFile = Annotated[Path | None, typer.Option(help="Test pairs.")]
Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="A database to read from, such as sqlite:///shop.db; needs no SRC."),
]
Query = Annotated[str | None, typer.Option(help="The SELECT that returns the pairs.")]
