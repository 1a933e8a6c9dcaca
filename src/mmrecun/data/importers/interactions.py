"""From a table of events to distinct, split interactions; shared by all importers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from mmrecun.arrays import Bools, Ints, Labels
from mmrecun.data.importers.columns import mixed_units, numeric, quoted, times
from mmrecun.data.importers.options import Duplicates, ImportOptions, SplitKind
from mmrecun.data.importers.readers import Source
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.splits import k_core, leave_k_out, random_split, temporal_split
from mmrecun.errors import DataError
from mmrecun.rng import Seed

_LABELS = {"0": 0, "1": 1, "2": 2, "train": 0, "valid": 1, "validation": 1, "test": 2}


def interactions(
    source: Source, users: Ints, items: Ints, label: str | None, options: ImportOptions
) -> tuple[Interactions, list[str]]:
    """Distinct pairs with split labels and attributes, and warnings.

    Args:
        source: the table.
        users, items: int64 [rows] dense rows of each line.
        label: the column with split labels, if there is one.
        options: of the import.

    Raises:
        DataError: for repeated pairs, unknown labels, or a split that cannot be made; the line is named.
    """
    warnings: list[str] = []
    kept = _distinct(source, users, items, options, warnings)
    if options.k_core:
        inside = np.flatnonzero(kept)[k_core(users[kept], items[kept], options.k_core)]
        kept = np.zeros_like(kept)
        kept[inside] = True
        warnings.append(f"the {options.k_core}-core keeps {int(kept.sum())} of {len(kept)} interactions")
    attributes = _attributes(source, options)
    if "timestamp" in attributes.columns and mixed_units(attributes["timestamp"]):
        warnings.append(
            f"some of '{options.timestamp}' look like seconds and others like milliseconds or less; mend them"
        )
    attributes = attributes.filter(kept) if attributes.width else attributes
    labels = given_labels(source, label)[kept] if label else _made(users[kept], attributes, options, warnings)
    for split in Split:
        if not (labels == split).any():
            if split is Split.TRAIN:
                raise DataError(f"{source.path}: the train split is empty; at least some interactions must be in it")
            raise DataError(
                f"{source.path}: the {split.name.lower()} split is empty; label some interactions, or choose --split"
            )
    return Interactions(users[kept], items[kept], labels, attributes), warnings


def heavy_enough(source: Source, options: ImportOptions) -> tuple[Source, list[str]]:
    """Return the rows of at least `min_weight`, and what is to be said about weights: none of them weighs in training.

    Raises:
        DataError: when a smallest weight is given without a column of weights, or nothing reaches it.
    """
    if options.weight is None:
        if options.min_weight is not None:
            raise DataError("a smallest weight needs the column of weights: give --weight COLUMN")
        return source, []
    weights = numeric(source, options.weight, pl.Float32)
    if options.min_weight is None:
        low = int((weights <= 0).sum())
        count = f", also the {low} of weight 0 or less" if low else ""
        return source, [
            f"weight '{options.weight}' is kept as an attribute only: every row counts as a positive{count}; "
            "leave out low ones with --min-weight"
        ]
    kept = weights >= options.min_weight
    if not kept.any():
        raise DataError(f"{source.path}: no '{options.weight}' reaches {options.min_weight:g}")
    places = kept.arg_true().to_list()
    lines = source.lines and partial(_gathered, source.lines, places)
    dropped = f"{len(kept) - len(places)} of {len(kept)} rows have a '{options.weight}' below {options.min_weight:g}"
    return replace(source, table=source.table.filter(kept), lines=lines), [f"{dropped} and were left out"]


def _gathered(lines: Callable[[], Iterator[int]], places: list[int]) -> Iterator[int]:
    wanted = set(places)
    return (line for place, line in enumerate(lines()) if place in wanted)


def _distinct(source: Source, users: Ints, items: Ints, options: ImportOptions, warnings: list[str]) -> Bools:
    keys = users * (items.max() + 1) + items
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    kept: Bools = first[inverse] == np.arange(len(keys))
    if kept.all():
        return kept
    again = int(np.flatnonzero(~kept)[0])
    if options.duplicates is Duplicates.ERROR:
        earlier = source.at(int(first[inverse[again]])).rpartition(", ")[2]
        raise DataError(
            f"{source.at(again)}: the same user and item as in {earlier}; "
            "mend the file, or keep the first with --duplicates first"
        )
    warnings.append(f"{int((~kept).sum())} repeated pairs were dropped; the first of each was kept")
    return kept


def _attributes(source: Source, options: ImportOptions) -> pl.DataFrame:
    columns = {}
    if options.timestamp:
        columns["timestamp"] = times(source, options.timestamp)
    if options.weight:
        columns["weight"] = numeric(source, options.weight, pl.Float32)
    return pl.DataFrame(columns)


def given_labels(source: Source, label: str) -> Labels:
    """Return the split of each row, int8 [rows], from a column that has it as a number or a word.

    Raises:
        DataError: naming the line of any other label.
    """
    text = source.column(label).cast(pl.String).str.strip_chars().str.to_lowercase()
    labels = text.replace_strict(_LABELS, default=None, return_dtype=pl.Int8)
    bad = labels.is_null().arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{source.at(row)}: {label} is {quoted(text[row])}; it must be 0 (train), 1 (valid) or 2 (test)"
        )
    return labels.to_numpy()


def _made(users: Ints, attributes: pl.DataFrame, options: ImportOptions, warnings: list[str]) -> Labels:
    kind = options.split
    if kind is None:
        warnings.append("no split was given or chosen: random 8:1:1 per user was made; see --split")
        kind = SplitKind.RANDOM
    seed = Seed(options.seed).child("split")
    if kind is SplitKind.RANDOM:
        return random_split(users, seed)
    times = attributes["timestamp"].to_numpy() if "timestamp" in attributes.columns else None
    if kind is SplitKind.TEMPORAL:
        if times is None:
            raise DataError("a temporal split needs --timestamp COLUMN")
        return temporal_split(times)
    if times is None:
        warnings.append("leave-k-out without --timestamp draws the held-out pairs at random")
    return leave_k_out(users, seed.numpy().random(len(users)) if times is None else times, options.k)
