"""The values that a training begins with, drawn in blocks and in the order in which a model in memory draws them."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from mmrecun.models.base import EmbeddingTable

_BLOCK = 1 << 16


def initial_rows(
    shapes: Mapping[str, tuple[int, ...]],
    tables: Mapping[str, EmbeddingTable],
    rows: Mapping[str, int],
    rng: torch.Generator,
) -> Iterator[tuple[str, int, Tensor]]:
    """Yield the values of every parameter, in blocks of rows: its name, the number of the first row, and the rows.

    They are, bit for bit, those of a model that is built with `rng`: tables and weights are Glorot-uniform (Glorot and
    Bengio 2010). What is zero is left out.

    Args:
        shapes: shape of every parameter, in the order of the model's own; of a table only the width matters.
        tables: those of them that are tables.
        rows: "users" and "items" -> U and I.
        rng: on the CPU.
    """
    for name, shape in shapes.items():
        if name not in tables:
            if len(shape) > 1:
                yield name, 0, torch.nn.init.xavier_uniform_(torch.empty(shape), generator=rng)
        elif not tables[name].zeros:
            count, width = rows[tables[name].side], shape[1]
            bound = math.sqrt(3.0) * math.sqrt(2.0 / (count + width))  # as torch rounds it
            for start in range(0, count, _BLOCK):
                block = torch.empty(min(_BLOCK, count - start), width)
                yield name, start, block.uniform_(-bound, bound, generator=rng)
