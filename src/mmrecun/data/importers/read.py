"""Recognise the layout of a source, read it, and collect warnings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers import mmrec
from mmrecun.data.importers.amazon import open_reviews, product_attributes
from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.collect import Listed
from mmrecun.data.importers.compressed import plain
from mmrecun.data.importers.cornac import open_tuples
from mmrecun.data.importers.datasets_folder import is_datasets_folder, open_datasets_folder
from mmrecun.data.importers.delimited import first_line
from mmrecun.data.importers.id_codes import IdOrder
from mmrecun.data.importers.importer import importer_class
from mmrecun.data.importers.item_lists import open_item_lists
from mmrecun.data.importers.microlens import find_pairs, find_titles, open_pairs
from mmrecun.data.importers.options import Format, Imported, ImportOptions, SplitKind
from mmrecun.data.importers.published import joined
from mmrecun.data.importers.query import open_query
from mmrecun.data.importers.readers import read_table, separator_of
from mmrecun.data.importers.report import Report
from mmrecun.data.importers.tabular import assemble, id_table, open_events
from mmrecun.data.interactions import Split
from mmrecun.data.lookalikes import DIFFERENCES
from mmrecun.errors import ConfigError, DataError
from mmrecun.text import counted, listing, preview, reason_of

_SHORTENED = r"^\d([.,]\d+)?E\+\d+$"
_NO_VALUES = ("nan", "nat", "none", "null", "nil", "na", "n/a", "<na>", "\\n", "undefined")  # as programs write them
_FOLDERS = (Format.MMREC, Format.MICROLENS, Format.DATASETS, Format.LISTS)


@dataclass(frozen=True)
class _Opened:
    """A source ready to be read, with its options and the users and items that it lists."""

    table: Table
    options: ImportOptions
    name: str
    listed: Mapping[str, Listed] = field(default_factory=dict)
    order: IdOrder = IdOrder.APPEARANCE


def read(source: Path | None, options: ImportOptions, layout: Format | str = Format.AUTO) -> Imported:
    """Read a dataset as another tool wrote it.

    With a k-core, users and items outside it are left out, with their features and attributes.

    Args:
        source: a folder or file; None where `options` name files of splits, or a database.
        options: options of the import.
        layout: layout of the source; recognised by its suffix and content by default. A name that is no `Format` is
            that of an importer of another package.

    Raises:
        DataError: with file and line.
        ConfigError: for options that contradict each other.
    """
    _refuse_several_sources(source, options)
    _refuse_unread(options, layout)
    with _in_one_line(source or options.train or Path("the query")):
        return _read_any(source, options, layout)


@contextmanager
def _in_one_line(where: Path) -> Iterator[None]:
    """Shorten the errors of polars about damaged content to one line.

    Raises:
        DataError: naming the source.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{where}, or a file named with it, is damaged: {reason_of(error)}") from None


def _read_any(source: Path | None, options: ImportOptions, layout: Format | str) -> Imported:
    if source is not None and not source.exists():
        raise DataError(f"{source}: no such file or folder")
    imported = _imported(source, options, layout)
    dataset, report = imported.dataset, imported.report
    if options.k_core:
        dataset = dataset.restrict(np.unique(dataset.interactions.users), np.unique(dataset.interactions.items))
    report.warnings += _warnings(dataset)
    report.check(len(dataset.interactions))
    return Imported(dataset, report)


def _imported(source: Path | None, options: ImportOptions, layout: Format | str) -> Imported:
    if layout not in list(Format):
        if source is None:
            raise ConfigError(f"the format '{layout}' of another package reads a file or folder: name it as SRC")
        return importer_class(layout)().read(source, options)
    layout = _recognised(source or options.train, Format(layout))
    if source is not None and layout is Format.MMREC:
        return mmrec.read(source, options)
    return _read(source, options, layout)


