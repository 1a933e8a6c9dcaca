"""Views of a partition: the data before, after, and after with placeholders for removed rows.

Unlearning works on these views, and an audit applies models to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from mmrecun.arrays import Bools
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, RequiredInputs, build_inputs
from mmrecun.forget.partition import Partition


@dataclass(frozen=True)
class View:
    """A dataset that a model is applied to.

    Attributes:
        name: name of the view, different for each view of a partition.
        dataset: its data.
        placeholders: modality -> bool [I], items that may not be neighbours of other items; None for no such item.
    """

    name: str
    dataset: Dataset
    placeholders: Mapping[str, Bools] | None = None

    def inputs(
        self, required: RequiredInputs, device: torch.device, graph_cache: dict[bytes, sp.csr_array] | None = None
    ) -> GraphInputs:
        """Build the graphs and features that a model reads of it; `graph_cache` as for `build_inputs`."""
        return build_inputs(self.dataset, required, device, self.placeholders, graph_cache)


def original(partition: Partition) -> View:
    """Return what the original model was trained on."""
    return View("original", partition.original)


def retained(partition: Partition) -> View:
    """Return the data that the new model is trained on and served with, with rows renumbered."""
    return View("retained", partition.retained)


def padded(partition: Partition) -> View:
    """Return the retained data in original rows, with removed users, items and features as if they were new.

    Removed users and items have no interactions, and removed features are present. This is what a platform would hold
    if they came back after being forgotten. They are no neighbours of other items, so that all else is as in
    `retained`.
    """
    data = partition.original.with_interactions(partition.retained_pairs)
    return View("padded", data, placeholder_items(partition))


def padded_without_features(partition: Partition) -> View:
    """Return the same without the removed features of retained items: `retained`, in original rows."""
    view = padded(partition)
    modalities = {
        name: modality.without(partition.removed_features[name]) if name in partition.removed_features else modality
        for name, modality in view.dataset.modalities.items()
    }
    return replace(view, name="padded without features", dataset=replace(view.dataset, modalities=modalities))


def placeholder_items(partition: Partition) -> dict[str, Bools]:
    """Return modality -> bool [I]: items whose features are present in `padded` only."""
    nothing = np.zeros(len(partition.original.items), dtype=bool)
    return {
        name: partition.removed_items | partition.removed_features.get(name, nothing)
        for name in partition.original.modalities
    }
