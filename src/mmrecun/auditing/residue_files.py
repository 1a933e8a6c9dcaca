"""Forgotten ids, looked for in the files of an unlearned run and in the attributes of what is retained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
_OWN_WORD = re.compile(rb"[a-z_]+@\d+")  # names of figures


def files_check(partition: Partition, folder: Path) -> Check:
    """Look for forgotten ids in Parquet columns and attributes, and as words in any other file.

    Short and numeric ids are looked for in Parquet alone. In the program's own files, ids that are plain words cannot
    be distinguished from its own words, and are skipped.
    """
    names = partition.removed_ids.all().to_list()
    words = [name for name in names if len(name) >= _LONG_ENOUGH and not name.isdigit()]
    odd = [name for name in words if not name.isalpha() and not _OWN_WORD.fullmatch(name.encode())]
    found: list[str] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        hits = 0
        if path.suffix == ".parquet":
            hits = _in_columns(path, names, partition) + _in_types(path, odd)
        elif path.suffix not in (".npy", ".safetensors"):
            content = _content(path)
            sought = odd if path.name in _OWN else words
            hits = sum(_holds(content, name.encode()) for name in sought)
        if hits:
            found.append(f"{hits} in {path.name}")
    notes = [f"{counted(len(names), 'id', 'was', 'were')} looked for in {counted(len(files), 'file')}"]
    if len(words) < len(names):
        notes.append("short or purely numeric ids in Parquet only")
    for mention in mentions(partition.retained, partition.removed_ids):
        if mention.plain:
            notes.append(
                f"words or numbers that are ids, and may not be meant so, stand in {counted(mention.rows, 'row')} of "
                f"{mention.table}.{mention.column}"
            )
        else:
            found.append(f"{mention.rows} in the attribute '{mention.column}' of {mention.table}")
    return Check.of_findings(FILES, found, "; ".join(notes), "forgotten ids stand in files")


def _in_columns(path: Path, names: list[str], partition: Partition) -> int:
    """Count the forgotten ids in the id columns of a Parquet file."""
    wanted = pl.Series(names, dtype=pl.String).implode()
    kept = pl.concat(
        [ids.names.filter(ids.names.is_in(wanted)) for ids in (partition.retained.users, partition.retained.items)]
    )
    frame = read_parquet(path)
    columns = [frame[column].cast(pl.String) for column in frame.columns if column in ("id", "user", "item")]
    held = pl.concat(columns).unique() if columns else kept.clear()
    return int((held.is_in(wanted) & ~held.is_in(kept.implode())).sum())


def _in_types(path: Path, names: list[str]) -> int:
    """Count the forgotten ids inside the types of a Parquet file: names of fields, values of enumerations."""
    with readable_parquet(path):
        schema = pl.read_parquet_schema(path)
    used = {text for column, dtype in schema.items() for text in (column, *names_in(dtype))}
    return len(used.intersection(names))


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
