"""The noise that drawn negatives leave in the rows of a model."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender
from mmrecun.unlearning.mmrecun.expected_bpr import gradient_weight
from mmrecun.unlearning.mmrecun.links import add_rows, block
from mmrecun.unlearning.mmrecun.trained_balance import vectors_of


def negative_noise(
    model: Recommender, inputs: GraphInputs, data: Dataset, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Compute the difference of two gradients of BPR, for each of which every pair draws its own negative.

    What a pair teaches cancels out, and so does what all negatives teach in the mean.

    Args:
        model: of `data`.
        inputs: graphs and features of `data`.
        data: whose training pairs are taken.
        rng: draws the negatives.

    Returns:
        Table -> float32 [R, D].
    """
    train, sampler = data.train, NegativeSampler.of_dataset(data)
    vectors = vectors_of(model, inputs)
    users, items = (side.detach() for side in vectors)
    of_users, of_items = torch.zeros_like(users), torch.zeros_like(items)
    rows, positives = (torch.from_numpy(column.copy()).to(users.device) for column in (train.users, train.items))
    size = block(users.device)
    for sign in (1, -1):
        drawn = torch.from_numpy(sampler.draw(train.users, rng)).to(users.device)
        for start in range(0, len(rows), size):
            user, positive, negative = (column[start : start + size] for column in (rows, positives, drawn))
            own, gaps = users[user], items[negative] - items[positive]
            pulls = sign * gradient_weight(-(own * gaps).sum(dim=1))[:, None]
            add_rows(of_users, user, pulls * gaps)
            own *= pulls
            add_rows(of_items, negative, own)
            add_rows(of_items, positive, -own)
    weights = {name: table.weight for name, table in model.tables().items()}
    found = torch.autograd.grad(
        vectors, list(weights.values()), [of_users, of_items], materialize_grads=True, allow_unused=True
    )
    return dict(zip(weights, found, strict=True))
