"""From a table of events to distinct, split interactions; shared by all importers."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.arrays import Ints, Labels
from mmrecun.data.importers.columns import mixed_units, numeric, times, without_date
from mmrecun.data.importers.id_codes import sorted_pairs
from mmrecun.data.importers.options import Duplicates, ImportOptions, SplitKind
from mmrecun.data.importers.readers import Source
from mmrecun.data.importers.report import Report
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.splits import cut_validation, k_core, leave_k_out, random_split, temporal_split
from mmrecun.errors import DataError
from mmrecun.rng import Seed
from mmrecun.text import counted, quoted

_LABELS = {"0": 0, "1": 1, "2": 2, "train": 0, "valid": 1, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Events:
    """N rows of a source as numbers, in its order.

    Attributes:
        where: the source, for messages.
        users, items: integers [N], dense rows.
        attributes: N rows of `timestamp` and `weight`, where the source has them.
        labels: int8 [N] splits, where the source has them.
        at: names the file and line of a row, for messages.
        cut_valid: whether validation is cut from what the labels call train.
    """

    where: Path
    users: Ints
    items: Ints
    attributes: pl.DataFrame
    labels: Labels | None
    at: Callable[[int], str]
    cut_valid: bool = False

    @classmethod
    def of(cls, source: Source, users: Ints, items: Ints, label: str | None, options: ImportOptions) -> "Events":
        """Read what `options` name from a table; `label` is the column with split labels, if there is one.

        Raises:
            DataError: naming the line of a value that cannot be read.
        """
        labels = given_labels(source, label) if label else None
        return cls(source.path, users, items, attributes_of(source, options), labels, source.at)


def interactions(events: Events, options: ImportOptions, report: Report) -> Interactions:
    """Return the distinct pairs of events with split labels and attributes.

    Args:
        events: events of a source.
        options: options of the import.
        report: grows by what is left out.

    Raises:
        DataError: for repeated pairs, or a split that cannot be made; the line is named.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:  # the split is drawn meanwhile; NumPy and SciPy release the GIL
        all_stay = events.labels is None and not options.k_core
        drawn = beside.submit(_made, events.users, events.attributes, options) if all_stay else None
        _tell_of_times(events, options, report)
        users, items, order = _distinct(events, options, report)
        if options.k_core:
            users, items, order = _in_core(users, items, order, options.k_core, events, report)
        attributes = events.attributes[pl.Series(order)] if events.attributes.width else events.attributes
        labels = _labels(events, users, order, options, report, drawn)
    _check_splits(labels, events, options, report)
    for column in (users, items, labels):
        column.flags.writeable = False  # read-only arrays are used without a copy
    return Interactions(users, items, labels, attributes)


def _tell_of_times(events: Events, options: ImportOptions, report: Report) -> None:
    if "timestamp" not in events.attributes.columns:
        return
    times = events.attributes["timestamp"]
    if mixed_units(times):
        report.warnings.append(
            f"some of '{options.timestamp}' look like seconds and others like milliseconds or less; correct them"
        )
    if count := without_date(times):
        report.warnings.append(
            f"{count} of '{options.timestamp}' are 0 or less, and others are not: they count as the earliest; if they "
            "stand for no time, correct them or leave these rows out"
        )


def _in_core(users: Ints, items: Ints, order: Ints, k: int, events: Events, report: Report) -> tuple[Ints, Ints, Ints]:
    inside = k_core(users, items, k)
    warning = f"the {k}-core keeps {int(inside.sum()):,} of {counted(len(events.users), 'interaction')}"
    report.leave_out(int((~inside).sum()), f"outside the {k}-core", warning)
    return users[inside], items[inside], order[inside]


_WITHOUT = {
    Split.VALID: "`train` cannot choose an epoch, and unlearning goes as far as a setting says",
    Split.TEST: "quality cannot be measured",
}


def _check_splits(labels: Labels, events: Events, options: ImportOptions, report: Report) -> None:
    """Require training pairs, and held-out ones of a split that is made here; warn of labels that hold none out."""
    for split in Split if options.split is not SplitKind.NONE else ():
        if (labels == split).any():
            continue
        name = split.label
        if split is Split.TRAIN:
            raise DataError(f"{events.where}: the train split is empty; at least some interactions must be in it")
        if events.labels is None:
            raise DataError(
                f"{events.where}: the {name} split is empty; there are too few interactions to hold some out"
            )
        report.warnings.append(f"no pair is labelled '{name}': {_WITHOUT[split]}")


