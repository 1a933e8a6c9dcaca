"""Tables with rows on several processes: a step sends the rows of its batch and their gradients, and nothing else.

Row r is on process r mod W, which spreads popular rows at one end of a table. For a step, a process requests the
distinct rows of its share of the batch from their owners, and returns their gradients; the owners add these up in
the order of processes and update the rows. With T rows requested from others, a process sends 8 T bytes of row
numbers and, as the owner of as many, 4 T D bytes of rows and 4 T D of gradients: linear in batch and width, whatever
the number of users.

Rows are read from mapped files, so they are sent from host memory by gloo, even on machines with GPUs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.training.distributed.row_adam import RowAdam


@dataclass(frozen=True)
class Shard:
    """The number of this process among W.

    Attributes:
        rank: from 0 to W - 1.
        size: W; 1 for a process alone, which needs no process group.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> "Shard":
        """Return the place of this process in the process group that it has joined."""
        return cls(dist.get_rank(), dist.get_world_size())

    def count(self, rows: int) -> int:
        """Return how many of `rows` rows are on this process."""
        return len(range(self.rank, rows, self.size))

    def owns(self, rows: Ints) -> Bools:
        """Say for each row, int64 [K], whether it is on this process: bool [K]."""
        found: Bools = rows % self.size == self.rank
        return found

    def part_of(self, start: int, block: Tensor) -> tuple[int, Tensor]:
        """Select from a block of consecutive rows those of this process.

        Args:
            start: number of the first row of the block.
            block: [B, D].

        Returns:
            The index of the first selected row among those of this process, and the selected rows.
        """
        return -(-(start - self.rank) // self.size), block[(self.rank - start) % self.size :: self.size]


@dataclass(frozen=True)
class Asked:
    """A request for rows, and the requests of the other processes at the same step.

    Attributes:
        order: int64 [K], index into the rows requested by this process of each row that comes back.
        to_each: number of them owned by each process.
        wanted: int64 [M], rows of this process that others, or it itself, requested; sorted by requesting process.
        from_each: number of them for each process.
    """

    order: Ints
    to_each: list[int]
    wanted: Ints
    from_each: list[int]


class RowExchange:
    """Exchange of rows with the other processes, which must all make the same calls in the same order.

    Args:
        shard: number of this process, and of all.

    Attributes:
        sent: bytes sent to other processes; a sum over processes counts as in a ring.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard, self.sent = shard, 0

    def ask(self, rows: Ints) -> Asked:
        """Send a request for `rows` (distinct, int64 [K]) to their owners."""
        owners = rows % self.shard.size
        order = np.argsort(owners, kind="stable")
        to_each = np.bincount(owners, minlength=self.shard.size)
        from_each = self._swapped(torch.from_numpy(to_each), [1] * self.shard.size, [1] * self.shard.size)
        counts = to_each.tolist(), from_each.tolist()
        wanted = self._swapped(torch.from_numpy(rows[order]), *counts)
        return Asked(order, counts[0], wanted.numpy(), counts[1])

    def answer(self, asked: Asked, values: Tensor) -> Tensor:
        """Send the wanted rows, float32 [M, D], to those who requested them; return the rows requested here: [K, D]."""
        found = self._swapped(values, asked.from_each, asked.to_each)
        answer = torch.empty_like(found)
        answer[torch.from_numpy(asked.order)] = found
        return answer

    def give_back(self, asked: Asked, values: Tensor) -> Tensor:
        """Send values of the requested rows, float32 [K, D], to their owners; return those of the wanted: [M, D]."""
        return self._swapped(values[torch.from_numpy(asked.order)], asked.to_each, asked.from_each)

    def total(self, *numbers: float) -> list[float]:
        """Add up numbers over all processes."""
        if self.shard.size == 1:
            return list(numbers)
        whole = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(whole)
        return whole.tolist()

    def added(self, values: Tensor) -> Tensor:
        """Add up tensors of one shape over all processes, in place; each gets the same bits."""
        if self.shard.size > 1:
            self.sent += 2 * values.element_size() * values.numel() * (self.shard.size - 1) // self.shard.size
            dist.all_reduce(values)
        return values

    def _swapped(self, values: Tensor, sends: list[int], takes: list[int]) -> Tensor:
        """Send `sends[p]` of `values` to each process p, in order, and return what each sent, in order."""
        if self.shard.size == 1:
            return values
        row = values.element_size() * values[:1].numel() if len(values) else 0
        self.sent += row * (len(values) - sends[self.shard.rank])
        found = values.new_empty((sum(takes), *values.shape[1:]))
        dist.all_to_all_single(found, values.contiguous(), takes, sends)
        return found


class SharedRows:
    """Adam over tables with rows on several processes; each process updates its own rows by `RowAdam`.

    Args:
        adam: optimiser of the rows of this process; row r of a table is its row r div W.
        exchange: exchange with the others.
    """

    def __init__(self, adam: RowAdam, exchange: RowExchange) -> None:
        self.adam, self.exchange = adam, exchange

    def own(self, name: str, rows: Ints) -> Tensor:
        """Return the present values of rows of this process (int64 [K]): float32 [K, D], without communication."""
        return self.adam.rows(name, rows // self.exchange.shard.size)

    def rows(self, name: str, rows: Ints) -> Tensor:
        """Return rows of any process (distinct, int64 [K]): float32 [K, D]. All processes must call it together."""
        asked = self.exchange.ask(rows)
        return self.exchange.answer(asked, self.own(name, asked.wanted))

    def step(
        self, at: dict[str, Ints], loss_of: Callable[[dict[str, Tensor]], Tensor], whole: Sequence[str] = ()
    ) -> Tensor:
        """Take one step on the rows that the losses of all processes read, for the sum of these losses.

        Args:
            at: table -> distinct rows, int64 [K], that the loss of this process reads.
            loss_of: computes the loss of this process, a scalar, from these rows, float32 [K, D] each.
            whole: further small tables, held by every process, of which the loss reads all rows.

        Returns:
            The loss of this process, detached.
        """
        size = self.exchange.shard.size
        asked = {name: self.exchange.ask(rows) for name, rows in at.items()}
        wanted = {name: np.unique(each.wanted // size, return_inverse=True) for name, each in asked.items()}
        states = {name: self.adam.states(name, rows) for name, (rows, _) in wanted.items()}
        leaves = {
            name: self.exchange.answer(asked[name], states[name][:, 0][torch.from_numpy(places)]).requires_grad_()
            for name, (_, places) in wanted.items()
        }
        everywhere = {name: self.adam.states(name, np.arange(len(self.adam.tables[name].last))) for name in whole}
        leaves |= {name: each[:, 0].clone().requires_grad_() for name, each in everywhere.items()}
        loss = loss_of(leaves)
        gradients = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
        self.adam.steps += 1
        for name, each in everywhere.items():
            self.adam.move(name, np.arange(len(each)), each, self.exchange.added(gradients[name]))
        for name, (rows, places) in wanted.items():
            parts = self.exchange.give_back(asked[name], gradients[name])
            # on a CPU, rows that occur again are added one after another, so the order of processes decides the bits
            gradient = parts.new_zeros(len(rows), parts.shape[1]).index_add_(0, torch.from_numpy(places), parts)
            self.adam.move(name, rows, states[name], gradient)
        return loss.detach()
