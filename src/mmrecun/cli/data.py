"""`mmrecun data import`, `describe`, `encode` and `make`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrecun.cli.command import Command, with_home
from mmrecun.cli.facts import show_degrees, show_sizes
from mmrecun.cli.options import Data, Out, SeedOption, Set
from mmrecun.cli.output import JsonFlag, bars, facts_table, print_json, print_line, progress_bar, stderr, warn
from mmrecun.errors import ConfigError, DataError
from mmrecun.settings import parse_assignments

if TYPE_CHECKING:
    from mmrecun.data.dataset import Dataset

app = typer.Typer(no_args_is_help=True, help="Import, describe, encode or make a dataset.")

_KEYS = ("dataset", "users", "items", "interactions", "modalities")


@app.command("import", cls=Command)
def import_data(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="SRC", help="A folder as another tool lays it out, or a table of pairs.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Dataset folder to make.")] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, mmrec, table, lists (LightGCN), amazon, microlens, datasets (Hugging Face), ui, uir, uirt or "
            "uitup (Cornac).",
        ),
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read, and write nothing.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    user: Annotated[str, typer.Option(help="Column of user ids.")] = "user",
    item: Annotated[str, typer.Option(help="Column of item ids.")] = "item",
    timestamp: Annotated[str | None, typer.Option(help="Column of times: numbers, dates or ISO 8601 text.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of weights; kept as an attribute, every row counts as a positive.")
    ] = None,
    min_weight: Annotated[float | None, typer.Option(help="Leave out rows of a smaller weight.")] = None,
    split_column: Annotated[str | None, typer.Option(help="Column with train, valid, test or 0, 1, 2.")] = None,
    separator: Annotated[str | None, typer.Option(help="tab, comma, semicolon, pipe, space or a character.")] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Names of the columns, for a table without a header.")
    ] = None,
    features: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE",
            help="Features, .npy, .parquet, .arrow or a folder of ID.npy; a row of NaN or null is an absent item.",
        ),
    ] = [],  # noqa: B006
    feature_ids: Annotated[
        list[str], typer.Option(metavar="NAME=FILE", help="The item ids of the rows of an .npy file of features.")
    ] = [],  # noqa: B006
    items: Annotated[Path | None, typer.Option(help="Table of items: ids and attributes.")] = None,
    users: Annotated[Path | None, typer.Option(help="Table of users: ids and attributes.")] = None,
    split: Annotated[str | None, typer.Option(help="random, temporal or leave-k-out.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Held out per user and part, for leave-k-out.")] = 1,
    k_core: Annotated[int, typer.Option(min=0, help="Keep users and items with at least so many pairs.")] = 0,
    duplicates: Annotated[str, typer.Option(help="error, or first to keep the first of a repeated pair.")] = "error",
    train: Annotated[
        Path | None, typer.Option(help="Training pairs, where each split has a file; needs no SRC.")
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="Validation pairs; cut from those of --train when absent.")] = None,
    test: Annotated[Path | None, typer.Option(help="Test pairs.")] = None,
    sql: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A database to read from, such as sqlite:///shop.db; needs no SRC."),
    ] = None,
    query: Annotated[str | None, typer.Option(help="The SELECT that returns the pairs.")] = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Read another tool's files into a dataset folder."""
    if out is None and not dry_run:
        raise ConfigError("name the dataset folder with --out, or ask for a report alone with --dry-run")
    given = {name: value for name, value in locals().items() if name in _OPTIONS}
    from mmrecun.atomic import refuse_existing
    from mmrecun.data import files
    from mmrecun.data.importers.importer import REGISTRY
    from mmrecun.data.importers.options import ImportOptions
    from mmrecun.data.importers.read import read

    REGISTRY.check(layout)
    if out is not None:
        refuse_existing(out)
    named = tuple(name.strip() for name in columns.split(",")) if columns else ()
    files_of = {"features": _named_files("features", features), "feature_ids": _named_files("feature-ids", feature_ids)}
    options = ImportOptions.of({**given, **files_of, "columns": named}, "data import")
    imported = read(source, options, layout)
    if out is not None and not dry_run:
        files.save(imported.dataset, out)
    _tell(
        imported.dataset,
        list(imported.warnings),
        as_json,
        "would be read; nothing was written" if dry_run else f"read into {out}",
        {"rows": imported.report.rows, "left_out": imported.report.left_out},
    )


_OPTIONS = (
    *("name", "user", "item", "timestamp", "weight", "min_weight", "split_column", "separator"),
    *("items", "users", "split", "k", "k_core", "duplicates", "seed"),
    *("train", "valid", "test", "sql", "query"),
)