def _refuse_several_sources(source: Path | None, options: ImportOptions) -> None:
    given = [
        name
        for name, there in (("SRC", source), ("--train", options.train or options.test), ("--sql", options.sql))
        if there is not None
    ]
    if len(given) != 1:
        raise ConfigError(
            "name one source: SRC, or --train and --test, or --sql and --query"
            + (f"; there are {' and '.join(given)}" if given else "")
        )
    if options.sql is None and options.query is not None:
        raise ConfigError("--query needs the database: give --sql URL")
    if options.sql is not None and options.query is None:
        raise ConfigError("--sql needs a SELECT: give --query")
    if source is not None and options.valid is not None:
        raise ConfigError("--valid goes with --train and --test")
    if source is None and options.sql is None and (options.train is None or options.test is None):
        raise ConfigError("published splits need both files: give --train and --test")


def _refuse_unread(options: ImportOptions, layout: Format | str) -> None:
    """Refuse options that nothing would read."""
    if options.k != ImportOptions.model_fields["k"].default and options.split is not SplitKind.LEAVE_K_OUT:
        raise ConfigError("--k is for --split leave-k-out; no other split holds out so many of each user")
    if options.sql is None:
        return
    given = {"--columns": options.columns, "--separator": options.separator, "--format": layout != Format.AUTO}
    if unread := [name for name, there in given.items() if there]:
        raise ConfigError(f"{listing(unread)}: for files; a query names its columns itself, and --sql reads its rows")


def _recognised(path: Path | None, layout: Format) -> Format:
    if path is None:
        return Format.TABLE
    if layout is Format.MMREC and not (path.is_dir() or path.suffix == ".inter"):
        raise DataError(f"{path}: the mmrec format is a folder with one .inter file, or that file")
    if layout not in (Format.AUTO, *_FOLDERS) and path.is_dir():
        raise DataError(f"{path}: a folder; name the table of interactions in it, or use --format mmrec")
    if layout is not Format.AUTO:
        return layout
    if path.is_dir():
        return _folder_format(path)
    if path.suffix == ".inter":
        return Format.MMREC
    return Format.LISTS if _looks_like_lists(path) else Format.TABLE


def _folder_format(folder: Path) -> Format:
    if is_datasets_folder(folder):
        return Format.DATASETS
    if not any(folder.glob("*.inter")):
        if (folder / "train.txt").is_file() and (folder / "test.txt").is_file():
            return Format.LISTS
        if find_pairs(folder) is not None:
            return Format.MICROLENS
    return Format.MMREC


def _looks_like_lists(path: Path) -> bool:
    """Say whether a .txt file begins with whole numbers separated by single blanks: a user and its items."""
    if plain(path).suffix.lower() != ".txt" or not path.is_file():
        return False
    words = first_line(path).rstrip("\r\n").split(" ")
    return len(words) > 1 and all(word.isdecimal() for word in words if word)


def _read(source: Path | None, options: ImportOptions, layout: Format) -> Imported:
    report = Report()
    if options.sql is not None:
        opened = _Opened(open_query(options.sql, options.query or ""), options, "query")
    elif source is None or (layout is Format.LISTS and source.is_dir()):
        opened = _published(source, options, layout, report)
    else:
        opened = _open(source, options, layout, report)
    products = opened.options.items if layout is Format.AMAZON else None
    if products is not None:
        opened = replace(opened, options=opened.options.model_copy(update={"items": None}))
    name = options.name or opened.name
    imported = assemble(opened.table, opened.options, name, report, opened.listed, opened.order)
    if products is None:
        return imported
    attributes = product_attributes(products, imported.dataset.items, report)
    return Imported(replace(imported.dataset, item_attributes=attributes), report)


def _open(path: Path, options: ImportOptions, layout: Format, report: Report) -> _Opened:
    name, separator = plain(path).stem, separator_of(options.separator)
    if layout is Format.LISTS:
        return _Opened(open_item_lists(path, separator), options, name, order=IdOrder.BY_NUMBER)
    if layout is Format.AMAZON:
        return _Opened(*open_reviews(path, options), name)
    if layout is Format.MICROLENS:
        titles = find_titles(path, report) if options.items is None else None
        return _Opened(*open_pairs(path, options), name, {"item": titles} if titles else {})
    if layout is Format.DATASETS:
        return _Opened(open_datasets_folder(path), options, path.resolve().name)
    if layout in (Format.UI, Format.UIR, Format.UIRT, Format.UITUP):
        return _Opened(*open_tuples(path, layout, separator, options), name)
    return _Opened(open_events(path, options), options, name)


