"""The retain and forget sets that a forget request defines: pure functions of a dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.references import Gone, cleared
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest, Target
from mmrecun.text import preview, unknown_name

__all__ = ["ForgetRequest", "Partition", "Target", "held_out"]

_EMPTY = "the request is empty: name users, items, pairs or modalities"
_NOTHING_LEFT = "the request leaves no training interaction; nothing could be recommended any more"


def _retained(dataset: Dataset, request: ForgetRequest) -> Dataset:
    """The dataset without everything the request names, and without references to it in attributes of others."""
    if request.empty():
        raise ForgetError(_EMPTY)
    users, items = _rows(dataset.users, request.users), _rows(dataset.items, request.items)
    kept_users = np.flatnonzero(_kept(users, len(dataset.users)))
    kept_items = np.flatnonzero(_kept(items, len(dataset.items)))
    pairs = dataset.interactions
    if request.pairs:
        pairs = pairs.select(~_requested_pairs(dataset, request.pairs))
    modalities = dict(dataset.modalities)
    for name, names in request.modalities.items():
        losers = _losers(dataset, name, names)
        if names is None:
            del modalities[name]
        else:
            modalities[name] = modalities[name].without(losers)
    try:
        left = replace(dataset, interactions=pairs, modalities=modalities).restrict(kept_users, kept_items)
    except DataError:
        raise ForgetError(_NOTHING_LEFT) from None
    return cleared(left, dataset, Gone(dataset.users.names.gather(users), dataset.items.names.gather(items)))


def _losers(dataset: Dataset, modality: str, names: tuple[str, ...] | None) -> Bools:
    if modality not in dataset.modalities:
        raise ForgetError(unknown_name("modality", modality, list(dataset.modalities)))
    return dataset.modalities[modality].present if names is None else _carriers(dataset, modality, names)


def _rows(ids: IdMap, names: tuple[str, ...]) -> Ints:
    try:
        return np.unique(ids.rows(names))
    except DataError as error:
        raise ForgetError(str(error)) from None


def _kept(rows: Ints, size: int) -> Bools:
    kept = np.ones(size, dtype=bool)
    kept[rows] = False
    return kept


def _requested_pairs(dataset: Dataset, pairs: tuple[tuple[str, str], ...]) -> Bools:
    users = dataset.users.find(user for user, _ in pairs)
    items = dataset.items.find(item for _, item in pairs)
    there = (users >= 0) & (items >= 0) & dataset.interactions.contains(users, items, len(dataset.items))
    if not there.all():
        missing = [f"({user}, {item})" for (user, item), known in zip(pairs, there, strict=True) if not known]
        raise ForgetError(f"no such interaction in '{dataset.name}': {preview(missing)}")
    return np.isin(dataset.interactions.keys(len(dataset.items)), users * len(dataset.items) + items)


def _carriers(dataset: Dataset, modality: str, names: tuple[str, ...]) -> Bools:
    rows = _rows(dataset.items, names)
    present = dataset.modalities[modality].present
    if not present[rows].any():
        raise ForgetError(f"none of the named items has the modality '{modality}'")
    mask = np.zeros(len(dataset.items), dtype=bool)
    mask[rows] = True
    return mask & present


@dataclass(frozen=True)
class Partition:
    """An original dataset, what is retained of it, and the difference.

    Attributes:
        original: before.
        user_rows: int64 [U'], the original row of each retained user.
        item_rows: int64 [I'], the original row of each retained item.
        forgotten: the training pairs that were taken out, in original rows.
        removed_features: per modality bool [I] over original rows: retained items that lost it; only modalities
            that lost some.
        make: the dataset after; see `retained`.
    """

    original: Dataset
    user_rows: Ints
    item_rows: Ints
    forgotten: Interactions
    removed_features: Mapping[str, Bools]
    make: Callable[[], Dataset]

    @classmethod
    def from_request(cls, dataset: Dataset, request: ForgetRequest) -> Self:
        """Work out what `request` takes out of `dataset`.

        What it leaves is made when it is first asked for, since that costs a pass over everything.

        Raises:
            ForgetError: when an id, a pair or a modality is not there, or nothing would be left.
        """
        if request.empty():
            raise ForgetError(_EMPTY)
        train, users, items = dataset.train, _rows(dataset.users, request.users), _rows(dataset.items, request.items)
        places = [train.rows_of_users(users)[0]]
        if len(items):
            places.append(np.flatnonzero(~_kept(items, len(dataset.items))[train.items]))
        if request.pairs:
            asked = _requested_pairs(dataset, request.pairs)
            places.append(np.flatnonzero(asked[dataset.interactions.splits == Split.TRAIN]))
        gone = np.unique(np.concatenate(places))
        if len(gone) == len(train):
            raise ForgetError(_NOTHING_LEFT)
        kept_items = _kept(items, len(dataset.items))
        lost = {name: _losers(dataset, name, names) & kept_items for name, names in request.modalities.items()}
        return cls(
            dataset,
            np.flatnonzero(_kept(users, len(dataset.users))),
            np.flatnonzero(kept_items),
            train.take(gone),
            {name: mask for name, mask in sorted(lost.items()) if mask.any()},
            lambda: _retained(dataset, request),
        )

    @classmethod
    def between(cls, original: Dataset, retained: Dataset) -> Self:
        """Compare two datasets, matched by id.

        Raises:
            DataError: when `retained` holds users, items or pairs that `original` lacks.
        """
        user_rows, item_rows = original.users.rows(retained.users.names), original.items.rows(retained.items.names)
        retained_pairs, whole, items = (
            retained.interactions.renumbered(user_rows, item_rows),
            original.interactions,
            len(original.items),
        )
        if not whole.contains(retained_pairs.users, retained_pairs.items, items).all():
            raise DataError(f"'{retained.name}' holds interactions that '{original.name}' does not")
        train = original.train
        forgotten = train.select(~retained_pairs.contains(train.users, train.items, items))
        lost = _lost_features(original, retained, item_rows)
        return cls(original, user_rows, item_rows, forgotten, lost, lambda: retained)

    @cached_property
    def retained(self) -> Dataset:
        """The dataset after."""
        return self.make()

    @cached_property
    def removed_users(self) -> Bools:
        """Bool [U] over original rows."""
        return inverse_index(self.user_rows, len(self.original.users)) < 0

    @cached_property
    def removed_items(self) -> Bools:
        """Bool [I] over original rows."""
        return inverse_index(self.item_rows, len(self.original.items)) < 0

    def single_pair_count(self) -> int:
        """How many pairs, of all splits, left between users and items that both stay."""
        pairs = self.original.interactions
        stay = ~self.removed_users[pairs.users] & ~self.removed_items[pairs.items]
        return int(stay.sum()) - len(self.retained.interactions)

    @cached_property
    def retained_pairs(self) -> Interactions:
        """The retained interactions of all splits, in original rows."""
        return self.retained.interactions.renumbered(self.user_rows, self.item_rows)

    def counts(self) -> dict[str, int]:
        """How much was taken out: users, items, interactions (training pairs), held-out pairs, modalities (features of
        items).
        """
        return {
            Target.USERS.value: int(self.removed_users.sum()),
            Target.ITEMS.value: int(self.removed_items.sum()),
            Target.INTERACTIONS.value: len(self.forgotten),
            "held_out": len(held_out(self.original)) - len(held_out(self.retained)),
            Target.MODALITIES.value: sum(int(mask.sum()) for mask in self.removed_features.values()),
        }

    def padded_dataset(self) -> Dataset:
        """The retained data in original rows, where what was removed stands as if it were new today.

        Removed users and items are there again without any interaction, and removed features are attached
        again: what a platform would hold if they came back and nothing was remembered. Everything retained
        is as in `retained`.
        """
        return self.original.with_interactions(self.retained_pairs)

    def placeholder_items(self) -> dict[str, Bools]:
        """Per modality of the original bool [I]: items whose features are attached only in `stand_in`."""
        nothing = np.zeros(len(self.original.items), dtype=bool)
        return {
            name: self.removed_items | self.removed_features.get(name, nothing) for name in self.original.modalities
        }


def targets_of(partition: Partition) -> frozenset[Target]:
    """What kinds of things were taken out; a pair counts as an interaction where its user and item both stay."""
    pairs = partition.forgotten
    single = ~partition.removed_users[pairs.users] & ~partition.removed_items[pairs.items]
    found = {
        Target.USERS: partition.removed_users.any(),
        Target.ITEMS: partition.removed_items.any(),
        Target.INTERACTIONS: single.any(),
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


def held_out(dataset: Dataset) -> Interactions:
    """Validation and test pairs."""
    return dataset.interactions.select(dataset.interactions.splits != Split.TRAIN)
