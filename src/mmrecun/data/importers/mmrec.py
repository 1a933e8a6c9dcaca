"""MMRec's dataset folder: one `.inter` table with `x_label`, and `*_feat.npy` files with a row for each item id."""

from pathlib import Path

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.batches import Table, open_table
from mmrecun.data.importers.collect import collect, numbered_ids
from mmrecun.data.importers.features import from_npy
from mmrecun.data.importers.id_codes import IdOrder
from mmrecun.data.importers.interactions import interactions
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.readers import TYPED_SUFFIXES, read_table, separator_of
from mmrecun.data.importers.report import Report
from mmrecun.data.importers.tabular import id_table
from mmrecun.data.npy import read_npy
from mmrecun.errors import DataError
from mmrecun.text import counted

_USERS, _ITEMS, _LABEL = ("userID", "user_id", "user"), ("itemID", "item_id", "item"), "x_label"
_TIME = "timestamp"
_SUFFIX = "_feat.npy"


def read(path: Path, options: ImportOptions) -> Imported:
    """Read a folder, or one `.inter` file and the features beside it.

    Ids are row numbers, so there are as many users and items as the largest id plus one. RecBole's atomic files (typed
    headers, no features) are read the same way, with ids as plain names and the attributes of its `.user` and `.item`.

    Raises:
        DataError: with file and line, or for options that do not apply.
    """
    _refuse(options)
    folder = path if path.is_dir() else path.parent
    tables = sorted(folder.glob("*.inter")) if path.is_dir() else [path]
    if len(tables) != 1:
        found = f"several .inter files ({', '.join(path.name for path in tables)})" if tables else "no .inter file"
        raise DataError(f"{folder}: {found}; {'name one of them' if tables else _other_tables(folder)}")
    read_as = separator_of(options.separator)
    report = Report()
    table = open_table(tables[0], read_as, options.columns, _TIME if options.timestamp is None else None)
    columns = {"user": _named(table, _USERS), "item": _named(table, _ITEMS)}
    time = options.timestamp or (_TIME if _TIME in table.columns else None)
    options = options.model_copy(update={**columns, "timestamp": time})
    feature_files = {path.name.removesuffix(_SUFFIX): path for path in sorted(folder.glob(f"*{_SUFFIX}"))}
    labelled = _LABEL in table.columns
    label = options.split_column or (_LABEL if labelled and options.split is None else None)
    order = IdOrder.ROW_NUMBER if feature_files or labelled else IdOrder.APPEARANCE
    users, items, events = collect(table, options, label, report, {}, order)
    most = max((_rows(path) for path in feature_files.values()), default=0)
    item_map = numbered_ids("item", most) if most > len(items) else items
    pairs = interactions(events, options, report)
    modalities = {name: from_npy(name, path, item_map) for name, path in feature_files.items()}
    name = options.name or (folder.resolve().name if path.is_dir() else path.stem)
    user_attributes, item_attributes = (
        _beside(tables[0].with_suffix(f".{ids.kind}"), ids, read_as, report.warnings) for ids in (users, item_map)
    )
    dataset = Dataset(name, users, item_map, pairs, modalities, user_attributes, item_attributes, columns)
    return Imported(dataset, report)


def _rows(path: Path) -> int:
    """Return the number of rows of an npy file; 0 for a single number, which `from_npy` refuses."""
    shape = read_npy(path).shape
    return shape[0] if shape else 0


def _other_tables(folder: Path) -> str:
    """Say what to name in a folder that is not of RecBole or MMRec; the pairs are mostly in its largest table."""
    files = [
        path
        for path in folder.iterdir()
        if path.is_file() and {".csv", ".tsv", ".dat", ".data", *TYPED_SUFFIXES} & {*path.suffixes}
    ]
    if not files:
        return "it holds no table of interactions"
    largest = max(files, key=lambda path: path.stat().st_size)
    return f"name the table of interactions in it, such as {largest}, and others with --items and --users"


def _beside(path: Path, known: IdMap, separator: str | None, warnings: list[str]) -> pl.DataFrame:
    """Return the attributes in RecBole's `.user` or `.item` file beside the `.inter` file, by row of `known`."""
    if not path.is_file():
        return pl.DataFrame()
    listed, attributes = id_table(read_table(path, separator), known.kind, "", warnings)
    rows = listed.find(known.names)
    unused, lacking = int((known.find(listed.names) < 0).sum()), int((rows < 0).sum())
    if unused:
        warnings.append(f"{path}: {counted(unused, known.kind)} left out, without an interaction")
    if lacking:
        warnings.append(
            f"{path}: {counted(lacking, known.kind)} of the interactions not in it, and so without attributes"
        )
    return attributes[pl.Series(rows).replace(-1, None)] if attributes.width else attributes


def _refuse(options: ImportOptions) -> None:
    for name in ("user", "item", "users", "items", "features", "feature_ids"):
        if getattr(options, name) != ImportOptions.model_fields[name].default:
            raise DataError(
                f"--{name.replace('_', '-')} is for tables; an .inter file has columns and features under fixed names"
            )


def _named(table: Table, names: tuple[str, ...]) -> str:
    for name in names:
        if name in table.columns:
            return name
    raise DataError(f"{table.path}: column '{names[0]}' is missing; there are: {', '.join(table.columns)}")