def _published(folder: Path | None, options: ImportOptions, layout: Format, report: Report) -> _Opened:
    """Open the files of published splits: those that the options name, or those in a folder as LightGCN has it."""
    if options.split is not None or options.split_column is not None:
        raise ConfigError("the files say which split a pair is from; leave --split and --split-column out")
    if folder is None:
        named = (options.train, options.valid, options.test)
        files = {split: path for split, path in zip(Split, named, strict=True) if path is not None}
    else:
        files = {split: path for split in Split if (path := folder / f"{split.label}.txt").is_file()}
    for split in (Split.TRAIN, Split.TEST):
        if split not in files:
            raise DataError(f"{folder}: no {split.label}.txt in it")
    parts = {split: _open(path, options, layout, report) for split, path in files.items()}
    first = parts[Split.TRAIN]
    name = files[Split.TRAIN].resolve().parent.name
    listed = _lists_beside(files[Split.TRAIN].parent, report) if layout is Format.LISTS else {}
    table = joined({split: part.table for split, part in parts.items()})
    return _Opened(table, first.options, name, listed, first.order)


def _lists_beside(folder: Path, report: Report) -> dict[str, Listed]:
    """Return users and items as LightGCN lists them: lines of the original id and the number that the splits use."""
    found = {}
    for kind in ("user", "item"):
        path = folder / f"{kind}_list.txt"
        if path.is_file():
            found[kind] = Listed(*id_table(read_table(path, " "), kind, "remap_id", report.warnings), path)
    return found


def _warnings(dataset: Dataset) -> list[str]:
    warnings, pairs = [], dataset.interactions
    for kind, rows, degrees in (
        ("user", pairs.users, dataset.degrees[0]),
        ("item", pairs.items, dataset.degrees[1]),
    ):
        seen = np.bincount(rows, minlength=len(degrees)) > 0
        cold, gaps = int((seen & (degrees == 0)).sum()), int((~seen).sum())
        if cold:
            warnings.append(f"{counted(cold, kind, 'is', 'are')} only in valid or test: cold")
        if gaps:
            warnings.append(
                f"{counted(gaps, kind, 'has', 'have')} no interaction at all (gaps in the ids, or never used)"
            )
    full = np.flatnonzero(dataset.degrees[0] == len(dataset.items))
    if len(full):
        names = preview(dataset.users.names.gather(full))
        warnings.append(f"{counted(len(full), 'user', 'has', 'have')} every item ({names}): training passes them over")
    for kind, ids in (("user", dataset.users), ("item", dataset.items)):
        twins = ids.names.filter(ids.folded.is_duplicated())
        if len(twins):
            names = preview(f"'{name}'" for name in twins)
            warnings.append(
                f"{counted(len(twins), kind)} differ from another in {DIFFERENCES} alone ({names}); "
                "if they are one, correct the file: a request for one leaves the other"
            )
        called = ids.names.filter(ids.names.str.to_lowercase().is_in(list(_NO_VALUES)))
        if len(called):
            names = preview(f"'{name}'" for name in called)
            warnings.append(f"{kind}s are called {names}; if these stand for missing ids, leave their rows out")
        shortened = ids.names.filter(ids.names.str.contains(_SHORTENED))
        if len(shortened):
            names = preview(f"'{name}'" for name in shortened)
            warnings.append(
                f"{kind}s are called {names}: so spreadsheets shorten long numbers, and different ids become one; "
                "export them as text"
            )
    for name, modality in dataset.modalities.items():
        absent = int((~modality.present).sum())
        if absent:
            warnings.append(f"{counted(absent, 'item', 'has', 'have')} no '{name}'")
        if not modality.provenance.encoder:
            warnings.append(f"'{name}' does not say which encoder made it; note it in dataset.toml")
    return warnings
