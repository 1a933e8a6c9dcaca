"""Forget requests as people write them: lists of ids, files of ids or pairs, and attribute expressions."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest
from mmrecun.data.where import select
from mmrecun.errors import ForgetError


def read_ids(path: Path, kind: str) -> tuple[str, ...]:
    """One id a line; blank lines, lines that start with '#', and a first line `id` or `kind` are passed over.

    Raises:
        ForgetError: when the file cannot be read, holds no id, or a line holds several columns.
    """
    ids: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        text = line.strip()
        if not text or text.startswith("#") or (number == 1 and text.lower() in ("id", kind)):
            continue
        if "\t" in text:
            raise ForgetError(f"{path}, line {number}: several columns; give one {kind} id a line")
        ids.append(text)
    if not ids:
        raise ForgetError(f"{path}: holds no {kind} id")
    return tuple(ids)


def read_pairs(path: Path) -> tuple[tuple[str, str], ...]:
    """Two columns a line, user and item, separated by tab, comma or semicolon; a first line `user,item` is a header.

    Raises:
        ForgetError: when the file cannot be read, holds no pair, or a line has not two columns.
    """
    lines = _lines(path)
    first = next((line for line in lines if line.strip()), "")
    separator = next((mark for mark in "\t,;" if mark in first), ",")
    pairs: list[tuple[str, str]] = []
    reader = csv.reader(lines, delimiter=separator)
    for row in reader:
        number = reader.line_num
        cells = [cell.strip() for cell in row]
        if (
            not any(cells)
            or cells[0].startswith("#")
            or (number == 1 and cells[0].lower() in ("user", "userid", "user_id"))
        ):
            continue
        if len(cells) != 2 or not all(cells):
            raise ForgetError(f"{path}, line {number}: expected a user and an item, found {len(cells)} columns")
        pairs.append((cells[0], cells[1]))
    if not pairs:
        raise ForgetError(f"{path}: holds no pair")
    return tuple(pairs)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ForgetError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ForgetError(f"{path}: a folder, not a file of ids") from None
    except (UnicodeDecodeError, OSError) as error:
        raise ForgetError(f"{path}: not readable as UTF-8 text: {error}") from None


def read_modalities(values: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """`NAME` for a modality as a whole, `NAME:FILE` for the items listed in a file."""
    parsed: dict[str, tuple[str, ...] | None] = {}
    for value in values:
        name, separator, path = value.partition(":")
        if name in parsed:
            raise ForgetError(f"--modality {value}: '{name}' is named twice; give it as a whole or with one file")
        parsed[name] = read_ids(Path(path), "item") if separator else None
    return parsed


def merge_where(request: ForgetRequest, dataset: Dataset, expression: str) -> tuple[ForgetRequest, int]:
    """`request` widened by what `expression` selects, and how many rows could not be decided.

    Raises:
        ForgetError: when the expression does not fit, or selects nothing.
    """
    pairs = dataset.interactions
    tables = {
        "items": dataset.item_attributes,
        "users": dataset.user_attributes,
        "pairs": pairs.attributes,
    }
    matches = select(expression, tables)
    if not matches.selected.any():
        raise ForgetError(f"--where {expression}: no row of {matches.table} fits")
    mask = pl.Series(matches.selected)
    found: dict[str, tuple[Any, ...]]
    if matches.table == "pairs":
        users = dataset.users.names.gather(pairs.users).filter(mask)
        items = dataset.items.names.gather(pairs.items).filter(mask)
        found = {"pairs": (*request.pairs, *zip(users, items, strict=True))}
    elif matches.table == "users":
        found = {"users": (*request.users, *dataset.users.names.filter(mask))}
    else:
        found = {"items": (*request.items, *dataset.items.names.filter(mask))}
    return ForgetRequest(**{**request.model_dump(), **found}), matches.undecided
