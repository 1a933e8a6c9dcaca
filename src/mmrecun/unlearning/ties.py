"""Ties: what the partners of those who left still know of each other.

A user who left has no row any more, but the items of that user were learned together, and somebody who knows some of
them is still told the others; likewise the users of an item. So of each partner the others are asked: the sum of their
vectors, whitened, is the *stand-in* of whoever left (the first step of a ridge regression on them). Forgotten pairs are
ranked by their stand-ins, and so are validation pairs, in which the partner was never among those who speak. The two
are alike, by popularity and by how many speak, when only what others taught is left.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.sparse import SparseMatrix
from mmrecun.evaluation.matching import strata
from mmrecun.shapes import Ints
from mmrecun.unlearning.fading import Side
from mmrecun.unlearning.standing import MOST_PAIRS, Compared, Contest, drawn

_RIDGE = 0.1


@dataclass(frozen=True)
class Speakers:
    """Who speaks in each of B pairs.

    Attributes:
        groups: [W, N], the partners of each somebody.
        whose: int64 [B], the group of each pair.
        asked: int64 [B], the partner asked about.
        among: whether that partner is in the group, and so has to keep silent.
    """

    groups: SparseMatrix
    whose: Tensor
    asked: Tensor
    among: bool

    @classmethod
    def of(cls, pairs: Interactions, known: sp.csr_array, among: bool, device: torch.device) -> Self:
        """The groups are rows of `known` [W', N]."""
        who, whose = np.unique(pairs.users, return_inverse=True)
        group, asked = (torch.from_numpy(rows.copy()).to(device) for rows in (whose, pairs.items))
        return cls(SparseMatrix.of(known[who], device), group, asked, among)

    def stand_ins(self, partners: Tensor, white: Tensor, places: Tensor | slice = slice(None)) -> Tensor:
        """Stand-ins of length one in the pairs at `places`, from vectors [N, D] and their whitener: float32 [B, D]."""
        spoken = (self.groups @ partners)[self.whose[places]]
        if self.among:
            spoken = spoken - partners[self.asked[places]]
        return normalize(spoken @ white, dim=1)


def whitener(vectors: Tensor) -> Tensor:
    """The inverse of the second moment of `vectors` [N, D], a tenth of its mean added to its diagonal; [D, D]."""
    wide = vectors.double()
    moment = wide.T @ wide / len(wide)
    ridge = _RIDGE * moment.diagonal().mean() * torch.eye(len(moment), dtype=wide.dtype, device=wide.device)
    inverse: Tensor = torch.linalg.inv(moment + ridge).to(vectors.dtype)
    return inverse


class Strong(NamedTuple):
    """Ties that are too strong.

    Attributes:
        places: int64 [H], which of all.
        rivals: int64 [H], for each the partner that stands where it should.
        whitener: float32 [D, D], of the vectors by which they were found.
        auc: of all against held-out ones.
    """

    places: Tensor
    rivals: Tensor
    whitener: Tensor
    auc: float


class Ties:
    """The ties that a request should loosen, and held-out ones to compare them with.

    Args:
        parts: whose users or items left.
        of: "items" for the partners of users who left, "users" for those of items.
        rng: draws candidates, and held-out pairs where there are many.
        device: of the vectors to come.

    Attributes:
        contest: of the two.
    """

    def __init__(self, parts: Partition, of: Side, rng: np.random.Generator, device: torch.device) -> None:
        forgotten, train, valid = parts.forgotten, parts.held.part(Split.TRAIN), parts.held.part(Split.VALID)
        gone, lost, rows = parts.lost_users, parts.lost_items, parts.item_rows
        if of == "users":
            forgotten, train, valid = forgotten.flipped(), train.flipped(), valid.flipped()
            gone, lost, rows = lost, gone, parts.user_rows
        forgotten = forgotten.select(gone[forgotten.users] & ~lost[forgotten.items])
        known = forgotten.matrix(len(gone), len(lost)) + train.matrix(len(gone), len(lost))
        speakers = np.diff(known.indptr)
        forgotten = forgotten.select(speakers[forgotten.users] > 1)
        valid = valid.select(speakers[valid.users] > 0).sample(MOST_PAIRS, rng)
        candidates = drawn(rows, rng)
        self.contest = Contest(
            Compared.of(_apart(forgotten), candidates, known[forgotten.users]),
            Compared.of(_apart(valid), candidates, known[valid.users]),
            _strata(forgotten, valid, speakers, np.bincount(train.items, minlength=len(lost))),
        )
        self._rows = torch.from_numpy(rows).to(device)
        self._forgotten = Speakers.of(forgotten, known, True, device)
        self._controls = Speakers.of(valid, known, False, device)

    def too_strong(self, partners: Tensor) -> Strong:
        """The forgotten ties that are stronger than held-out ones by these vectors [N, D]."""
        white = whitener(partners[self._rows])
        forgotten, controls = ((who.stand_ins(partners, white), partners) for who in (self._forgotten, self._controls))
        found = self.contest.too_high(forgotten, controls)
        places, rivals = (torch.from_numpy(rows).to(partners.device) for rows in (found.places, found.rivals))
        return Strong(places, rivals, white, found.auc)

    def margins(self, partners: Tensor, strong: Strong) -> Tensor:
        """Scores of ties minus those of their rivals, by stand-ins as long as `partners` [N, D] are; float32 [H].

        The partner asked about alone takes a gradient: were rivals lifted, or all who speak turned towards them, other
        ties would tighten.
        """
        fixed = partners.detach()
        stand_ins = fixed.norm(dim=1).mean() * self._forgotten.stand_ins(fixed, strong.whitener, strong.places)
        asked = partners[self._forgotten.asked[strong.places]]
        margins: Tensor = (stand_ins * (asked - fixed[strong.rivals])).sum(dim=1)
        return margins


def _apart(pairs: Interactions) -> Interactions:
    """Each pair with a row for itself."""
    return Interactions(np.arange(len(pairs)), pairs.items, pairs.splits)


def _strata(forgotten: Interactions, controls: Interactions, speakers: Ints, degree: Ints) -> tuple[Ints, Ints]:
    """By how many speak and how popular the partner asked about is."""
    number = np.concatenate([speakers[forgotten.users] - 1, speakers[controls.users]])
    items, splits = (
        np.concatenate([getattr(pairs, column) for pairs in (forgotten, controls)]) for column in ("items", "splits")
    )
    found = strata(Interactions(np.arange(len(number)), items, splits), number, degree)
    return found[: len(forgotten)], found[len(forgotten) :]
