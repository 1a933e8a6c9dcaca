"""Foreign vectors as our recommenders: plain dot products, or rows that are propagated over the user-item graph."""

import numpy as np
import torch

from mmrecun.adapters.biased import BiasedMF
from mmrecun.adapters.row_map import Array, RowMap, take_rows
from mmrecun.errors import ArtifactError
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.models.lightgcn import LightGCN, LightGCNConfig

SERVED_ITEMS = (
    "an emptied item row scores 0, which is not always last: leave forgotten items out of the lists that are served"
)
SHARED_PARAMETERS = (
    "parameters that everybody shares (towers, layers) stay as they were trained, with the forgotten among the rest"
)
HISTORIES = "histories, caches and search indexes that were made from the model elsewhere are not reached"


def as_recommender(
    users: Array,
    items: Array,
    row_map: RowMap,
    layers: int = 0,
    l2: float = 1e-3,
    biased: bool = False,
    plain: type[BPRMF] = BPRMF,
) -> Recommender:
    """Return the foreign rows as BPR-MF, or with `layers` as LightGCN, in the order of the dataset.

    Args:
        users, items: [R, D] and [S, D] tables of the foreign model.
        row_map: the rows of users and items.
        layers: hops over the user-item graph that the foreign model averages; 0 for none.
        l2: weight of the regulariser in the short training that ends most methods.
        biased: whether the last column is the item's bias; that of users is not read.
        plain: the class of a model with neither, such as one with towers.

    Raises:
        ArtifactError: when the tables differ in width, or hold NaN, infinity, or anything but floating-point numbers.
    """
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1] or users.shape[1] <= biased:
        raise ArtifactError(f"user and item vectors must be [U, D] and [I, D], not {users.shape} and {items.shape}")
    for values in (users, items):
        if not np.issubdtype(values.dtype, np.floating):
            given = "bfloat16" if values.dtype.kind == "V" else values.dtype
            raise ArtifactError(f"vectors must be of floating-point numbers, not {given}; save them as float32")
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        raise ArtifactError("the model's vectors hold NaN or infinity")
    sizes = Sizes(users=len(row_map.users), items=len(row_map.items))
    model: Recommender
    if layers:
        model = LightGCN(LightGCNConfig(dim=users.shape[1], layers=layers, l2=l2), sizes, None)
    elif biased:
        model = BiasedMF(BPRMFConfig(dim=users.shape[1] - 1, l2=l2), sizes, None)
        users = np.concatenate([users[:, :-1], np.zeros((len(users), 1), dtype=users.dtype)], axis=1)
    else:
        model = plain(BPRMFConfig(dim=users.shape[1], l2=l2), sizes, None)
    return with_rows(model, take_rows(users, row_map.users), take_rows(items, row_map.items))


def with_rows(model: Recommender, users: Array, items: Array) -> Recommender:
    """Fill the two id tables of `model` with [U, D] and [I, D] rows, in place."""
    with torch.no_grad():
        for table, values in zip(model.id_tables().values(), (users, items), strict=True):
            table.weight.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))
    return model


def rows_of(model: Recommender) -> tuple[Array, Array]:
    """Return the two id tables of `model`: float32 [U, D] and [I, D]."""
    users, items = (table.weight.detach().cpu().numpy() for table in model.id_tables().values())
    return users, items
