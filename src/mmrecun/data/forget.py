"""Forget requests, and the retain and forget sets they define: pure functions of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from mmrecun.data.dataset import Dataset, positions
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import DataError, ForgetError, some
from mmrecun.settings import Settings, unknown_name
from mmrecun.shapes import Bools, Ints


class Target(StrEnum):
    """What a request takes out."""

    USERS = "users"
    ITEMS = "items"
    INTERACTIONS = "interactions"
    MODALITIES = "modalities"


class ForgetRequest(Settings):
    """What is to be forgotten, by external id.

    Attributes:
        users: these users and all their interactions.
        items: these items, their interactions and their features.
        pairs: single (user, item) interactions.
        modalities: modality name -> the items that lose it, or None for the modality as a whole.
    """

    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    modalities: Mapping[str, tuple[str, ...] | None] = {}

    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.users or self.items or self.pairs or self.modalities)


def retain(dataset: Dataset, request: ForgetRequest) -> Dataset:
    """The dataset without everything the request names.

    Raises:
        ForgetError: when an id, a pair or a modality is not there, or nothing would be left.
    """
    if request.empty():
        raise ForgetError("the request is empty: name users, items, pairs or modalities")
    kept_users = _others(_rows(dataset.users, request.users), len(dataset.users))
    kept_items = _others(_rows(dataset.items, request.items), len(dataset.items))
    pairs = dataset.interactions
    if request.pairs:
        pairs = pairs.select(~_requested_pairs(dataset, request.pairs))
    modalities = dict(dataset.modalities)
    for name, names in request.modalities.items():
        if name not in modalities:
            raise ForgetError(unknown_name("modality", name, list(modalities)))
        if names is None:
            del modalities[name]
        else:
            modalities[name] = modalities[name].without(_carriers(dataset, name, names))
    try:
        return replace(dataset, interactions=pairs, modalities=modalities).restrict(kept_users, kept_items)
    except DataError:
        raise ForgetError("the request leaves no training interaction; nothing could be recommended any more") from None


def _rows(ids: IdMap, names: tuple[str, ...]) -> Ints:
    try:
        return np.unique(ids.rows(names))
    except DataError as error:
        raise ForgetError(str(error)) from None


def _others(rows: Ints, size: int) -> Ints:
    kept = np.ones(size, dtype=bool)
    kept[rows] = False
    return np.flatnonzero(kept)


def _requested_pairs(dataset: Dataset, pairs: tuple[tuple[str, str], ...]) -> Bools:
    users = dataset.users.find(user for user, _ in pairs)
    items = dataset.items.find(item for _, item in pairs)
    there = (users >= 0) & (items >= 0) & dataset.interactions.contains(users, items, len(dataset.items))
    if not there.all():
        missing = [f"({user}, {item})" for (user, item), known in zip(pairs, there, strict=True) if not known]
        raise ForgetError(f"no such interaction in '{dataset.name}': {some(missing)}")
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
        original, retained: before and after.
        user_rows: int64 [U'], the original row of each retained user.
        item_rows: int64 [I'], the original row of each retained item.
    """

    original: Dataset
    retained: Dataset
    user_rows: Ints
    item_rows: Ints

    @cached_property
    def lost_users(self) -> Bools:
        """Bool [U] over original rows."""
        return positions(self.user_rows, len(self.original.users)) < 0

    @cached_property
    def lost_items(self) -> Bools:
        """Bool [I] over original rows."""
        return positions(self.item_rows, len(self.original.items)) < 0

    @cached_property
    def held(self) -> Interactions:
        """The retained interactions of all splits, in original rows."""
        return self.retained.interactions.renumbered(self.user_rows, self.item_rows)

    @cached_property
    def forgotten(self) -> Interactions:
        """The training pairs that were taken out, in original rows."""
        train, held = self.original.train, self.held
        return train.select(~held.contains(train.users, train.items, len(self.original.items)))

    @cached_property
    def lost_features(self) -> dict[str, Bools]:
        """Per modality bool [I] over original rows: retained items that lost it; only modalities that lost some."""
        lost: dict[str, Bools] = {}
        for name, modality in self.original.modalities.items():
            kept = np.zeros(len(self.original.items), dtype=bool)
            if name in self.retained.modalities:
                kept[self.item_rows] = self.retained.modalities[name].present
            gone = modality.present & ~kept & ~self.lost_items
            if gone.any():
                lost[name] = gone
        return lost

    def counts(self) -> dict[str, int]:
        """How much was taken out: users, items, interactions (training pairs), modalities (features of items)."""
        return {
            Target.USERS.value: int(self.lost_users.sum()),
            Target.ITEMS.value: int(self.lost_items.sum()),
            Target.INTERACTIONS.value: len(self.forgotten),
            Target.MODALITIES.value: sum(int(mask.sum()) for mask in self.lost_features.values()),
        }

    def stand_in(self) -> Dataset:
        """The retained data in original rows, where what was removed stands as if it were new today.

        Removed users and items are there again without any interaction, and removed features are attached
        again: what a platform would hold if they came back and nothing was remembered. Everything retained
        is as in `retained`.
        """
        return self.original.with_interactions(self.held)

    def newcomers(self) -> dict[str, Bools]:
        """Per modality of the original bool [I]: items whose features are attached only in `stand_in`."""
        nothing = np.zeros(len(self.original.items), dtype=bool)
        return {name: self.lost_items | self.lost_features.get(name, nothing) for name in self.original.modalities}


def partition(original: Dataset, retained: Dataset) -> Partition:
    """What `retained` kept of `original`, matched by id.

    Raises:
        DataError: when `retained` holds users, items or pairs that `original` lacks.
    """
    parts = Partition(
        original,
        retained,
        original.users.rows(retained.users.names),
        original.items.rows(retained.items.names),
    )
    held, whole = parts.held, original.interactions
    if not whole.contains(held.users, held.items, len(original.items)).all():
        raise DataError(f"'{retained.name}' holds interactions that '{original.name}' does not")
    return parts


def held_out(dataset: Dataset) -> Interactions:
    """Validation and test pairs."""
    return dataset.interactions.select(dataset.interactions.splits != Split.TRAIN)