def _named_files(option: str, values: list[str]) -> dict[str, str]:
    parsed = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not separator:
            raise DataError(f"--{option} {value}: write it as name=file, for example --{option} image=image.npy")
        if name in parsed:
            raise DataError(f"--{option} {value}: '{name}' is named twice; give each modality one file")
        parsed[name] = str(with_home(Path(path)))
    return parsed


def _tell(
    dataset: "Dataset", warnings: list[str], as_json: bool, title: str, counts: Mapping[str, Any] | None = None
) -> None:
    from mmrecun.data.describe import facts

    known = facts(dataset)
    if as_json:
        print_json({name: known[name] for name in _KEYS} | dict(counts or {}) | {"warnings": warnings}, as_json)
    else:
        show_sizes(known, title)
        for reason, count in (counts or {}).get("left_out", {}).items():
            print_line(f"left out: {count:,} of {(counts or {})['rows']:,} rows ({reason})")
    for warning in warnings:
        print_line(f"warning: {warning}", stderr)


@app.command(cls=Command)
def describe(
    data: Data,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw to this .png, .svg or .pdf, or into this folder.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print and draw the facts of a dataset."""
    from mmrecun.data import files
    from mmrecun.data.describe import degree_histogram, degrees_of, facts

    dataset = files.load(data)
    if plot is not None:
        from mmrecun.report.dataset_plot import draw

        for path in _plots(plot):
            draw(dataset, path)
    known = facts(dataset)
    if as_json:
        print_json({**known, "warnings": []}, as_json)
        return
    show_sizes(known, str(data))
    show_degrees(known)
    for kind, degrees in degrees_of(dataset).items():
        bars(degree_histogram(degrees), f"{kind} by training pairs")


def _plots(plot: Path) -> list[Path]:
    """Return the files to draw: the one named, or a PNG and an SVG in the folder named; the folder is made."""
    if plot.suffix and not plot.is_dir():
        if plot.suffix not in (".png", ".svg", ".pdf"):
            raise ConfigError(f"--plot {plot}: name a .png, .svg or .pdf file, or a folder")
        folder, paths = plot.parent, [plot]
    else:
        folder, paths = plot, [plot / "dataset.png", plot / "dataset.svg"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--plot {plot}: cannot write there: {error.strerror}") from None
    return paths


@app.command(cls=Command)
def encode(
    data: Data,
    modality: Annotated[
        str,
        typer.Option("--modality", help="Name of the new modality, such as text, image or audio.", show_default=False),
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TABLE:COLUMN|FOLDER",
            help="A column of texts, or of paths; or a folder of files that are named by item id.",
            show_default=False,
        ),
    ],
    encoder: Annotated[
        str,
        typer.Option(
            "--encoder",
            help="wordllama (text), efficientnet-lite0 (image), log-mel (audio) or a local folder; "
            "by default that of the modality.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Write a copy; DATA stays as it is.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the content, for dataset.toml.", show_default=False)] = "",
    owner: Annotated[str, typer.Option(help="Owner of the content, for dataset.toml.", show_default=False)] = "",
    as_json: JsonFlag = False,
) -> None:
    """Turn raw text, pictures or sound into features of DATA; an interrupted call resumes when repeated."""
    from mmrecun import jobs

    try:
        with progress_bar(f"encoding {modality}") as progress:
            done = jobs.encode(data, modality, source, encoder, out, licence, owner, progress)
    except KeyboardInterrupt:
        left = jobs.partial_folder(data, modality)
        kept = f"the same command goes on from {left}" if left.exists() else "nothing is left"
        raise KeyboardInterrupt(f"stopped; {kept}") from None
    if as_json:
        _tell(done.dataset, done.warnings, as_json, "")
        return
    made = done.dataset.modalities[modality]
    origin = made.provenance
    facts_table(
        {
            "dataset": done.folder,
            "items": f"{int(made.present.sum()):,} of {len(made.present):,} have features",
            "features": made.width,
            "encoder": f"{origin.encoder} {origin.version}",
            "pooling": origin.pooling,
            "checksum": origin.checksum[:16],
        },
        f"encoded {modality}",
    )
    for warning in done.warnings:
        warn(warning)


@app.command(cls=Command)
def make(out: Out, assignments: Set = [], seed: SeedOption = 0, as_json: JsonFlag = False) -> None:  # noqa: B006
    """Make a synthetic dataset with planted tastes; settings are those of SyntheticConfig."""
    from mmrecun.data import files
    from mmrecun.data.synthetic import SyntheticConfig
    from mmrecun.data.synthetic import make as make_dataset
    from mmrecun.rng import Seed

    dataset, _ = make_dataset(SyntheticConfig.of(parse_assignments(assignments), "data make"), Seed(seed))
    files.save(dataset, out)
    _tell(dataset, [], as_json, f"made {out}")
