"""Balanced clustering by vectors, no cluster above its capacity (RecEraser, algorithms 1 to 3)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Floats, Ints


@dataclass(frozen=True)
class Points:
    """N points of one or two vectors each; a point's distance is the product of its vectors' squared distances.

    Attributes:
        tables: one or two tables of vectors, such as float32 [U, D].
        rows: for each table int64 [N], the row of each point.
    """

    tables: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.rows[0])

    def at(self, points: Tensor) -> list[Tensor]:
        """Return the vectors of these points, float32 [B, D] of each table."""
        return [table[rows[points]] for table, rows in zip(self.tables, self.rows, strict=True)]

    def distances(self, anchors: list[Tensor]) -> Tensor:
        """Compute the distances to S anchors, given as [S, D] for each table: float32 [N, S]."""
        product = torch.ones(len(self), len(anchors[0]), device=self.tables[0].device)
        for table, rows, anchor in zip(self.tables, self.rows, anchors, strict=True):
            product *= torch.cdist(table, anchor).square()[rows]
        return product

    def means(self, labels: Tensor, old: list[Tensor]) -> list[Tensor]:
        """Compute the mean vectors of each cluster, [S, D]; an empty cluster keeps its old anchor."""
        means = []
        for table, rows, anchor in zip(self.tables, self.rows, old, strict=True):
            size = len(anchor)
            # how often each row of the table is in each cluster, so that no [N, D] array is built
            counts = torch.bincount(rows * size + labels, minlength=len(table) * size).reshape(-1, size).to(table)
            total = counts.sum(dim=0).unsqueeze(1)
            means.append(torch.where(total > 0, (counts.T @ table) / total.clamp(min=1), anchor))
        return means


def balanced_clusters(points: Points, clusters: int, capacity: int, rounds: int, rng: np.random.Generator) -> Ints:
    """Assign points to clusters: int64 [N].

    Anchors start as random points. Each round assigns greedily and moves the anchors to the means, until nothing
    changes.

    Args:
        points: N of them.
        clusters: S, at most N.
        capacity: points of a cluster, at most; S * capacity must be N or more.
        rounds: rounds at most.
        rng: draws the first anchors.
    """
    device = points.tables[0].device
    chosen = torch.from_numpy(rng.choice(len(points), size=clusters, replace=False)).to(device)
    anchors = points.at(chosen)
    labels = np.empty(0, dtype=np.int64)
    for _ in range(rounds):
        found = assign(points.distances(anchors).cpu().numpy(), capacity)
        if np.array_equal(found, labels):
            break
        labels = found
        anchors = points.means(torch.from_numpy(labels).to(device), anchors)
    return labels


def assign(distances: Floats, capacity: int) -> Ints:
    """Assign greedily: the closest pair of a free point and an open cluster comes first; int64 [N].

    Instead of sorting all N * S pairs, each point proposes to its nearest cluster that has not rejected it, and a full
    cluster keeps the nearest (Gale and Shapley, 1962). Both sides rank by the same distances, so the only stable
    matching is the greedy one.

    Args:
        distances: float32 [N, S].
        capacity: points of a cluster, at most; S * capacity is N or more.
    """
    wishes = np.argsort(distances, axis=1, kind="stable")
    wish = np.zeros(len(distances), dtype=np.int64)
    labels = wishes[:, 0].copy()
    while True:
        turned_away = []
        for cluster in np.flatnonzero(np.bincount(labels, minlength=distances.shape[1]) > capacity):
            members = np.flatnonzero(labels == cluster)
            order = np.argsort(distances[members, cluster], kind="stable")
            turned_away.append(members[order[capacity:]])
        if not turned_away:
            return labels
        again = np.concatenate(turned_away)
        wish[again] += 1
        labels[again] = wishes[again, wish[again]]
