"""The stationary point at which training leaves a row: its gradient, a decay, and a remainder.

At the end of a training g + decay * row = rest, where g is the gradient of the loss over all pairs by the row (see
`expected_loss`). The decay combines the regulariser and early stopping. It depends closely on the degree, so it is
estimated from rows of the same degree. The rest is what they leave: noise of the negatives that were drawn and, where
items share features or graphs join rows, a part of what neighbours taught the row.

Without the forgotten pairs a row would be in balance with its retained ones, with the decay of a row of its new degree
and the noise of fewer pairs.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.arrays import Ints
from mmrecun.settings import Settings

Decays = npt.NDArray[np.float64]
_STRATA, _FEWEST = 12, 4
_LEAST_DECAY = 1e-3
_TINY = 1e-9
_FIXED = 1e4  # a decay so large that a row does not move


class RowsAndGradient(NamedTuple):
    """Products of R rows and their gradients: float64 [R] all.

    Attributes:
        along: inner product of rows and -gradient.
        square: squared length of the rows.
        of_gradient: squared length of the gradient.
    """

    along: Decays
    square: Decays
    of_gradient: Decays

    @classmethod
    def of(cls, rows: Tensor, gradient: Tensor) -> Self:
        """Compare rows with their gradient, float32 [R, D] both; one array is read back."""
        pairs = (rows, -gradient), (rows, rows), (gradient, gradient)
        return cls(*torch.stack([(one * other).sum(dim=1) for one, other in pairs]).cpu().double().numpy())

    def mean_cosine(self, degree: Ints) -> float:
        """Compute the mean cosine between rows and -gradient; rows of `degree` 0 do not count.

        For rows of one number, such as biases, it is how much more often their signs agree than not.
        """
        with np.errstate(invalid="ignore"):  # rows that overflow have none; they are found out when they move
            cosine = np.nan_to_num(self.along / np.sqrt(np.maximum(self.square * self.of_gradient, _TINY**4)))
        return float(cosine[degree > 0].mean()) if (degree > 0).any() else 0.0

    def decay(self) -> Decays:
        """Return the decay that balances each row with its gradient best; float64 [R]."""
        with np.errstate(invalid="ignore"):
            found: Decays = self.along / np.maximum(self.square, _TINY)
        return found


def share_left(before: Tensor, after: Tensor) -> Tensor:
    """Compute the share of each row's gradient `before` [R, D] that remains `after` a request: float32 [R, 1].

    It is 1 for a row that had none, as a user without a pair.
    """
    along, square = (before * after).sum(dim=1, keepdim=True), before.square().sum(dim=1, keepdim=True)
    return torch.where(square > 0, along / square.clamp(min=_TINY), 1.0).clamp(0, 1)


def pairs_kept(before: Ints, after: Ints, like: Tensor) -> Tensor:
    """Compute the share of its pairs that each row keeps, from degrees [R]: [R, 1] of the type and device of `like`.

    It is 1 for a row that had none.
    """
    return _column(np.where(before > 0, after / np.maximum(before, 1), 1.0), like)


def other_rows(strata: Ints, rng: np.random.Generator) -> Ints:
    """Return a permutation of the rows within strata that leaves no row in place, unless it is alone; int64 [R]."""
    order = np.lexsort((rng.random(len(strata)), strata))
    others, first = np.empty_like(strata), np.searchsorted(strata[order], strata[order])
    last = np.r_[np.diff(strata[order]) != 0, True][: len(order)]
    others[order] = np.where(last, order[first], np.roll(order, -1))  # each takes the next one's, the last the first's
    return others


@dataclass(frozen=True)
class Balance:
    """Decay and remainder of R retained rows of a table at the stationary point without the forgotten pairs.

    Attributes:
        decay: float32 [R, 1].
        rest: float32 [R, D].
        lean: float32 [R, D], the part of the rest that goes with the forgotten pairs (see `partner_effect`), if known.
    """

    decay: Tensor
    rest: Tensor
    lean: Tensor | None = None

    @classmethod
    def of(
        cls,
        rows: Tensor,
        gradient: Tensor,
        decay_at: "DecayByDegree",
        before: Ints,
        after: Ints,
        share: float,
        left: Tensor | None = None,
        lean: Tensor | None = None,
    ) -> Self:
        """Derive the balance of the retained pairs from that of the trained rows.

        Args:
            rows: float32 [R, D], as trained.
            gradient: float32 [R, D], over the original pairs.
            decay_at: the decay of the trained rows.
            before, after: int64 [R], degrees.
            share: share of all pairs that is retained. A row that loses the same share is not changed.
            left: float32 [R, 1], the share of the rest that remains: that of the pairs, if the rest is their noise.
            lean: float32 [R, D], how far rests lean because of the forgotten pairs, as a change of the rows.
        """
        trained = _column(decay_at(before), rows)
        rest = gradient + trained * rows
        if left is None:
            left = pairs_kept(before, after, rows)
        decay = _column(share * decay_at(after / share), rows)
        return cls(decay, left * rest, None if lean is None else left * trained * lean)

    def with_other_rest(self, drawn: Tensor, share: float) -> Self:
        """Replace `share` of the square of each row's rest by `drawn`, float32 [R, D], scaled to the rest's own length.

        Other negatives would have left noise of the same size in other directions. A row for which nothing is drawn, as
        that of a user without a pair, keeps its own.
        """
        there = drawn.any(dim=1, keepdim=True)
        drawn = normalize(drawn, dim=1) * self.rest.norm(dim=1, keepdim=True)
        return replace(self, rest=torch.where(there, (1 - share) ** 0.5 * self.rest + share**0.5 * drawn, self.rest))

    def with_decay_scaled(self, scale: Tensor) -> Self:
        """Multiply the decay of each row by `scale`, float32 [R, 1]."""
        return replace(self, decay=self.decay * scale)

    def with_fixed(self, fixed: Ints, rows: Tensor) -> Self:
        """Keep the rows `fixed`, int64, of `rows`, float32 [R, D], where they are, by a very large decay."""
        if not len(fixed):
            return self
        at = torch.from_numpy(fixed).to(rows.device)
        decay, rest = self.decay.clone(), self.rest.clone()
        decay[at], rest[at] = _FIXED, _FIXED * rows[at]
        lean = None if self.lean is None else self.lean.index_fill(0, at, 0.0)
        return replace(self, decay=decay, rest=rest, lean=lean)

    def imbalance(self, rows: Tensor, gradient: Tensor) -> Tensor:
        """Compute how far `rows` are from balance, given their gradient over the retained pairs; float32 [R, D] all."""
        return self.rest - gradient - self.decay * rows


class DecayByDegree(Settings):
    """The decay as a function of degree, linear in log degree between a dozen points.

    >>> law = DecayByDegree.fitted(np.repeat([1.0, 2.0], 4), np.repeat([1, 100], 4))
    >>> law(np.array([1, 10, 100])).round(3).tolist()
    [1.0, 1.5, 2.0]

    Attributes:
        log_degrees: ascending.
        decays: at each of them.
    """

    log_degrees: tuple[float, ...]
    decays: tuple[float, ...]

    @classmethod
    def fitted(cls, decay: Decays, degree: Ints) -> Self:
        """Fit the medians of strata of nearly equal degree by values that never fall with it, nor rise faster than it.

        In graph models the estimate can fall with degree, since rows of many pairs are explained less well. A small
        decay would let the most popular rows move too far. A regulariser that each pair adds to makes the decay grow
        as the degree does. Where it seems to grow faster, other users have that degree: on LastFM those whose taste is
        common, and rows that lose pairs of many would grow.

        Args:
            decay: float64 [R].
            degree: int64 [R]; rows of degree 0 do not count.
        """
        from scipy.optimize import isotonic_regression  # loads for a fifth of a second, and few requests need it

        known = np.flatnonzero(degree > 0)
        seen = degree[known] if len(known) else np.ones(1, dtype=np.int64)
        octaves = 2.0 ** np.arange(int(seen.max()).bit_length() + 1)  # most rows may have few pairs, and few many
        edges = np.unique(np.concatenate([np.quantile(seen, np.linspace(0, 1, _STRATA + 1)), octaves]))
        stratum = np.digitize(degree[known], edges[1:-1])
        groups = [known[stratum == number] for number in np.unique(stratum)]
        groups = [group for group in groups if len(group) >= _FEWEST] or [known]
        logs = [float(np.log(degree[group]).mean()) if len(group) else 0.0 for group in groups]
        medians = np.array([np.median(decay[group]) if len(group) else 1.0 for group in groups])
        sizes, degrees = [max(len(group), 1) for group in groups], np.exp(logs)
        medians = isotonic_regression(medians, weights=sizes).x
        medians = isotonic_regression(medians / degrees, weights=sizes, increasing=False).x * degrees
        medians = isotonic_regression(medians, weights=sizes).x
        medians = np.maximum(medians, _LEAST_DECAY * max(medians.max(), _LEAST_DECAY))
        return cls(log_degrees=tuple(logs), decays=tuple(medians.tolist()))

    def __call__(self, degree: Decays | Ints) -> Decays:
        """Interpolate the decay of rows of these degrees; float64 of the same shape.

        Requests can leave rows of fewer pairs than any trained row has. Their decay is on the line through the first
        two points, by degree, and at least half of the first.
        """
        found: Decays = np.interp(np.log(np.maximum(degree, 1)), self.log_degrees, self.decays)
        if len(self.decays) > 1:
            first, second = np.exp(self.log_degrees[:2])
            slope = (self.decays[1] - self.decays[0]) / max(second - first, _TINY)
            line = self.decays[0] - slope * (first - np.maximum(degree, 1))
            found = np.where(degree < first, np.maximum(line, self.decays[0] / 2), found)
        return found


def _column(values: Decays, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)[:, None]
