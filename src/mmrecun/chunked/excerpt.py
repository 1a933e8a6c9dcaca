"""An excerpt of a run in chunks: some users and items in memory, so that they are ranked as those of any other run.

Removed users and items, whose rows are blank, are left out.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from mmrecun.arrays import Ints
from mmrecun.chunked.run import MappedRun
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.models.base import Sizes, UserItemVectors
from mmrecun.models.bprmf import BPRMF, BPRMFConfig


@dataclass(frozen=True)
class Excerpt:
    """Some users of a run in chunks with their pairs, and some items; rows are those of the excerpt.

    Attributes:
        run: the run.
        user_rows, item_rows: int64 [M] and [I'], the rows in the run, ascending; the items of all pairs are among them.
    """

    run: MappedRun
    user_rows: Ints
    item_rows: Ints

    @cached_property
    def interactions(self) -> Interactions:
        """The pairs of the users, in all splits."""
        found = self.run.interactions(self.user_rows, *Split)
        items = inverse_index(self.item_rows, self.run.size("items"))[found.items]
        return Interactions(found.users, items, found.splits)

    @cached_property
    def vectors(self) -> UserItemVectors:
        """The vectors, float32 [M, D] and [I', D]."""
        return self.run.vectors("users", self.user_rows), self.run.vectors("items", self.item_rows)

    @cached_property
    def dataset(self) -> Dataset:
        """The users, items and pairs as a dataset, without attributes and features, which a run in chunks lacks."""
        users, items = (self.run.names(side, rows) for side, rows in self._sides)
        name = self.run.manifest.dataset_name
        return Dataset(name, IdMap.of("user", users), IdMap.of("item", items), self.interactions)

    @cached_property
    def model(self) -> BPRMF:
        """A model of the same scores."""
        users, items = self.vectors
        model = BPRMF(BPRMFConfig(dim=users.shape[1]), Sizes(users=len(users), items=len(items)), None)
        with torch.no_grad():
            model.users.weight.copy_(users)
            model.items.weight.copy_(items)
        return model

    @property
    def _sides(self) -> tuple[tuple[str, Ints], tuple[str, Ints]]:
        return ("users", self.user_rows), ("items", self.item_rows)
