"""The rows that a request touched, faded, and what can be learned about them from the retained pairs around them."""

import numpy as np
import torch
from torch import Tensor, nn

from mmrecun.data.graph import GraphInputs, graph_of
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.triples import NegativeSampler, Triples
from mmrecun.models.base import Vectors
from mmrecun.shapes import Ints
from mmrecun.training.losses import bpr
from mmrecun.unlearning.base import Task, served_inputs, working_copy
from mmrecun.unlearning.fading import Kept, Side, faded, neighbourly

Rows = dict[nn.Parameter, Tensor]


class Touched:
    """A copy of the model in original rows, on the retained graph, of which the touched rows alone move.

    Args:
        task: as given.
        kept: of `kept_shares`.
        pairs: forgotten ones whose user and item both stay.
        batch_size: retained pairs a step.

    Attributes:
        model: its touched rows have faded; all else is as trained.
        inputs: what it reads.
        rows: of its tables that the request touched, int64 each.
        sides: whose rows each of those tables has.
        refitted: of `rows`, those that BPR refits.
        train: the retained training pairs.
        rng: of everything drawn.
    """

    def __init__(self, task: Task, kept: Kept, pairs: Interactions, batch_size: int) -> None:
        parts, original = task.parts, task.parts.original
        self.task, self.batch_size, self.rng = task, batch_size, task.seed.child("steps").numpy()
        self.inputs: GraphInputs = served_inputs(task)
        self.train = parts.held.part(Split.TRAIN)
        copy, told = working_copy(task), None
        ends: dict[Side, Ints] = {"users": np.unique(pairs.users), "items": np.flatnonzero(kept.items < 1)}
        if any(len(rows) for rows in ends.values()):
            graph = self.inputs.user_item or graph_of(self.train, len(original.users), len(original.items), task.device)
            told = neighbourly(copy, graph, ends)
        self.model = faded(copy, kept, task.seed.child("faded rows"), told)
        tables = self.model.tables().values()
        touched = {of: torch.from_numpy(np.flatnonzero(kept.touched(of))).to(task.device) for of in ("users", "items")}
        self.rows: Rows = {table.weight: touched[table.of] for table in tables if len(touched[table.of])}
        self.sides: dict[nn.Parameter, Side] = {table.weight: table.of for table in tables}
        self.refitted = self.rows_of("users") if self.inputs.user_item else self.rows
        near = kept.touched("users")[self.train.users] | kept.touched("items")[self.train.items]
        self._retained = self.train.select(near) if near.any() else self.train
        self._negatives = NegativeSampler(original.train, len(original.users), len(original.items), parts.item_rows)

    def rows_of(self, of: Side) -> Rows:
        """The touched rows of users or of items."""
        return {weight: rows for weight, rows in self.rows.items() if self.sides[weight] == of}

    def opened(self, rows: Rows) -> Rows:
        """`rows`, whose tables alone take gradients from now on."""
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter in rows)
        return rows

    def values(self, rows: Rows) -> list[Tensor]:
        """What `rows` hold now, as copies."""
        return [weight.detach()[chosen] for weight, chosen in rows.items()]

    @torch.no_grad()
    def back(self, rows: Rows, values: list[Tensor], share: float) -> None:
        """Move `rows` by a share of the way back to earlier values."""
        for (weight, chosen), value in zip(rows.items(), values, strict=True):
            weight[chosen] = torch.lerp(weight[chosen], value, share)

    def vectors(self) -> Vectors:
        """Of everybody."""
        return self.model.vectors(self.inputs)

    def side(self, of: Side) -> Tensor:
        """The vectors of all users or all items: float32 [N, D]; a model may save itself the others."""
        count = self.model.get_parameter(f"{of}.weight").shape[0]
        every, one = torch.arange(count, device=self.task.device), torch.zeros(count, dtype=torch.int64)
        one = one.to(self.task.device)
        triples = Triples(every, one, one) if of == "users" else Triples(one, every, one)
        rows = self.model.at(self.inputs, triples)
        return rows.users if of == "users" else rows.positives

    def loss(self) -> Tensor:
        """BPR on retained pairs."""
        return bpr(self.model.at(self.inputs, self.drawn()).margins())

    def drawn(self) -> Triples:
        """Retained pairs around the request, each with an item that its user never had."""
        count = len(self._retained)
        rows = (
            self.rng.permutation(count) if count <= self.batch_size else self.rng.integers(count, size=self.batch_size)
        )
        users, positives = self._retained.users[rows], self._retained.items[rows]
        return self.triples(users, positives, self._negatives.draw(users, self.rng))

    def triples(self, *columns: Ints) -> Triples:
        """Users, positives and negatives, where the model is."""
        return Triples(*(torch.from_numpy(column) for column in columns)).to(self.task.device)
