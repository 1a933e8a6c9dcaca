"""Forget requests as people write them: lists of ids, files of ids or pairs, and attribute expressions."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.errors import ForgetError
from mmrecun.forget.attribute_filter import select
from mmrecun.forget.id_file import read_ids
from mmrecun.forget.pair_file import read_pairs
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.request_rows import no_warning
from mmrecun.forget.request_text import Warn

__all__ = ["add_matching", "read_ids", "read_modalities", "read_pairs"]


def read_modalities(
    values: Sequence[str], known: IdMap | None = None, header: str = "", warn: Warn = no_warning, lenient: bool = False
) -> dict[str, tuple[str, ...] | None]:
    """Read `NAME` as a whole modality and `NAME:FILE` as that modality of the items in a file, as `read_ids` does.

    Raises:
        ForgetError: when a modality is named twice, or a file cannot be read.
    """
    parsed: dict[str, tuple[str, ...] | None] = {}
    for value in values:
        name, separator, path = value.partition(":")
        if name in parsed:
            raise ForgetError(f"--modality {value}: '{name}' is named twice; give it as a whole or with one file")
        file = Path(os.path.expanduser(path))  # noqa: PTH111 - it never raises
        parsed[name] = read_ids(file, "item", known, header, warn, lenient) if separator else None
    return parsed


def add_matching(
    request: ForgetRequest, dataset: Dataset, expression: str, warn: Warn = no_warning
) -> tuple[ForgetRequest, int]:
    """Add what `expression` selects to `request`; return it and the number of rows that could not be decided.

    `warn` is called about rows that are not selected and may have been meant as well.

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
        raise ForgetError("; ".join((f"--where {expression}: no row of {matches.table} fits", *matches.remarks)))
    for remark in matches.remarks:
        warn(f"--where {expression}: {remark}")
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
