"""All vectors of a trained model."""

import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Recommender, Vectors


@torch.no_grad()
def vectors_of(model: Recommender, dataset: Dataset) -> Vectors:
    """Compute all vectors of `model` on the training graph and features of `dataset`."""
    return model.vectors(build_inputs(dataset, model.required_inputs(), next(model.parameters()).device))