class Weights:
    """Leaves out events of too small a weight, batch by batch; a final warning says what weights do not do."""

    def __init__(self, options: ImportOptions) -> None:
        if options.weight is None and options.min_weight is not None:
            raise DataError("a smallest weight needs the column of weights: give --weight COLUMN")
        self._column, self._least = options.weight, options.min_weight
        self._rows = self._low = 0

    def heavy_enough(self, batch: Source) -> Source:
        """Return the rows of at least the smallest weight.

        Raises:
            DataError: naming the line of a weight that is not a number.
        """
        if self._column is None:
            return batch
        weights = numeric(batch, self._column, pl.Float32)
        kept = weights > 0 if self._least is None else weights >= self._least
        self._rows += len(kept)
        self._low += int((~kept).sum())
        if self._least is None or kept.all():
            return batch
        lines = batch.lines and partial(_gathered, batch.lines, kept.arg_true().to_numpy())
        return replace(batch, table=batch.table.filter(kept), lines=lines)

    def tell(self, path: Path, report: Report) -> None:
        """Report what was left out.

        Raises:
            DataError: when no event has the weight asked for.
        """
        if self._column is None:
            return
        if self._least is None:
            low = f", also the {self._low} of weight 0 or less" if self._low else ""
            report.warnings.append(
                f"weight '{self._column}' is kept as an attribute only: every row counts as a positive{low}; "
                "leave out low ones with --min-weight"
            )
            return
        if self._low == self._rows:
            raise DataError(f"{path}: no '{self._column}' reaches {self._least:g}")
        reason = f"'{self._column}' below {self._least:g}"
        warning = f"{self._low} of {self._rows} rows have a '{self._column}' below {self._least:g} and were left out"
        report.leave_out(self._low, reason, warning)


def _gathered(lines: Callable[[], Iterator[int]], places: Ints) -> Iterator[int]:
    wanted = iter(places.tolist())
    sought = next(wanted, None)
    for place, line in enumerate(lines()):
        if place == sought:
            yield line
            sought = next(wanted, None)


def _distinct(events: Events, options: ImportOptions, report: Report) -> tuple[Ints, Ints, Ints]:
    """Return users, items and places of the pairs in canonical order, without those that occurred before."""
    users, items, order = sorted_pairs(events.users, events.items)
    again = np.zeros(len(order), dtype=bool)
    again[1:] = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
    if not again.any():
        return users, items, order
    if options.duplicates is Duplicates.ERROR:
        place = int(np.flatnonzero(again)[order[again].argmin()])
        earlier = order[np.flatnonzero(~again[:place])[-1]]
        here, there = events.at(int(order[place])), events.at(int(earlier))
        there = there.rpartition(", ")[2] if there.rpartition(", ")[0] == here.rpartition(", ")[0] else there
        raise DataError(
            f"{here}: the same user and item as in {there}; correct the file, or keep the first with --duplicates first"
        )
    count = int(again.sum())
    dropped = counted(count, "repeated pair", "was", "were")
    report.leave_out(count, "repeated pair", f"{dropped} dropped; the first of each was kept")
    return users[~again], items[~again], order[~again]


def attributes_of(source: Source, options: ImportOptions) -> pl.DataFrame:
    """Return the columns `timestamp` and `weight` of a table, where `options` name them.

    Raises:
        DataError: naming the line of a value that cannot be read.
    """
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


def _labels(
    events: Events, users: Ints, order: Ints, options: ImportOptions, report: Report, drawn: Future[Labels] | None
) -> Labels:
    """Return the splits of the pairs in canonical order; chance and ties go by their order in the source.

    Those `drawn` for all rows meanwhile are used unless some rows were left out.
    """
    if events.labels is not None:
        given = _at(events.labels, order)
        return _cut(users, given, options, report) if events.cut_valid else given
    _tell_of_split(events, options, report.warnings)
    if drawn and len(order) == len(events.users):
        return _at(drawn.result(), order)
    kept = np.zeros(len(events.users), dtype=bool)
    kept[order] = True
    attributes = events.attributes.filter(kept) if events.attributes.width else events.attributes
    made = _made(events.users[kept], attributes, options)
    place = np.cumsum(kept) - 1
    labels: Labels = made[place[order]]
    return labels


def _at(labels: Labels, places: Ints) -> Labels:
    """Return the labels at some places; polars takes these as they are, where NumPy would copy them as 64 bits."""
    return pl.Series(labels).gather(pl.Series(places)).to_numpy()


def _cut(users: Ints, labels: Labels, options: ImportOptions, report: Report) -> Labels:
    cut = cut_validation(users.astype(np.int64), labels, Seed(options.seed).child("split"))
    count = int((cut == Split.VALID).sum())
    report.warnings.append(
        f"no file of validation pairs was given: {count} were drawn from train, a tenth of each user's"
    )
    return cut


def _tell_of_split(events: Events, options: ImportOptions, warnings: list[str]) -> None:
    if options.split is None:
        warnings.append("no split was given or chosen: random 8:1:1 per user was made; see --split")
    if options.split is SplitKind.LEAVE_K_OUT and "timestamp" not in events.attributes.columns:
        warnings.append("leave-k-out without --timestamp draws the held-out pairs at random")


def _made(users: Ints, attributes: pl.DataFrame, options: ImportOptions) -> Labels:
    kind = options.split or SplitKind.RANDOM
    if kind is SplitKind.NONE:
        return np.full(len(users), Split.TRAIN, dtype=np.int8)
    seed = Seed(options.seed).child("split")
    if kind is SplitKind.RANDOM:
        return random_split(users, seed)
    times = attributes["timestamp"].to_numpy() if "timestamp" in attributes.columns else None
    if kind is SplitKind.LEAVE_K_OUT:
        return leave_k_out(users, seed.numpy().random(len(users)) if times is None else times, options.k)
    if times is None:
        raise DataError("a temporal split needs --timestamp COLUMN")
    return temporal_split(times)
