"""Dataset: ids, interactions, attributes and modalities that fit together, named by a digest of their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from mmrecun.arrays import Ints, check_shape
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.modality import Modality
from mmrecun.data.nested import not_plain, plain
from mmrecun.errors import DataError
from mmrecun.forks import refuse_forked
from mmrecun.text import counted, facts_html, facts_text


@dataclass(frozen=True, eq=False)
class Dataset:
    """Everything a recommender learns from.

    Attributes:
        name: for people.
        users, items: id maps of U users and I items.
        interactions: pairs of all splits.
        modalities: by name; each covers the I items in row order.
        user_attributes, item_attributes: one row per user or item; an empty frame when there are none.
        columns: "user" and "item" -> name of the id column in the imported table; not part of the digest.
    """

    name: str
    users: IdMap
    items: IdMap
    interactions: Interactions
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    user_attributes: pl.DataFrame = field(default_factory=pl.DataFrame)
    item_attributes: pl.DataFrame = field(default_factory=pl.DataFrame)
    columns: Mapping[str, str] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same content: the same digest."""
        return self.digest == other.digest if isinstance(other, Dataset) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __post_init__(self) -> None:
        refuse_forked()
        pairs = self.interactions
        if not (pairs.splits == Split.TRAIN).any():
            raise DataError(f"dataset '{self.name}' has no training interactions")
        for kind, rows, ids in (("user", pairs.users, self.users), ("item", pairs.items, self.items)):
            if rows.max() >= len(ids):
                raise DataError(
                    f"an interaction names {kind} row {rows.max()}, but the dataset has {counted(len(ids), kind)}"
                )
        for name, modality in self.modalities.items():
            if modality.name != name:
                raise DataError(f"modality '{modality.name}' is filed under '{name}'")
            if len(modality.features) != len(self.items):
                raise DataError(
                    f"the dataset has {counted(len(self.items), 'item')}, but '{name}' has features for "
                    f"{len(modality.features)}"
                )
        for kind, table, ids in self._tables():
            if table.width:
                check_shape(f"{kind} attributes", np.empty(table.height), (len(ids),))
        for kind, table in (("interaction", pairs.attributes), *((kind, table) for kind, table, _ in self._tables())):
            for column, dtype in table.schema.items():
                if column in (("user", "item", "split") if kind == "interaction" else ("id",)):
                    raise DataError(f"{kind} attribute '{column}' is called like a column of its own; rename it")
                if what := not_plain(dtype):
                    raise DataError(
                        f"{kind} attribute '{column}' holds {what}, which is not a plain value; leave it out"
                    )

    @classmethod
    def from_frames(
        cls,
        interactions: Any,
        items: Any = None,
        users: Any = None,
        features: Mapping[str, Any] | None = None,
        name: str = "dataset",
        seed: int = 0,
    ) -> "Dataset":
        """Build a dataset from polars or pandas frames.

        Args:
            interactions: one row per pair, with the columns `user` and `item` and optionally `split` (train, valid or
                test), `timestamp` and `weight`. Without `split`, a tenth of each user's pairs is drawn for valid and
                a tenth for test, at least one each for users with three pairs or more. Every row counts as a
                positive, whatever its weight.
            items, users: one row per item or user: a column `id` (or `item`, `user`) and any attributes. They fix the
                order of rows, and may list some without interactions. By default all in `interactions`.
            features: modality -> a frame with item ids and numbers, a pair (ids, array [n, F]), or an array [I, F] in
                the order of `items`. Items that are not listed, or whose row is NaN throughout, have none.
            name: name of the dataset, for reports.
            seed: seed of the drawn split.

        Raises:
            DataError: naming the frame, and the row or id that is wrong.
        """
        from mmrecun.data.frames import from_frames

        return from_frames(interactions, items, users, features, name, seed)

    def to_frames(self) -> dict[str, Any]:
        """Return the dataset as polars frames and arrays, so that `Dataset.from_frames(**frames)` is the same again.

        Returns:
            `interactions` (user, item, split and attributes), `users` and `items` (id and attributes), `features`
            (modality -> ids and array of the items that have it; float32 when read again) and `name`.
        """
        from mmrecun.data.frames import to_frames

        return to_frames(self)

    @classmethod
    def synthetic(cls, seed: int = 0, **settings: Any) -> "Dataset":
        """Make a synthetic dataset with planted tastes.

        Args:
            seed: random seed.
            settings: those of `SyntheticConfig`, such as `users=1000`.

        Raises:
            ConfigError: for an unknown or unusable setting.
        """
        from mmrecun.data.synthetic import SyntheticConfig, make
        from mmrecun.rng import Seed

        return make(SyntheticConfig.of(settings, "synthetic dataset"), Seed(seed))[0]

    def __repr__(self) -> str:
        """Return the facts in a few lines."""
        from mmrecun.data.describe import overview

        return facts_text(f"Dataset '{self.name}'", overview(self))

    def _repr_html_(self) -> str:
        """Return the facts as a small table, for notebooks."""
        from mmrecun.data.describe import overview

        return facts_html(f"Dataset '{self.name}'", overview(self))

    def _tables(self) -> tuple[tuple[str, pl.DataFrame, IdMap], ...]:
        return ("user", self.user_attributes, self.users), ("item", self.item_attributes, self.items)

    @cached_property
    def train(self) -> Interactions:
        """The training pairs."""
        return self.interactions.split(Split.TRAIN)

    @cached_property
    def degrees(self) -> tuple[Ints, Ints]:
        """Number of training pairs of each user, int64 [U], and of each item, int64 [I]."""
        pairs, others = self.interactions, np.flatnonzero(self.interactions.splits != Split.TRAIN)
        rows = (pairs.users, len(self.users)), (pairs.items, len(self.items))
        # the pairs of other splits are few, so that less is gathered than for those of training
        users, items = (np.bincount(of, minlength=size) - np.bincount(of[others], minlength=size) for of, size in rows)
        return users, items

    @cached_property
    def references(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """(table, column) of each attribute that holds ids -> kinds of these ids; see `data.reference_columns`."""
        from mmrecun.data.reference_columns import find_reference_columns

        return find_reference_columns(self)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, as hexadecimal text; name and provenance do not count."""
        state = hashlib.sha256()
        for ids in (self.users, self.items):
            state.update("\x00".join(ids.names).encode() + b"\x01")
        pairs = self.interactions
        for values in (pairs.users, pairs.items, pairs.splits):
            state.update(np.ascontiguousarray(values).data)
        for table in (pairs.attributes, self.user_attributes, self.item_attributes):
            for column in sorted(table.columns):
                state.update(f"{column}\x01{table[column].dtype}\x01".encode())
                for part in column_buffers(table[column]):
                    state.update(part)
        for name in sorted(self.modalities):
            modality = self.modalities[name]
            state.update(f"{name}\x01{modality.features.dtype.str}{modality.features.shape}".encode())
            state.update(np.ascontiguousarray(modality.present).data)
            state.update(np.ascontiguousarray(modality.features).data)
        return state.hexdigest()

    def with_interactions(self, interactions: Interactions) -> "Dataset":
        """Return the same users, items and features with other pairs."""
        return replace(self, interactions=interactions)

    def restrict(self, users: Ints, items: Ints) -> "Dataset":
        """Return the given user and item rows in the given order, with their pairs, features and attributes."""
        return replace(
            self,
            users=self.users.take(users),
            items=self.items.take(items),
            interactions=self.interactions.renumbered(
                inverse_index(users, len(self.users)), inverse_index(items, len(self.items))
            ),
            modalities={name: modality.take(items) for name, modality in self.modalities.items()},
            user_attributes=_rows(self.user_attributes, users),
            item_attributes=_rows(self.item_attributes, items),
        )


def _rows(table: pl.DataFrame, rows: Ints) -> pl.DataFrame:
    """Return rows of a table of attributes, with types that list no values of other rows: see `nested.plain`."""
    return plain(table)[rows] if table.width else table


def column_buffers(column: pl.Series) -> tuple[bytes | memoryview, ...]:
    """Return the bytes by which a column of attributes enters a digest, as parts one after another; few are copied.

    Numbers enter as raw values, after the mask of missing ones; anything else as JSON, 128-bit integers included, which
    NumPy lacks.
    """
    dtype = column.dtype
    if not (dtype.is_float() or (dtype.is_integer() and not str(dtype).endswith("128"))):
        return (column.to_frame().write_ndjson().encode(),)
    return tuple(np.ascontiguousarray(values.to_numpy()).data for values in (column.is_null(), column.fill_null(0)))


def inverse_index(rows: Ints, size: int) -> Ints:
    """Return the inverse of `rows`: int64 [size], the index of each row in `rows`, or -1 if it is not in them.

    >>> inverse_index(np.array([2, 0]), 3).tolist()
    [1, -1, 0]
    """
    inverse = np.full(size, -1, dtype=np.int64)
    inverse[rows] = np.arange(len(rows))
    return inverse
