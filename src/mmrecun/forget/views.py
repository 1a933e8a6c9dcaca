"""What a model can be shown of a partition: the data before, after, and after with a place for what was removed.

Unlearning works on these views, and an audit asks models about them.
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
    """A dataset to show to a model.

    Attributes:
        name: tells the views of one partition apart.
        dataset: what is shown.
        placeholders: modality -> bool [I], items that no other item may take for a neighbour; None for no such item.
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
    """Return what the new model is trained on and served with, in rows of its own."""
    return View("retained", partition.retained)


def padded(partition: Partition) -> View:
    """Return the retained data in original rows, with what was removed as if it were new.

    Removed users and items are there without any interaction, and removed features are there again. A platform
    would hold this if they came back and nothing was remembered. No other item takes one of them for a neighbour, so
    that all else is as in `retained`.
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
    """Return modality -> bool [I]: items whose features are there only in `padded`."""
    nothing = np.zeros(len(partition.original.items), dtype=bool)
    return {
        name: partition.removed_items | partition.removed_features.get(name, nothing)
        for name in partition.original.modalities
    }
