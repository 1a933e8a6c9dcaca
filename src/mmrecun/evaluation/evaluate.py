"""Ranking quality of user and item vectors on held-out pairs: full ranking, nothing sampled.

As in MMRec and RecBole, only training pairs are hidden from the lists, also when the test split is evaluated. Every
figure is a mean over the users with held-out pairs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import ConfigError, DataError
from mmrecun.evaluation import metrics
from mmrecun.evaluation.ranking import ranks, top_k
from mmrecun.keys import MetricKey
from mmrecun.progress import Progress
from mmrecun.text import counted, facts_html, facts_text

CUTOFFS = (5, 10, 20, 50)

_PER_USER: dict[str, Callable[[Bools, Ints], metrics.PerUser]] = {
    "recall": metrics.recall,
    "ndcg": metrics.ndcg,
    "precision": metrics.precision,
    "map": metrics.average_precision,
    "hit_rate": metrics.hit_rate,
}


@dataclass(frozen=True)
class RankingReport:
    """Metrics of how well held-out items were ranked.

    Attributes:
        metrics: such as `recall@20`; means over the evaluated users, and with lists `coverage@k` over all items.
        users: how many users were evaluated.
        cold_users: users with held-out pairs but no seen pair, who were not evaluated.
        seconds: wall-clock time.
    """

    metrics: dict[str, float]
    users: int
    cold_users: int
    seconds: float

    def __repr__(self) -> str:
        """Return the metrics, one a line."""
        return facts_text(self._title, self._facts)

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return facts_html(self._title, self._facts)

    @property
    def _title(self) -> str:
        cold = f"; {counted(self.cold_users, 'cold user')} left out" if self.cold_users else ""
        return f"Ranking for {counted(self.users, 'user')}{cold}"

    @property
    def _facts(self) -> dict[str, str]:
        return {name: f"{value:.4f}" for name, value in self.metrics.items()}


def evaluate(
    users: Tensor,
    items: Tensor,
    seen: Interactions,
    truth: Interactions,
    cutoffs: Sequence[int] = CUTOFFS,
    include_cold: bool = False,
    lists: bool = True,
    progress: Progress | None = None,
    unlisted: int = 0,
) -> RankingReport:
    """Rank all items for every user that has both a `truth` and a `seen` pair, and measure the lists.

    Without `lists` only the ranks of the relevant items are computed, which takes half the time. An item that ties with
    a relevant one then counts as ranked before it.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors.
        seen: the training pairs, by convention; they are left out of the lists.
        truth: held-out pairs; their items are the relevant ones.
        cutoffs: list lengths.
        include_cold: also evaluate users without a seen pair, as an audit needs for removed users.
        lists: whether to build the lists, which only coverage needs.
        progress: called with the number of ranked users, if lists are built.
        unlisted: number of further items, known to be in nobody's list; coverage counts them.

    Raises:
        ConfigError: when there is no cutoff, or one below 1.
        DataError: when no user has both a truth and a seen pair.
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    if not cutoffs or min(cutoffs) < 1:
        raise ConfigError(f"cutoffs {list(cutoffs)}: name at least one list length, each 1 or more")
    started = time.perf_counter()
    rows, relevant, cold = _users_with_truth(seen, truth, include_cold)
    if lists:
        best = top_k(users, items, seen, rows, max(cutoffs), progress)
        hits = hits_of(truth, rows, best, len(items))
        figures = measure_lists(best, hits, relevant, len(items) + unlisted, cutoffs)
    else:
        asked = truth.select(np.isin(truth.users, rows))
        within = max(cutoffs) + int(relevant.max())
        hits = hits_at(asked, ranks(users, items, seen, asked, within), max(cutoffs))
        figures = measure_hits(hits, relevant, cutoffs)
    return RankingReport(figures, len(rows), cold, time.perf_counter() - started)


def _users_with_truth(seen: Interactions, truth: Interactions, include_cold: bool) -> tuple[Ints, Ints, int]:
    """Return the users to evaluate and the number of relevant items of each, int64 [M]; and how many are left out."""
    if not len(truth):
        raise DataError("there is no pair to be found; evaluate a split that has some")
    rows, relevant = np.unique(truth.users, return_counts=True)
    evaluated = np.isin(rows, seen.users) | include_cold
    if not evaluated.any():
        raise DataError(f"none of the {len(rows)} users with held-out pairs has a seen pair; nobody can be evaluated")
    return rows[evaluated], relevant[evaluated].astype(np.int64), int((~evaluated).sum())


def measure_lists(
    lists: Ints, hits: Bools, relevant: Ints, items: int, cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, float]:
    """Compute every metric of M lists at every cutoff, as means over the users.

    Args:
        lists: int64 [M, K] item rows, -1 for an empty place; K at least the largest cutoff.
        hits: bool [M, K], of `hits_of`.
        relevant: int64 [M], number of relevant items of each user.
        items: I.
        cutoffs: list lengths.
    """
    coverage = {MetricKey.at("coverage", k): metrics.coverage(lists[:, :k], items) for k in cutoffs}
    return measure_hits(hits, relevant, cutoffs) | coverage


def measure_hits(hits: Bools, relevant: Ints, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Compute every metric that needs no list, at every cutoff; arguments as for `measure_lists`."""
    return {name: float(values.mean()) for name, values in per_user(hits, relevant, cutoffs).items()}


def per_user(hits: Bools, relevant: Ints, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, metrics.PerUser]:
    """Compute every metric that needs no list for each of M users: float64 [M]; arguments as for `measure_lists`."""
    return {MetricKey.at(name, k): metric(hits[:, :k], relevant) for k in cutoffs for name, metric in _PER_USER.items()}


def evaluate_split(
    users: Tensor,
    items: Tensor,
    dataset: Dataset,
    split: Split,
    cutoffs: Sequence[int] = CUTOFFS,
    lists: bool = True,
    progress: Progress | None = None,
) -> RankingReport:
    """Call `evaluate` on one split of `dataset`, with its training pairs as the seen ones; the errors are the same."""
    truth = dataset.interactions.split(split)
    if not len(truth):
        name = split.name.lower()
        raise DataError(f"the dataset has no {name} pair to look for in lists; its column 'split' says which pairs are")
    return evaluate(users, items, dataset.train, truth, cutoffs, lists=lists, progress=progress)


def hits_of(truth: Interactions, rows: Ints, lists: Ints, items: int) -> Bools:
    """Say which entries of the lists [M, K] of users `rows` (int64 [M]) are relevant: bool [M, K]. `items` is I."""
    owners = np.repeat(rows, lists.shape[1])
    found = truth.contains(owners, lists.ravel(), items).reshape(lists.shape)
    return found & (lists >= 0)


def hits_at(truth: Interactions, places: Ints, k: int) -> Bools:
    """Return the result of `hits_of` from the ranks of the relevant items: bool [M, k], users ascending.

    Args:
        truth: N pairs.
        places: int64 [N], from `ranks` within k plus the number of a user's relevant items, to allow for ties.
        k: length of the lists.
    """
    _, owners = np.unique(truth.users, return_inverse=True)
    order = np.lexsort((places, owners))
    owners, places = owners[order], places[order]
    keys = owners * (places.max(initial=0) + 1) + places
    ties = np.searchsorted(keys, keys, side="right") - 1 - np.arange(len(keys))
    places = places - ties  # relevant items of equal score are each counted as ranked before the others
    hits = np.zeros((owners.max(initial=-1) + 1, k), dtype=bool)
    listed = places < k
    hits[owners[listed], places[listed]] = True
    return hits
