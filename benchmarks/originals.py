"""Originals to unlearn from, and requests of a share of everybody."""

from pathlib import Path

import numpy as np

from mmrecun import jobs
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed


def trained(data: Path, model: str, out: Path, epochs: int) -> Path:
    """Return a run of `epochs` epochs; returns its folder."""
    jobs.train(data, model, out, {"epochs": epochs})
    return out


def share(dataset: Dataset, target: str, ratio: float) -> ForgetRequest:
    """Return a share of the users, the items or the training pairs, drawn at random.

    At least one of them; `target` is users, items or pairs, or "heavy" for the most active users instead.
    """
    train, rng = dataset.train, Seed(0).numpy()
    if target == "heavy":
        most = np.argsort(-np.bincount(train.users), kind="stable")[: max(1, round(ratio * len(dataset.users)))]
        return ForgetRequest(users=tuple(dataset.users.names.gather(most)))
    if target == "pairs":
        rows = rng.choice(len(train), max(1, round(ratio * len(train))), replace=False)
        users, items = dataset.users.names.gather(train.users[rows]), dataset.items.names.gather(train.items[rows])
        return ForgetRequest(pairs=tuple(zip(users, items, strict=True)))
    ids, rows = (dataset.users, train.users) if target == "users" else (dataset.items, train.items)
    there = np.unique(rows)
    drawn = ids.names.gather(rng.choice(there, max(1, round(ratio * len(there))), replace=False))
    return ForgetRequest(**{target: tuple(drawn)})
