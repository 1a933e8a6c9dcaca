"""Adam that updates only the rows of a batch, with the result of dense Adam over whole tables.

Dense Adam also moves a row without a gradient: its moments decay, and it drifts along the first of them. That drift
is known in advance, so it is applied when the row is next read: a step costs in proportion to the batch, not the
tables. A row last updated at step s that missed G steps has drifted by (Kingma and Ba, ICLR 2015, algorithm 1, with
gradients of zero)

    sum over j = 1..G of  lr / (1 - b1^(s+j)) * b1^j m / (sqrt(b2^j v / (1 - b2^(s+j))) + eps).

Apart from `b1^j`, a term changes with j by less than a thousandth a step once the bias corrections have settled. So
the sum is a Gauss quadrature with the weights b1^j: three nodes replace hundreds of steps, with an error below 1e-8
of the sum. Before that (s below `_SETTLED`) every term is added. Terms from j = `_FORGOTTEN` on are below 1e-9 of the
first.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Doubles, Ints

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # those of torch.optim.Adam
_FORGOTTEN = 200  # missed steps after which the first moment is negligible
_SETTLED = 200  # steps after which both bias corrections are smooth
_NODES = 3
_BLOCK = 1 << 14  # rows that are caught up at a time


@dataclass(frozen=True)
class RowStates:
    """Rows with their moments, in memory or in mapped files.

    Attributes:
        records: float32 [N, 3, D]: of each row its values and its first and second moment, side by side, so that one
            page of a file holds all that a step reads of it.
        last: int32 [N], the step at which each row was last used; 0 for never.
    """

    records: np.ndarray
    last: np.ndarray


class RowAdam:
    """Adam over the rows of some tables, each given by name, that are used by a batch.

    Args:
        tables: their rows.
        learning_rate: learning rate of Adam.

    Attributes:
        steps: taken so far; raised before the rows of a step are moved.
    """

    def __init__(self, tables: dict[str, RowStates], learning_rate: float, steps: int = 0) -> None:
        self.tables, self.steps, self._rate = tables, steps, learning_rate

    def rows(self, name: str, at: Ints) -> Tensor:
        """Return rows `at` (int64 [K]) of a table as dense Adam would have them now: float32 [K, D], a copy."""
        return self.states(name, at)[:, 0].clone()

    def states(self, name: str, at: Ints) -> Tensor:
        """Return values and moments of rows `at`, caught up with all steps taken: float32 [K, 3, D], a copy."""
        table = self.tables[name]
        state, last = torch.from_numpy(table.records[at]), np.asarray(table.last[at], dtype=np.int64)
        behind = np.flatnonzero((last > 0) & (last < self.steps))
        for start in range(0, len(behind), _BLOCK):
            chosen = behind[start : start + _BLOCK]
            late, since = state[torch.from_numpy(chosen)], last[chosen]
            catch_up(late, since, self.steps - since, self._rate)
            state[torch.from_numpy(chosen)] = late
        return state

    def move(self, name: str, at: Ints, state: Tensor, gradient: Tensor) -> None:
        """Move rows `at` (distinct) by the gradients of the step that `steps` counts last.

        Args:
            name: name of the table.
            at: int64 [K].
            state: float32 [K, 3, D], of `states` before that step; changed in place.
            gradient: float32 [K, D].
        """
        first, second = _BETAS
        values, mean, square = state.unbind(1)
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        bias, spread = 1 - first**self.steps, (1 - second**self.steps) ** 0.5
        values.addcdiv_(mean, (square.sqrt() / spread).add_(_EPSILON), value=-self._rate / bias)
        table = self.tables[name]
        table.records[at] = state.numpy()
        table.last[at] = self.steps


def catch_up(state: Tensor, last: Ints, missed: Ints, rate: float) -> None:
    """Make up for steps without a gradient, in place.

    Args:
        state: float32 [K, 3, D], values and moments.
        last: int64 [K], step at which each row was last used, from 1.
        missed: int64 [K], steps since, from 1.
        rate: Adam's learning rate.
    """
    settled = last >= _SETTLED
    for rows, early in ((np.flatnonzero(settled), False), (np.flatnonzero(~settled), True)):
        if not len(rows):
            continue
        places = torch.from_numpy(rows)
        part, nodes, weights = state[places], *_quadrature(last[rows], missed[rows], early)
        _drift(part, last[rows, None] + nodes, nodes, rate * weights)
        for moment, beta in zip((1, 2), _BETAS, strict=True):
            part[:, moment] *= torch.from_numpy((beta ** missed[rows].astype(np.float64)).astype(np.float32))[:, None]
        state[places] = part


def _quadrature(last: Ints, missed: Ints, early: bool) -> tuple[Doubles, Doubles]:
    """Return nodes j and their weights, bias correction of the first moment included: float64 [K, Q] each."""
    if not early:
        nodes, weights = _gauss_nodes()
        which = np.minimum(missed, _FORGOTTEN)
        return nodes[which], weights[which]
    steps = np.arange(1, min(int(missed.max()), _FORGOTTEN) + 1)
    weights = _BETAS[0] ** steps / (1 - _BETAS[0] ** (last[:, None] + steps))
    return np.broadcast_to(steps.astype(np.float64), weights.shape), np.where(steps <= missed[:, None], weights, 0.0)


def _drift(state: Tensor, steps: Doubles, nodes: Doubles, weights: Doubles) -> None:
    """Move values [K, D] by the sum over Q nodes, in place."""
    second = _BETAS[1]
    spread = second ** (nodes / 2) / np.sqrt(1 - second**steps)
    factors, shares = (torch.from_numpy(each.astype(np.float32)) for each in (spread, weights))
    values, mean, root = state[:, 0], state[:, 1], state[:, 2].sqrt()
    total = torch.zeros_like(root)
    for node in range(nodes.shape[1]):
        total += shares[:, node, None] / (root * factors[:, node, None]).add_(_EPSILON)
    values -= total.mul_(mean)


@cache
def _gauss_nodes() -> tuple[Doubles, Doubles]:
    """Return nodes and weights of the Gauss quadrature for weights b1^j on j = 1..G, by G: float64 [_FORGOTTEN + 1, Q].

    By Golub and Welsch (1969): eigenvalues of the Jacobi matrix that Lanczos makes of diag(1..G). Up to Q steps are
    added as they are.
    """
    nodes, weights = np.ones((_FORGOTTEN + 1, _NODES)), np.zeros((_FORGOTTEN + 1, _NODES))
    for count in range(1, _FORGOTTEN + 1):
        steps = np.arange(1.0, count + 1)
        masses = _BETAS[0] ** steps
        if count <= _NODES:
            nodes[count, :count], weights[count, :count] = steps, masses
            continue
        diagonal, beside = _lanczos(steps, np.sqrt(masses / masses.sum()), _NODES)
        places, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        nodes[count], weights[count] = places, masses.sum() * vectors[0] ** 2
    return nodes, weights


def _lanczos(values: Doubles, start: Doubles, size: int) -> tuple[Doubles, Doubles]:
    """Return diagonal [size] and off-diagonal [size - 1] of the tridiagonal form of diag(values).

    It begins at `start`, a unit vector.
    """
    basis, diagonal, beside = [start], [], []
    for _ in range(size):
        image = values * basis[-1]
        diagonal.append(basis[-1] @ image)
        for vector in basis:  # against all: loss of orthogonality is what Lanczos suffers from
            image = image - (vector @ image) * vector
        beside.append(np.linalg.norm(image))
        basis.append(image / beside[-1])
    return np.array(diagonal), np.array(beside[:-1])
