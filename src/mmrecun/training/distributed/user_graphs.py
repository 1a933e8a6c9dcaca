"""Graphs of a part of the users, joined over processes: users are divided, and every process has all items.

Process r has users r, r + W, r + 2 W, and so on, and all items. In a hop it multiplies its own block of the graph, and
the messages from users to items are added up over processes. So vectors, loss and gradients of items are the same bits
on every process, and of users only the rows of a batch are sent. An all-reduce sends 2 (W - 1) / W times its bytes. A
step of L hops each way adds up 2 L tables of 4 I D bytes, and one of 4 B D bytes for each table of users that a batch
of B triples reads; none of these depends on the number of users.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.graph import GraphInputs, RequiredInputs, bipartite_adjacency, neighbour_graph, normalised_block
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_dataset import MappedDataset
from mmrecun.data.sparse import SparseMatrix, halves, product
from mmrecun.training.distributed.row_exchange import RowExchange, Shard

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class JoinedAdjacency(SparseMatrix):
    """The symmetric graph of U' users of this process and all items, [U' + I, U' + I].

    Attributes:
        users: U'.
        exchange: with the others.
    """

    users: int
    exchange: RowExchange

    def times(self, dense: Tensor) -> Tensor:
        """Return the product of the graph of all users; its rows of items are complete."""
        found = product(self.forward, dense)
        self.exchange.added(found[self.users :])
        return found


@dataclass(frozen=True)
class JoinedBlock(SparseMatrix):
    """The block [U', I] of that graph, whose gradient with respect to items is added up over processes."""

    exchange: RowExchange

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Return the product with `dense` float32 [I, D], differentiable in `dense`."""
        result: Tensor = _JoinedProduct.apply(self, dense)  # type: ignore[no-untyped-call]
        return result


class _JoinedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: JoinedBlock, dense: Tensor) -> Tensor:
        ctx.block = block
        return product(block.forward, dense)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, ctx.block.exchange.added(product(ctx.block.transposed, gradient))


class _RowsOfAll(torch.autograd.Function):
    """Rows of users of all processes. Each process has their whole gradient, and keeps that of its own users."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, users: Tensor, exchange: RowExchange) -> Tensor:
        shard = exchange.shard
        own = torch.from_numpy(shard.owns(users.numpy()))
        ctx.own, ctx.at, ctx.count = own, users[own] // shard.size, len(table)
        found = table.new_zeros(len(users), table.shape[1])
        found[own] = table[ctx.at]
        return exchange.added(found)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole = gradient.new_zeros(ctx.count, gradient.shape[1])
        return whole.index_add_(0, ctx.at, gradient[ctx.own]), None, None


@dataclass(frozen=True)
class JoinedInputs(GraphInputs):
    """Graphs of the users of this process, and features of all items.

    Attributes:
        exchange: with the others.
    """

    exchange: RowExchange = field(default_factory=lambda: RowExchange(Shard()))

    @cached_property
    def user_block(self) -> JoinedBlock | None:
        """The upper right block [U', I] of `user_item`."""
        if self.user_item is None:
            return None
        block = halves(self.user_item.forward, self.users)
        return JoinedBlock(block.forward, block.transposed, self.exchange)

    def rows_of_users(self, users: Tensor, table: Tensor) -> Tensor:
        """Return rows `users` (int64 [B], of all users) of a table whose rows of this process are `table` [U', D]."""
        if table.dtype == torch.bool:
            return self.rows_of_users(users, table.float()).bool()
        found: Tensor = _RowsOfAll.apply(table, users, self.exchange)  # type: ignore[no-untyped-call]
        return found


def joined_inputs(dataset: MappedDataset, required: RequiredInputs, exchange: RowExchange) -> JoinedInputs:
    """Build the graphs and features that `required` names, as `build_inputs`; every process builds those of items."""
    own, items = own_users(dataset, exchange), len(dataset.items)
    pairs = dataset.train.of_users(own, Split.TRAIN)
    block = normalised_block(pairs, len(own), items, dataset.train.item_degrees(items))
    whole = bipartite_adjacency(block, _CPU)
    item_graphs, features, present, user_present = {}, {}, {}, {}
    for name, modality in dataset.features.items() if required.features else ():
        values, there = modality.rows(np.arange(items)), np.array(modality.present, dtype=bool)
        reached = np.zeros(len(own), dtype=bool)
        reached[pairs.users[there[pairs.items]]] = True
        features[name], present[name], user_present[name] = map(torch.from_numpy, (values, there, reached))
        if required.neighbours:
            item_graphs[name] = SparseMatrix.of(neighbour_graph(values, there, there, required.neighbours), _CPU)
    graph = JoinedAdjacency(whole.forward, whole.transposed, len(own), exchange)
    return JoinedInputs(len(own), items, graph, item_graphs, features, present, user_present, exchange)


def own_users(dataset: MappedDataset, exchange: RowExchange) -> Ints:
    """Return the users of this process: int64 [U']."""
    return np.arange(exchange.shard.rank, len(dataset.users), exchange.shard.size)
