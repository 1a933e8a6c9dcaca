"""What reverse BPR pushes down until held-out positives stand as high: single pairs, and ties of those who left."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.matching import degrees, strata
from mmrecun.training.losses import bpr, reverse_bpr
from mmrecun.unlearning.fading import Side
from mmrecun.unlearning.standing import MOST_PAIRS, Compared, Contest, drawn
from mmrecun.unlearning.ties import Ties
from mmrecun.unlearning.touched import Rows, Touched

_ITEM_PACE = 0.5


class Pushed:
    """Something that may stand too high. A subclass says how it is found, and by what loss it comes down.

    Args:
        name: in messages.
        rate: learning rate of the pushing.
        margin: how far above 0.5 the AUC may end.
        contest: with held-out positives.
        rows: that may move.
        pace: table -> its share of the learning rate; 1 for those not named.

    Attributes:
        level: the AUC that it is pushed to.
        alike: the AUC up to which it is not pushed at all, since chance alone may have made the difference.
    """

    def __init__(
        self,
        name: str,
        rate: float,
        margin: float,
        contest: Contest,
        rows: Rows,
        pace: Mapping[nn.Parameter, float] | None = None,
    ) -> None:
        self.name, self.rate, self.contest, self.rows, self.pace = name, rate, contest, rows, pace
        self.level = 0.5 + margin
        self.alike = self.level + contest.chance()

    def look(self) -> tuple[float, int]:
        """Find what stands too high now: the AUC of all against held-out pairs, and how many were found."""
        raise NotImplementedError

    def loss(self) -> Tensor:
        """What brings down what was found; a scalar."""
        raise NotImplementedError


class PushedPairs(Pushed):
    """Forgotten pairs whose user and item both stay, in original rows; `weight` is that of their reverse BPR."""

    def __init__(self, work: Touched, pairs: Interactions, weight: float, rate: float, margin: float) -> None:
        parts = work.task.parts
        sizes = len(parts.original.users), len(parts.original.items)
        known, candidates = parts.original.train.matrix(*sizes), drawn(parts.item_rows, work.rng)
        degree = degrees(work.train, *sizes)
        controls = parts.held.part(Split.VALID).sample(MOST_PAIRS, work.rng)
        contest = Contest(
            Compared.of(pairs, candidates, known),
            Compared.of(controls, candidates, known),
            (strata(pairs, *degree), strata(controls, *degree)),
        )
        pace = dict.fromkeys(work.rows_of("items"), _ITEM_PACE)
        super().__init__("forgotten pairs", rate, margin, contest, work.rows, pace)
        self._work, self._weight = work, weight

    @torch.no_grad()
    def look(self) -> tuple[float, int]:
        """Those that outrank what held-out pairs of their stratum and quantile outrank."""
        vectors, pairs = self._work.vectors(), self.contest.forgotten.pairs
        pair = vectors.users, vectors.items
        found = self.contest.too_high(pair, pair)
        self._high = self._work.triples(pairs.users[found.places], pairs.items[found.places], found.rivals)
        return found.auc, len(found.places)

    def loss(self) -> Tensor:
        """BPR on retained pairs, and reverse BPR on what was found."""
        drawn = self._work.drawn()
        margins = self._work.model.at(self._work.inputs, drawn.joined(self._high)).margins()
        return bpr(margins[: len(drawn)]) + self._weight * reverse_bpr(margins[len(drawn) :])


class PushedTies(Pushed):
    """What the partners of those who left still know of each other."""

    def __init__(self, work: Touched, of: Side, rate: float, margin: float) -> None:
        self._work, self._of = work, of
        self._ties = Ties(work.task.parts, of, work.rng, work.task.device)
        super().__init__(f"ties between {of}", rate, margin, self._ties.contest, work.rows_of(of))

    @torch.no_grad()
    def look(self) -> tuple[float, int]:
        """Those that are stronger than held-out ones."""
        self._strong = self._ties.too_strong(self._work.side(self._of))
        return self._strong.auc, len(self._strong.places)

    def loss(self) -> Tensor:
        """Reverse BPR alone: retained pairs beside it made no difference."""
        return reverse_bpr(self._ties.margins(self._work.side(self._of), self._strong))
