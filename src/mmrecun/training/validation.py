"""Validation: the score that chooses the best epoch, and whether it can be computed."""

import numpy as np
import torch

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Split
from mmrecun.evaluation.evaluate import evaluate
from mmrecun.evaluation.mapped import users_to_rank
from mmrecun.keys import MetricKey
from mmrecun.models.base import Recommender

VALIDATION_METRIC = MetricKey.at("recall", 20)
VALIDATION_CUTOFF = VALIDATION_METRIC.cutoff
CANNOT_VALIDATE = "no validation pair of a user with training pairs, so no epoch could be chosen"


@torch.no_grad()
def validation_score(model: Recommender, inputs: GraphInputs, dataset: Dataset, users: Ints | None = None) -> float:
    """Compute Recall@20 on the validation pairs, the only figure that chooses epochs.

    It is the mean over `users` (int64 [M], ascending), or over all, of whom a sample is ranked if they are very many
    (see `users_to_rank`).
    """
    vectors = model.vectors(inputs)
    truth = dataset.interactions.split(Split.VALID)
    asked = np.unique(truth.users)
    chosen = users_to_rank(asked, len(dataset.items)) if users is None else users
    if len(chosen) < len(asked):
        truth = truth.select(np.isin(truth.users, chosen))
    report = evaluate(vectors.users, vectors.items, dataset.train, truth, (VALIDATION_CUTOFF,), lists=False)
    return report.metrics[VALIDATION_METRIC]


def can_validate(dataset: Dataset) -> bool:
    """Say whether an epoch can be chosen: some user with a training pair has a validation pair."""
    return bool(np.isin(dataset.interactions.split(Split.VALID).users, dataset.train.users).any())
