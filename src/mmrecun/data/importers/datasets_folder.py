"""Folders that Hugging Face's `datasets` saves: Arrow streams and their list, or one such folder a split."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrecun.data.importers.arrow import arrow_batches
from mmrecun.data.importers.batches import Table, typed_table
from mmrecun.data.importers.published import joined
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError

_SPLITS = {
    "train": Split.TRAIN,
    "validation": Split.VALID,
    "valid": Split.VALID,
    "dev": Split.VALID,
    "test": Split.TEST,
}


def is_datasets_folder(folder: Path) -> bool:
    """Say whether `save_to_disk` wrote a folder, of a dataset or of a dictionary of splits."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def open_datasets_folder(folder: Path) -> Table:
    """Open a saved dataset as a table; the splits of a dictionary become a column `split`.

    Raises:
        DataError: when a file is missing or unreadable, or a split is not train, validation or test.
    """
    index = folder / "dataset_dict.json"
    if not index.is_file():
        return _open(folder)
    names = _read(index).get("splits")
    if not isinstance(names, list) or not names:
        raise DataError(f"{index}: names no splits")
    parts = {}
    for name in names:
        split = _SPLITS.get(str(name).lower())
        if split is None or split in parts:
            raise DataError(f"{index}: split '{name}'; expected train, validation and test, each once")
        parts[split] = _open(folder / str(name).replace("/", ""))
    if list(parts) == [Split.TRAIN]:
        return parts[Split.TRAIN]
    return joined(parts)


def _open(folder: Path) -> Table:
    index = folder / "state.json"
    files = _read(index).get("_data_files")
    if not isinstance(files, list) or not files:
        raise DataError(f"{index}: lists no files of data")
    paths = []
    for entry in files:
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or Path(name).name != name:
            raise DataError(f"{index}: '{name}' is not the name of a file in this folder")
        paths.append(folder / name)
    schemas = [next(arrow_batches(path)).schema for path in paths]
    for path, schema in zip(paths, schemas, strict=True):
        if schema != schemas[0]:
            raise DataError(f"{folder}: its files do not fit together: {path.name} has other columns than the first")

    def batches(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        return (batch.select(wanted) for path in paths for batch in arrow_batches(path))

    return typed_table(folder, schemas[0].names(), batches)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a JSON object")
    return found
