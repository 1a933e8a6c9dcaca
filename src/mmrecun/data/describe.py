"""The facts of a dataset: sizes, sparsity, degrees, coverage of each modality."""

from typing import Any

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.text import counted


def facts(dataset: Dataset) -> dict[str, Any]:
    """Return the facts of a dataset, ready for JSON.

    `sparsity` is the share of user-item pairs that are not training pairs; `degrees` gives quantiles of training pairs
    per user and per item; `gini`, of the item degrees, is 0 when all items are equally popular and near 1 when a few
    have almost all pairs.
    """
    pairs, train = dataset.interactions, dataset.train
    users, items = len(dataset.users), len(dataset.items)
    of_users, of_items = dataset.degrees
    return {
        "dataset": dataset.name,
        "users": users,
        "items": items,
        "interactions": len(pairs),
        "splits": {split.label: int((pairs.splits == split).sum()) for split in Split},
        "sparsity": 1 - len(train) / (users * items),
        "degrees": {"users": _quantiles(of_users), "items": _quantiles(of_items)},
        "gini": _gini(of_items),
        "cold": {"users": int((of_users == 0).sum()), "items": int((of_items == 0).sum())},
        "modalities": {
            name: {"width": modality.width, "coverage": float(modality.present.mean())}
            for name, modality in dataset.modalities.items()
        },
        "attributes": {
            "users": dataset.user_attributes.columns,
            "items": dataset.item_attributes.columns,
            "interactions": pairs.attributes.columns,
        },
        "digest": dataset.digest,
    }


def overview(dataset: Dataset) -> dict[str, str]:
    """Return a few facts, name -> text, one for each line."""
    splits = {split.label: int((dataset.interactions.splits == split).sum()) for split in Split}
    tables = {"users": dataset.user_attributes, "items": dataset.item_attributes}
    return {
        "users": f"{len(dataset.users):,}",
        "items": f"{len(dataset.items):,}",
        "interactions": ", ".join(f"{count:,} {name}" for name, count in splits.items()),
        **{
            f"modality '{name}'": " of ".join(
                (counted(modality.width, "feature"), counted(int(modality.present.sum()), "item"))
            )
            for name, modality in dataset.modalities.items()
        },
        **{f"attributes of {kind}": ", ".join(table.columns) for kind, table in tables.items()},
    }


def degree_histogram(degrees: Ints) -> list[tuple[str, int]]:
    """Count the users or items with 0, 1, 2-3, 4-7, ... pairs: (label, count), up to the largest.

    >>> degree_histogram(np.array([0, 1, 3, 2, 9]))
    [('0', 1), ('1', 1), ('2-3', 2), ('4-7', 0), ('8-15', 1)]
    """
    bars = [("0", int((degrees == 0).sum()))]
    low = 1
    while low <= degrees.max(initial=0):
        high = 2 * low - 1
        label = str(low) if low == high else f"{low}-{high}"
        bars.append((label, int(((degrees >= low) & (degrees <= high)).sum())))
        low *= 2
    return bars


def _quantiles(degrees: Ints) -> dict[str, float]:
    names = {"min": 0.0, "median": 0.5, "p90": 0.9, "max": 1.0}
    found = {name: float(np.quantile(degrees, share)) for name, share in names.items()}
    return found | {"mean": float(degrees.mean())}


def _gini(degrees: Ints) -> float:
    ordered = np.sort(degrees)
    rank = np.arange(1, len(ordered) + 1)
    return float((2 * rank - len(ordered) - 1) @ ordered / (len(ordered) * max(1, ordered.sum())))
