"""Forgotten ids, looked for in the files of an unlearned run and in the attributes of what is retained."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import polars as pl

from mmrecun.auditing.keys import CheckName, Question
from mmrecun.auditing.result import Check
from mmrecun.data.nested import names_in
from mmrecun.data.parquet import read_parquet, readable_parquet
from mmrecun.data.references import mentions
from mmrecun.forget.partition import Partition
from mmrecun.text import counted

FILES = CheckName.asking(Question.RESIDUE, "files")
_LONG_ENOUGH = 4
_OWN = {
    "manifest.json",
    "audit.json",
    "report.html",
    "dataset.toml",
    "export.json",
}  # full of words of the program itself
_REPORTS = {"audit.json", "report.html"}
_TABLES = {"users.parquet", "items.parquet", "interactions.parquet"}
_ID_COLUMNS, _LISTS = ("id", "user", "item"), ("users", "items")
_UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, TypeError, MemoryError, BadZipFile)
_OWN_WORD = re.compile(rb"[a-z_]+@\d+")  # names of figures


def files_check(partition: Partition, folder: Path) -> Check:
    """Look for forgotten ids in Parquet columns, attributes and arrays of text, and as words in any other file.

    Short and numeric ids are looked for in Parquet alone. In the program's own files, ids that are plain words cannot
    be distinguished from its own words, and are skipped. Reports of audits say where the run lies, so a folder that is
    called like an id is no finding in them; unlearning warns of it.
    """
    names = partition.removed_ids.all().to_list()
    words = _words(names)
    odd = unlike_words(names)
    own_name = [os.fsencode(part) for part in named_after(folder, names)]
    lost = set(names).difference(_kept(names, partition))
    found: list[str] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        hits = 0
        if path.suffix == ".parquet":
            hits = _in_columns(path, names, partition) + _in_types(path, odd)
        elif path.suffix in (".npy", ".npz"):
            hits = len(_texts_of_arrays(path).intersection(lost))
        elif path.suffix != ".safetensors":
            content = _content(path)
            for part in own_name if path.name in _REPORTS else ():
                content = content.replace(part, b"")
            sought = odd if path.name in _OWN else words
            hits = sum(_holds(content, name.encode()) for name in sought)
        if hits:
            found.append(f"{hits} in {path.name}")
    notes = [f"{counted(len(names), 'id', 'was', 'were')} looked for in {counted(len(files), 'file')}"]
    if len(words) < len(names):
        notes.append("short or purely numeric ids in Parquet and arrays only")
    for mention in mentions(partition.retained, partition.removed_ids):
        if mention.plain:
            notes.append(
                f"words or numbers that are ids, and may not be meant so, stand in {counted(mention.rows, 'row')} of "
                f"{mention.table}.{mention.column}"
            )
        else:
            found.append(f"{mention.rows} in the attribute '{mention.column}' of {mention.table}")
    return Check.of_findings(FILES, found, "; ".join(notes), "forgotten ids stand in files")


def _words(names: list[str]) -> list[str]:
    return [name for name in names if len(name) >= _LONG_ENOUGH and not name.isdigit()]


def unlike_words(names: list[str]) -> list[str]:
    """Return those of `names` that are neither short, nor numbers, nor like words of the program itself."""
    return [name for name in _words(names) if not name.isalpha() and not _OWN_WORD.fullmatch(name.encode())]


def named_after(folder: Path, names: list[str]) -> list[str]:
    """Return the parts of a path that hold one of `names` as a word, if that is unlike words of the program."""
    sought = [name.encode() for name in unlike_words(names)]
    return [part for part in folder.resolve().parts if any(_holds(os.fsencode(part), name) for name in sought)]


def _kept(names: list[str], partition: Partition) -> pl.Series:
    """Return those of `names` that are also ids of what stays, such as an item with the id of a forgotten user."""
    wanted = pl.Series(names, dtype=pl.String).implode()
    return pl.concat(
        [ids.names.filter(ids.names.is_in(wanted)) for ids in (partition.retained.users, partition.retained.items)]
    )


def _in_columns(path: Path, names: list[str], partition: Partition) -> int:
    """Count the forgotten ids in a Parquet file: in its columns of ids, and those unlike words in any texts and lists.

    The tables of the dataset are searched for the latter by `mentions`.
    """
    wanted, kept = pl.Series(names, dtype=pl.String).implode(), _kept(names, partition)
    frame = read_parquet(path)
    unlike = pl.Series(unlike_words(names), dtype=pl.String).implode()
    others = path.name not in _TABLES
    held: set[str] = set()
    for column in frame.get_columns():
        values = column.explode() if isinstance(column.dtype, pl.List) else column
        if column.name in (*_ID_COLUMNS, *(_LISTS if others else ())) and not values.dtype.is_nested():
            texts = values.cast(pl.String)
            held.update(texts.filter(texts.is_in(wanted)))
        elif others and values.dtype == pl.String:
            held.update(values.filter(values.is_in(unlike)))
    return len(held.difference(kept))


def _in_types(path: Path, names: list[str]) -> int:
    """Count the forgotten ids inside the types of a Parquet file: names of fields, values of enumerations."""
    with readable_parquet(path):
        schema = pl.scan_parquet(path, glob=False).collect_schema()
    used = {text for column, dtype in schema.items() for text in (column, *names_in(dtype))}
    return len(used.intersection(names))


def _texts_of_arrays(path: Path) -> set[str]:
    """Return the texts in a file of NumPy's arrays, where a character may take four bytes, and may be compressed.

    Arrays of objects, which a file of numbers does not have, are passed over, and so is a file that is none of NumPy's.
    """
    try:
        if path.suffix == ".npy":
            arrays = [np.load(path, mmap_mode="r", allow_pickle=False)]
        else:
            with np.load(path, allow_pickle=False) as file:
                arrays = list(file.values())
    except _UNREADABLE:
        return set()
    texts = [np.unique(array) for array in arrays if array.dtype.kind in "US"]
    return {
        text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for found in texts for text in found
    }


def _content(path: Path) -> bytes:
    """Return the content of a file; of JSON the texts and keys alone, and of the program's own JSON the texts alone."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return content
    try:
        return "\n".join(_texts(json.loads(content), keys=path.name not in _OWN)).encode()
    except (ValueError, RecursionError):
        return content


def _texts(value: Any, keys: bool) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value if keys else ()
        for entry in value.values():
            yield from _texts(entry, keys)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, keys)


def _holds(content: bytes, name: bytes) -> bool:
    return name in content and re.search(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)", content) is not None
