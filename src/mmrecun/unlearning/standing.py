"""Where pairs stand among items drawn for comparison, and where they would stand if nobody had learned them.

Forgotten pairs are exchangeable with held-out positives of equal popularity, but for what the model remembers of them.
So the standing of held-out pairs says, without any Gold, how high a forgotten pair may still rank: the k-th best of the
forgotten ones as high as the same quantile of the held-out ones, within each stratum of popularity.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.matching import matched, stratified_auc
from mmrecun.models.base import Pair
from mmrecun.shapes import Floats, Ints

Shares = npt.NDArray[np.float64]
MOST_PAIRS, CANDIDATES = 4096, 1024


@dataclass(frozen=True)
class Compared:
    """Pairs, and the candidates each is compared with; items that a user ever had do not count for that user.

    Attributes:
        pairs: B of them.
        items: int64 [C], rows of the candidates.
        hidden: sparse [B, C], whose entries do not count.
    """

    pairs: Interactions
    items: Ints
    hidden: sp.csr_array

    @classmethod
    def of(cls, pairs: Interactions, items: Ints, known: sp.csr_array) -> Self:
        """Compare `pairs` with `items` but for what their users had, the entries of `known` [U, I]."""
        own = Interactions(np.arange(len(pairs)), pairs.items, pairs.splits).matrix(len(pairs), known.shape[1])
        return cls(pairs, items, sp.csr_array((known[pairs.users] + own)[:, items]))

    def scores(self, vectors: Pair, at: Ints) -> tuple[Floats, Floats]:
        """Of the pairs `at`, int64 [A]: their own float32 [A], their users' scores of the candidates float32 [A, C].

        What does not count is -inf among the latter.
        """
        users, items = vectors
        rows = users[torch.from_numpy(self.pairs.users[at]).to(users.device)]
        own = (rows * items[torch.from_numpy(self.pairs.items[at]).to(items.device)]).sum(dim=1)
        others: Floats = (rows @ items[torch.from_numpy(self.items).to(items.device)].T).cpu().numpy()
        others[self.hidden[at].nonzero()] = -np.inf
        return own.cpu().numpy(), others

    def standing(self, vectors: Pair) -> Floats:
        """Of all pairs: float32 [B]; few scores are held at a time."""
        found = [standing(*self.scores(vectors, at), self._number(at)) for at in _blocks(np.arange(len(self.pairs)))]
        return np.concatenate([np.empty(0, dtype=np.float32), *found])

    def rivals(self, vectors: Pair, at: Ints, wanted: Shares) -> Ints:
        """For the pairs `at`, int64 [A], the items of theirs that stand at `wanted` [A]: int64 [A]."""
        found = [
            at_standing(self.scores(vectors, block)[1], self._number(block), shares)
            for block, shares in zip(_blocks(at), _blocks(wanted), strict=True)
        ]
        rivals: Ints = self.items[np.concatenate([np.empty(0, dtype=np.int64), *found])]
        return rivals

    def _number(self, at: Ints) -> Ints:
        """How many candidates of the pairs `at` count: int64 [A]."""
        number: Ints = len(self.items) - np.diff(self.hidden.indptr)[at]
        return number


def _blocks(rows: Any) -> list[Any]:
    """An array in pieces of 4096."""
    return [rows[start : start + MOST_PAIRS] for start in range(0, len(rows), MOST_PAIRS)]


def standing(own: Floats, others: Floats, number: Ints) -> Floats:
    """Share of the candidates that count which each pair outranks, ties half; float32 [B], 0.5 where none counts.

    >>> standing(np.float32([2]), np.float32([[1, 3, 2, -np.inf]]), np.array([3])).tolist()
    [0.5]

    Args:
        own: float32 [B], scores of the pairs.
        others: float32 [B, C], of the candidates, -inf where they do not count.
        number: int64 [B], how many of each row count.
    """
    below, not_above = (np.count_nonzero(compare(others, own[:, None]), axis=1) for compare in (np.less, np.less_equal))
    outranked = (below + not_above) / 2 - (others.shape[1] - number)
    return np.where(number > 0, outranked / np.maximum(number, 1), 0.5).astype(np.float32)


def unlearned_standing(forgotten: Floats, strata: Ints, controls: Floats, control_strata: Ints) -> Shares:
    """Where each forgotten pair would stand had nobody learned it: the controls' quantile at its rank, by stratum.

    >>> unlearned_standing(np.array([0.9, 0.8]), np.zeros(2), np.array([0.25, 0.5, 0.75]), np.zeros(3)).tolist()
    [0.625, 0.375]

    Args:
        forgotten, controls: float32 [B] and [M], M at least 1.
        strata, control_strata: int64 [B] and [M], of `evaluation.matching.strata`.

    Returns:
        float64 [B].
    """
    targets = np.empty(len(forgotten))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        rivals = controls[matched(stratum, control_strata)]
        order = inside[np.argsort(forgotten[inside], kind="stable")]
        targets[order] = np.quantile(rivals, (np.arange(len(inside)) + 0.5) / len(inside))
    return targets


def at_standing(others: Floats, number: Ints, wanted: Shares) -> Ints:
    """The candidate of each row that stands where a pair should: int64 [B], columns of `others`.

    The lowest-scored of the candidates that count which outranks the share `wanted` [B] of them, or the best one;
    `others` and `number` are as for `standing`.
    """
    rank = np.minimum((wanted * number).astype(np.int64), np.maximum(number - 1, 0))
    place = np.minimum(others.shape[1] - number + rank, others.shape[1] - 1)
    score = np.take_along_axis(np.sort(others, axis=1), place[:, None], axis=1)
    columns: Ints = (others == score).argmax(axis=1)
    return columns


class TooHigh(NamedTuple):
    """Forgotten pairs that stand higher than held-out ones.

    Attributes:
        places: int64 [H], which of the B they are.
        rivals: int64 [H], for each the item that stands where it should.
        auc: of all forgotten pairs against held-out ones of their strata.
    """

    places: Ints
    rivals: Ints
    auc: float


@dataclass(frozen=True)
class Contest:
    """Forgotten pairs against held-out positives that are as popular.

    Attributes:
        forgotten, controls: B and M pairs among the same candidates.
        strata: int64 [B] and [M].
    """

    forgotten: Compared
    controls: Compared
    strata: tuple[Ints, Ints]

    def too_high(self, forgotten: Pair, controls: Pair) -> TooHigh:
        """Who stands too high by these vectors, those of the forgotten pairs' users and items and of the controls'."""
        places, held = self.forgotten.standing(forgotten), self.controls.standing(controls)
        wanted = unlearned_standing(places, self.strata[0], held, self.strata[1])
        high = np.flatnonzero(places > wanted + 1 / len(self.forgotten.items))
        auc = stratified_auc(places, self.strata[0], held, self.strata[1])
        assert auc is not None
        return TooHigh(high, self.forgotten.rivals(forgotten, high, wanted[high]), auc)

    @property
    def comparable(self) -> bool:
        """Whether there is a pair on either side."""
        return len(self.forgotten.pairs) > 0 and len(self.controls.pairs) > 0

    def chance(self) -> float:
        """The AUC's standard error were the two alike."""
        return chance(len(self.forgotten.pairs), len(self.controls.pairs))


def chance(forgotten: int, controls: int) -> float:
    """Standard error of an AUC between two like groups of these sizes (Mann and Whitney, 1947).

    >>> round(chance(100, 100), 3)
    0.041
    """
    return float(np.sqrt((forgotten + controls + 1) / max(12 * forgotten * controls, 1)))


def drawn(rows: Ints, rng: np.random.Generator) -> Ints:
    """1024 of `rows` at random, or all where there are fewer: the candidates."""
    found: Ints = rng.permutation(rows)[:CANDIDATES]
    return found
