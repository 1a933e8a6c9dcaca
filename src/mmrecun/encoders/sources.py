"""Sources of raw content: columns of a table of items, or a folder with a file for each item."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import id_column, ids
from mmrecun.data.importers.readers import read_table
from mmrecun.encoders.base import Kind
from mmrecun.errors import DataError
from mmrecun.text import preview

Piece = str | Path | None  # a text, a file, or no content


@dataclass(frozen=True)
class Contents:
    """The contents to encode.

    Attributes:
        pieces: content of each item in row order; None for an item without content.
        digest: SHA-256 of all pieces; for a file, of its name, size and time of change.
        ignored: number of pieces that belong to no item of the dataset.
    """

    pieces: tuple[Piece, ...]
    digest: str
    ignored: int


def find_contents(source: str, items: IdMap, kind: Kind, data: Path) -> Contents:
    """Find the content of each item.

    Args:
        source: `TABLE:COLUMN[,COLUMN...]` or a folder. Texts of several columns are joined; columns for pictures or
            sound hold paths relative to the table. Files in a folder are named by item id, with any suffix.
        items: items of the dataset.
        kind: text, picture or sound.
        data: dataset folder, in which a table is looked for if `source` does not name a file.

    Raises:
        DataError: when the source does not exist, lacks the column, has no content for any item, or names an item
            twice; or a row of a table names none.
    """
    if Path(source).is_dir():
        found = _of_folder(Path(source))
    else:
        name, _, columns = source.rpartition(":")
        if not name:
            raise DataError(f"--from {source}: no such folder; of a table name a column too, as in items.parquet:title")
        found = _of_table(_placed(Path(name), data), columns.split(","), kind, items)
    pieces = tuple(found.get(item) for item in items.names)
    have = sum(piece is not None for piece in pieces)
    if not have:
        raise DataError(
            f"--from {source}: holds content of none of the {len(items)} items; its ids are such as "
            f"{preview(found, 3) or 'nothing'}, the dataset's such as {preview(items.names.head(3))}"
        )
    return Contents(pieces, _digest(pieces), len(found) - have)


def _placed(path: Path, data: Path) -> Path:
    return path if path.exists() or not (data / path).exists() else data / path


def _of_folder(folder: Path) -> dict[str, Piece]:
    found: dict[str, Piece] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise DataError(f"{folder}: two files for item '{path.stem}': {found[path.stem]} and {path}; keep one")
        found[path.stem] = path
    return found


def _of_table(path: Path, columns: list[str], kind: Kind, items: IdMap) -> dict[str, Piece]:
    source = read_table(path)
    missing = [name for name in columns if name not in source.table.columns]
    if missing:
        raise DataError(f"{path}: column '{missing[0]}' is missing; there are: {', '.join(source.table.columns)}")
    names, _ = ids(source, id_column(source, "item", wanted=items.names, every=False))
    if names.n_unique() != len(names):
        repeated = names.filter(names.is_duplicated()).unique(maintain_order=True)
        raise DataError(f"{path}: item ids occur more than once: {preview(repeated)}; keep one row of each")
    texts = [_texts(source.table[name], path) for name in columns]
    found: dict[str, Piece] = {}
    for item, *parts in zip(names, *texts, strict=True):
        text = ". ".join(part.strip() for part in parts if part and part.strip())
        if text:
            found[item] = text if kind is Kind.TEXT else path.parent / text
    return found


def _texts(values: pl.Series, path: Path) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise DataError(f"{path}: column '{values.name}' holds {values.dtype}, not text") from None


def _digest(pieces: tuple[Piece, ...]) -> str:
    state = hashlib.sha256()
    for piece in pieces:
        state.update(repr(_identity(piece)).encode())
    return state.hexdigest()


def _identity(piece: Piece) -> Mapping[str, object] | str | None:
    if not isinstance(piece, Path):
        return piece
    try:
        facts = piece.stat()
    except OSError:
        return {"path": str(piece)}
    return {"path": str(piece), "bytes": facts.st_size, "changed": facts.st_mtime_ns}
