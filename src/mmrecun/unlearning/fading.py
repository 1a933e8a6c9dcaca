"""How much a row may keep when some of what taught it is taken out, and rows that have lost the rest."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrecun.data.forget import Partition
from mmrecun.data.sparse import SparseMatrix, product, square_diagonal
from mmrecun.models.base import ID_TABLES, Recommender
from mmrecun.rng import Seed
from mmrecun.shapes import Bools, Ints

Shares = npt.NDArray[np.float64]
Side = Literal["users", "items"]
_LONGEST = 8.0


@dataclass(frozen=True)
class Kept:
    """How much of its value each row keeps; 1 where nothing was taken from it. Rows that leave do not count.

    Attributes:
        users, items: float64 [U] and [I], by the training pairs that were taken out.
        features: float64 [I], by the modalities that were.
    """

    users: Shares
    items: Shares
    features: Shares

    def of_rows(self, users: Ints, items: Ints) -> "Kept":
        """The same for a model that has these rows (int64) alone, in this order."""
        return Kept(self.users[users], self.items[items], self.features[items])

    def touched(self, of: Side) -> Bools:
        """Which rows lost anything: bool [U] or [I]."""
        return self.users < 1 if of == "users" else (self.items < 1) | (self.features < 1)


class Fade(NamedTuple):
    """Exponents of what rows keep that lost pairs, and of what items keep that lost modalities."""

    users: float
    items: float
    features: float


def kept_shares(parts: Partition, read: Collection[str], fade: Fade) -> Kept:
    """What each row keeps of `parts.original`.

    (1 - f)^fade for a row that lost the share f of its training pairs, or an item that lost the share f of its
    modalities, those in `read` alone.
    """
    original, pairs = parts.original, parts.forgotten
    users, items = (
        _left(before, rows, gone, power)
        for before, rows, gone, power in zip(
            original.degrees, (pairs.users, pairs.items), (parts.lost_users, parts.lost_items), fade[:2], strict=True
        )
    )
    features = np.ones(len(items))
    if any(name in parts.lost_features for name in read):
        had = sum(original.modalities[name].present.astype(int) for name in read)
        lost = sum(parts.lost_features[name].astype(int) for name in read if name in parts.lost_features)
        features = (1 - lost / np.maximum(had, 1)) ** fade.features
    return Kept(users, items, features)


def _left(before: Ints, rows: Ints, gone: Bools, fade: float) -> Shares:
    """What is kept of each row that had `before` pairs and lost one for each entry of `rows`, unless it is `gone`."""
    touched, lost = np.unique(rows, return_counts=True)
    kept = np.ones(len(before))
    kept[touched] = (1 - lost / before[touched]) ** fade
    kept[gone] = 1
    return kept


def neighbourly(model: Recommender, graph: SparseMatrix, asked: Mapping[Side, Ints]) -> dict[str, Tensor]:
    """ID table -> float32 [R, D]: what two hops over `graph` [U + I, U + I] say of the rows `asked` for, int64 each.

    Two hops lead to those with the same partners; the way back to oneself does not count. Zero for everybody else.
    """
    users, items = (model.get_parameter(name).detach() for name in ID_TABLES)
    own, adjacency = torch.cat([users, items]), graph.forward
    rows = product(adjacency, product(adjacency, own)) - square_diagonal(adjacency).unsqueeze(1) * own
    parts = rows[: len(users)], rows[len(users) :]
    told = {}
    for name, part, chosen in zip(ID_TABLES, parts, (asked["users"], asked["items"]), strict=True):
        told[name] = torch.zeros_like(part)
        at = torch.from_numpy(chosen).to(part.device)
        told[name][at] = part[at]
    return told


def faded(model: Recommender, kept: Kept, seed: Seed, towards: Mapping[str, Tensor] | None = None) -> Recommender:
    """`model` with the touched rows of every table moved towards other ones; changed in place and returned.

    A row that lost pairs turns towards its row in `towards`, or a fresh one where that has none or zeros, and keeps its
    length, by which items of equal merit stay comparable; of a fresh one as far as eight times what is left of it, more
    would be noise. One that lost modalities, or whose fresh value is zero, shrinks.

    Args:
        model: of the users and items in `kept`.
        kept: of `kept_shares`.
        seed: of the fresh rows.
        towards: of `neighbourly`.
    """
    rng = seed.torch()
    with torch.no_grad():
        for name, table in model.tables().items():
            rows = np.flatnonzero(kept.touched(table.of))
            pairs = kept.users if table.of == "users" else kept.items
            features = kept.features[rows] if table.of == "items" else np.ones(len(rows))
            at = torch.from_numpy(rows).to(table.weight.device)
            own, new = table.weight[at], table.fresh(len(rows), rng).to(table.weight.device)
            aim = new if towards is None or name not in towards else _as_long(towards[name][at], own, new)
            turned = _turned(own, aim, _column(pairs[rows], own))
            table.weight[at] = torch.lerp(new, turned, _column(features, own))
    return model


def _column(shares: Shares, like: Tensor) -> Tensor:
    return torch.from_numpy(shares).to(like).unsqueeze(1)


def _as_long(rows: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    """`rows` at the lengths of `own`; the `fresh` one where a row is zero."""
    length = rows.norm(dim=1, keepdim=True)
    return torch.where(length > 0, rows / length.clamp(min=1e-12) * own.norm(dim=1, keepdim=True), fresh)


def _turned(own: Tensor, fresh: Tensor, share: Tensor) -> Tensor:
    mixed = torch.lerp(fresh, own, share)
    before, after = (rows.norm(dim=1, keepdim=True) for rows in (own, mixed))
    lengthened = (before / after.clamp(min=1e-12)).clamp(max=_LONGEST)
    return mixed * torch.where((share < 1) & fresh.any(dim=1, keepdim=True), lengthened, 1.0)
