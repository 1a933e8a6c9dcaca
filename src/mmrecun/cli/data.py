"""`mmrecun data import`, `describe`, `encode` and `make`."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrecun.cli.assignments import parse_assignments
from mmrecun.cli.command import Command, with_home
from mmrecun.cli.facts import show_degrees, show_sizes
from mmrecun.cli.import_options import (
    ColumnNames,
    Core,
    Database,
    DryRun,
    Duplicates,
    FeatureFiles,
    FeatureIds,
    HeldOutEach,
    ItemColumn,
    ItemTable,
    Layout,
    MinWeight,
    Name,
    NewFolder,
    Query,
    Separator,
    Source,
    Split,
    SplitColumn,
    TestFile,
    TimestampColumn,
    TrainFile,
    UserColumn,
    UserTable,
    ValidFile,
    WeightColumn,
)
from mmrecun.cli.options import Data, Out, SeedOption, Set
from mmrecun.cli.output import JsonFlag, bars, facts_table, print_json, print_line, progress_bar, warn
from mmrecun.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mmrecun.data.dataset import Dataset
    from mmrecun.data.importers.options import Imported, ImportOptions
    from mmrecun.jobs._encode import EncodedDataset

app = typer.Typer(no_args_is_help=True, help="Import, describe, encode or make a dataset.")

_KEYS = ("dataset", "users", "items", "interactions", "modalities")


@app.command("import", cls=Command)
def import_data(
    source: Source = None,
    out: NewFolder = None,
    layout: Layout = "auto",
    dry_run: DryRun = False,
    name: Name = None,
    user: UserColumn = "user",
    item: ItemColumn = "item",
    timestamp: TimestampColumn = None,
    weight: WeightColumn = None,
    min_weight: MinWeight = None,
    split_column: SplitColumn = None,
    separator: Separator = None,
    columns: ColumnNames = None,
    features: FeatureFiles = [],
    feature_ids: FeatureIds = [],
    items: ItemTable = None,
    users: UserTable = None,
    split: Split = None,
    k: HeldOutEach = 1,
    k_core: Core = 0,
    duplicates: Duplicates = "error",
    train: TrainFile = None,
    valid: ValidFile = None,
    test: TestFile = None,
    sql: Database = None,
    query: Query = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Read another tool's files into a dataset folder."""
    if out is None and not dry_run:
        raise ConfigError("name the dataset folder with --out, or ask for a report alone with --dry-run")
    given = {name: value for name, value in locals().items() if name in _OPTIONS}
    imported = _imported(source, out, layout, _import_options(given, columns, features, feature_ids), dry_run)
    _show(
        imported.dataset,
        list(imported.warnings),
        as_json,
        "would be read; nothing was written" if dry_run else f"read into {out}",
        {"rows": imported.report.rows, "left_out": imported.report.left_out},
    )


def _imported(
    source: Path | None, out: Path | None, layout: str, options: "ImportOptions", dry_run: bool
) -> "Imported":
    """Read the source, and write the dataset unless it is a dry run."""
    from mmrecun.atomic import refuse_existing
    from mmrecun.claims import claimed
    from mmrecun.data import files
    from mmrecun.data.importers.importer import REGISTRY
    from mmrecun.data.importers.read import read

    REGISTRY.check(layout)
    if out is not None:
        refuse_existing(out)
    with nullcontext() if out is None or dry_run else claimed(out):
        imported = read(source, options, layout)
        if out is not None and not dry_run:
            files.save(imported.dataset, out)
    return imported


# parameters of `import_data` that are called as in `ImportOptions`
_OPTIONS = (
    *("name", "user", "item", "timestamp", "weight", "min_weight", "split_column", "separator"),
    *("items", "users", "split", "k", "k_core", "duplicates", "seed"),
    *("train", "valid", "test", "sql", "query"),
)


def _import_options(
    given: Mapping[str, Any], columns: str | None, features: list[str], feature_ids: list[str]
) -> "ImportOptions":
    from mmrecun.data.importers.options import ImportOptions

    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    files = {"features": _named_files("features", features), "feature_ids": _named_files("feature-ids", feature_ids)}
    return ImportOptions.of({**given, **files, "columns": names}, "data import")


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


def _show(
    dataset: "Dataset", warnings: list[str], as_json: bool, title: str, counts: Mapping[str, Any] | None = None
) -> None:
    from mmrecun.data.describe import facts

    known = facts(dataset)
    if as_json:
        print_json({name: known[name] for name in _KEYS} | dict(counts or {}) | {"warnings": warnings})
    else:
        show_sizes(known, title)
        for reason, count in (counts or {}).get("left_out", {}).items():
            print_line(f"left out: {count:,} of {(counts or {})['rows']:,} rows ({reason})")
    for warning in warnings:
        warn(warning)


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
    from mmrecun.data.describe import degree_histogram, facts

    dataset = files.load(data)
    if plot is not None:
        from mmrecun.report.dataset_plot import draw

        for path in _plots(plot):
            draw(dataset, path)
    known = facts(dataset)
    if as_json:
        print_json({**known, "warnings": []})
        return
    show_sizes(known, str(data))
    show_degrees(known)
    for kind, degrees in zip(("users", "items"), dataset.degrees, strict=True):
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
        left = jobs.partial_folder(out or data, modality)
        kept = f"the same command resumes from {left}" if left.exists() else "nothing is left"
        raise KeyboardInterrupt(f"stopped; {kept}") from None
    if as_json:
        _show(done.dataset, done.warnings, as_json, "")
        return
    _show_encoded(done, modality)


def _show_encoded(done: "EncodedDataset", modality: str) -> None:
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
def make(out: Out, assignments: Set = [], seed: SeedOption = 0, as_json: JsonFlag = False) -> None:
    """Make a synthetic dataset with planted tastes; settings are those of SyntheticConfig."""
    from mmrecun.atomic import refuse_existing
    from mmrecun.claims import claimed
    from mmrecun.data import files
    from mmrecun.data.synthetic import SyntheticConfig
    from mmrecun.data.synthetic import make as make_dataset
    from mmrecun.rng import Seed

    refuse_existing(out)
    dataset, _ = make_dataset(SyntheticConfig.of(parse_assignments(assignments), "data make"), Seed(seed))
    with claimed(out):
        files.save(dataset, out)
    _show(dataset, [], as_json, f"made {out}")
