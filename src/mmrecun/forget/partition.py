"""The retain and forget sets that a forget request defines: pure functions of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.references import RemovedIds, without_references
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest, Target
from mmrecun.text import preview, unknown_name

_EMPTY = "the request is empty: name users, items, pairs or modalities"
_NOTHING_LEFT = "the request leaves no training interaction; nothing could be recommended any more"


def _items_that_lose(dataset: Dataset, modality: str, names: tuple[str, ...] | None) -> Bools:
    if modality not in dataset.modalities:
        raise ForgetError(unknown_name("modality", modality, list(dataset.modalities)))
    return dataset.modalities[modality].present if names is None else _named_items_with(dataset, modality, names)


def _rows(ids: IdMap, names: tuple[str, ...]) -> Ints:
    try:
        return np.unique(ids.rows(names))
    except DataError as error:
        raise ForgetError(str(error)) from None


def _all_but(rows: Ints, size: int) -> Bools:
    """Return bool [size], true for all rows but these."""
    others = np.ones(size, dtype=bool)
    others[rows] = False
    return others


def _requested_pairs(dataset: Dataset, pairs: tuple[tuple[str, str], ...]) -> Ints:
    """Return the indices of the named pairs among the interactions; int64."""
    users = dataset.users.find(user for user, _ in pairs)
    items = dataset.items.find(item for _, item in pairs)
    found = dataset.interactions.find(users, items, len(dataset.items))
    found[(users < 0) | (items < 0)] = -1
    if (found < 0).any():
        missing = [f"({user}, {item})" for (user, item), place in zip(pairs, found, strict=True) if place < 0]
        raise ForgetError(f"no such interaction in '{dataset.name}': {preview(missing)}")
    return found


def _named_items_with(dataset: Dataset, modality: str, names: tuple[str, ...]) -> Bools:
    rows = _rows(dataset.items, names)
    present = dataset.modalities[modality].present
    if not present[rows].any():
        raise ForgetError(f"none of the named items has the modality '{modality}'")
    mask = np.zeros(len(dataset.items), dtype=bool)
    mask[rows] = True
    return mask & present


@dataclass(frozen=True)
class Partition:
    """An original dataset, the part of it that is retained, and the difference.

    Attributes:
        original: the dataset before the request.
        user_rows: int64 [U'], the original row of each retained user.
        item_rows: int64 [I'], the original row of each retained item.
        kept: bool [N], true for interactions of the original that are retained.
        removed_features: per modality bool [I] over original rows: retained items that lost it; only
            modalities that lost some.
        removed_modalities: modalities that no item has any more.
    """

    original: Dataset
    user_rows: Ints
    item_rows: Ints
    kept: Bools
    removed_features: Mapping[str, Bools]
    removed_modalities: frozenset[str] = frozenset()

    @classmethod
    def from_request(cls, dataset: Dataset, request: ForgetRequest) -> Self:
        """Divide `dataset` by `request`.

        The retained dataset is built when it is first read, since that takes a pass over all data.

        Raises:
            ForgetError: when an id, a pair or a modality does not exist, or nothing would be retained.
        """
        if request.empty():
            raise ForgetError(_EMPTY)
        pairs, users, items = (
            dataset.interactions,
            _rows(dataset.users, request.users),
            _rows(dataset.items, request.items),
        )
        kept_users, kept_items = _all_but(users, len(dataset.users)), _all_but(items, len(dataset.items))
        kept = kept_items[pairs.items] if len(items) else np.ones(len(pairs), dtype=bool)
        kept[pairs.rows_of_users(users)[0]] = False
        if request.pairs:
            kept[_requested_pairs(dataset, request.pairs)] = False
        if not kept[pairs.splits == Split.TRAIN].any():
            raise ForgetError(_NOTHING_LEFT)
        lost = {name: _items_that_lose(dataset, name, names) & kept_items for name, names in request.modalities.items()}
        return cls(
            dataset,
            np.flatnonzero(kept_users),
            np.flatnonzero(kept_items),
            kept,
            {name: mask for name, mask in sorted(lost.items()) if mask.any()},
            frozenset(name for name, names in request.modalities.items() if names is None),
        )

    @classmethod
    def between(cls, original: Dataset, retained: Dataset) -> Self:
        """Compare two datasets, matched by id.

        Raises:
            DataError: when `retained` holds users, items or pairs that `original` lacks.
        """
        user_rows, item_rows = original.users.rows(retained.users.names), original.items.rows(retained.items.names)
        pairs = retained.interactions.renumbered(user_rows, item_rows)
        found = original.interactions.find(pairs.users, pairs.items, len(original.items))
        if (found < 0).any():
            raise DataError(f"'{retained.name}' holds interactions that '{original.name}' does not")
        kept = np.zeros(len(original.interactions), dtype=bool)
        kept[found] = True
        lost = _lost_features(original, retained, item_rows)
        absent = frozenset(original.modalities) - frozenset(retained.modalities)
        partition = cls(original, user_rows, item_rows, kept, lost, absent)
        partition.__dict__["retained"] = retained  # fills the cache of the property, since the dataset exists already
        return partition

    @cached_property
    def retained(self) -> Dataset:
        """The retained dataset; attributes no longer refer to removed users and items."""
        original = self.original
        modalities = {
            name: modality.without(self.removed_features[name]) if name in self.removed_features else modality
            for name, modality in original.modalities.items()
            if name not in self.removed_modalities
        }
        whole = replace(original, interactions=self.retained_pairs, modalities=modalities)
        return without_references(whole.restrict(self.user_rows, self.item_rows), self.removed_ids)

    @cached_property
    def removed_users(self) -> Bools:
        """Mask of removed users: bool [U] over original rows."""
        return _all_but(self.user_rows, len(self.original.users))

    @cached_property
    def removed_items(self) -> Bools:
        """Mask of removed items: bool [I] over original rows."""
        return _all_but(self.item_rows, len(self.original.items))

    @cached_property
    def removed_ids(self) -> RemovedIds:
        """The ids of removed users and items."""
        return RemovedIds.of_masks(self.original, self.removed_users, self.removed_items)

    @cached_property
    def forgotten(self) -> Interactions:
        """The removed training pairs, in original rows."""
        return self.original.interactions.take(np.flatnonzero(~self.kept)).split(Split.TRAIN)

    @cached_property
    def kept_train(self) -> Bools:
        """Mask of retained training pairs: bool [T] over those of the original."""
        kept: Bools = self.kept[self.original.interactions.splits == Split.TRAIN]
        return kept

    @cached_property
    def retained_pairs(self) -> Interactions:
        """The retained interactions of all splits, in original rows."""
        return self.original.interactions.select(self.kept)

    @cached_property
    def single_pairs(self) -> Interactions:
        """The removed pairs of all splits whose user and item both stay, in original rows."""
        pairs = self.original.interactions.take(np.flatnonzero(~self.kept))
        return pairs.select(~self.removed_users[pairs.users] & ~self.removed_items[pairs.items])

    def counts(self) -> dict[str, int]:
        """Count the removed users, items, interactions (training pairs), held-out pairs and features of items."""
        return {
            Target.USERS.value: int(self.removed_users.sum()),
            Target.ITEMS.value: int(self.removed_items.sum()),
            Target.INTERACTIONS.value: len(self.forgotten),
            "held_out": int((~self.kept).sum()) - len(self.forgotten),
            Target.MODALITIES.value: sum(int(mask.sum()) for mask in self.removed_features.values()),
        }


def targets_of(partition: Partition) -> frozenset[Target]:
    """Return the targets that were removed; a pair counts as an interaction if its user and item both stay."""
    found = {
        Target.USERS: partition.removed_users.any(),
        Target.ITEMS: partition.removed_items.any(),
        Target.INTERACTIONS: len(partition.single_pairs.split(Split.TRAIN)) > 0,
        Target.MODALITIES: bool(partition.removed_features),
    }
    return frozenset(target for target, there in found.items() if there)


def _lost_features(original: Dataset, retained: Dataset, item_rows: Ints) -> dict[str, Bools]:
    lost: dict[str, Bools] = {}
    for name, modality in original.modalities.items():
        kept = np.ones(len(original.items), dtype=bool)
        kept[item_rows] = retained.modalities[name].present if name in retained.modalities else False
        gone = modality.present & ~kept
        if gone.any():
            lost[name] = gone
    return lost
