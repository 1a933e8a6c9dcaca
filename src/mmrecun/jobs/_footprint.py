"""Memory that the parts of a process need, from a model and the sizes of a dataset alone."""

from dataclasses import dataclass

import torch

from mmrecun.data.files import FolderSizes
from mmrecun.models.base import ModelConfig, Recommender, Sizes

FLOAT, INDEX, ROW = 4, 4, 8
PROCESS_BYTES = 430 << 20
_PAIR_BYTES = 180  # of each pair while a dataset folder is read: its ids as text, its rows, its split
_NODE_COPIES = 10  # of [U + I, D] that a step over the user-item graph holds at its peak
_USER_COPIES, _ITEM_COPIES = 3, 8  # of [U, D] and [I, D] for each modality, likewise
_AUDIT_BYTES = 170 << 20  # what drawing a report adds to a process
_LIST_BYTES = 50 * (ROW + 1)  # of one user's list of 50 items, and of what it hits


@dataclass(frozen=True)
class Footprint:
    """Bytes of each part.

    Attributes:
        parameters: number of parameters (not bytes).
        reading: peak while a folder is read.
        data: a dataset in memory, with its features.
        graphs: the user-item and the item-item graphs.
        features: features that the model reads, as float32.
        building: temporary arrays while a graph is built.
        layers: activations of one pass over all users and items, with those kept for its gradient.
        lists: lists of all users.
    """

    parameters: int
    reading: int
    data: int
    graphs: int
    features: int
    building: int
    layers: int
    lists: int

    @property
    def evaluation(self) -> int:
        """Return the peak of a process that evaluates a run."""
        model = FLOAT * self.parameters
        asked = self.graphs + max(self.building, self.features + self.layers + self.lists)
        return PROCESS_BYTES + max(self.reading, self.data + model + asked)

    @property
    def audit(self) -> int:
        """Return the peak of a process that audits a run without Gold: two models, on original and retained data.

        Each answers on the retained data in original rows too, so that three sets of graphs are kept.
        """
        models = 3 * FLOAT * self.parameters
        asked = 3 * (self.graphs + self.features) + max(self.building, self.layers) + 2 * self.lists
        return PROCESS_BYTES + _AUDIT_BYTES + max(self.reading + self.data, 2 * self.data + models + asked)


def footprint(cls: type[Recommender], config: ModelConfig, sizes: FolderSizes) -> Footprint:
    """Compute the parts of the peak memory from sizes alone, without reading the dataset."""
    with torch.device("meta"):
        probe = cls(config, Sizes(users=1, items=1, widths=sizes.widths), None)
    rows = {"users": sizes.users, "items": sizes.items}
    tables = {name: (rows[table.side], table.weight.shape[1]) for name, table in probe.tables().items()}
    others = sum(parameter.numel() for name, parameter in probe.named_parameters() if name not in tables)
    spec, read = probe.required_inputs(), probe.modalities()
    nodes, edges = sizes.users + sizes.items, sizes.train * spec.user_item
    features = sum(sizes.widths[name] for name in read) * sizes.items * FLOAT
    hops = config.dim * nodes * spec.user_item * _NODE_COPIES
    branches = len(read) * config.dim * (sizes.users * spec.user_item * _USER_COPIES + sizes.items * _ITEM_COPIES)
    return Footprint(
        parameters=others + sum(height * width for height, width in tables.values()),
        reading=sizes.pairs * _PAIR_BYTES,
        data=(sizes.pairs + sizes.train) * (2 * ROW + 1 + 8) + sizes.feature_bytes,
        graphs=edges * 4 * (FLOAT + INDEX) + sizes.items * len(read) * spec.neighbours * 2 * (FLOAT + INDEX),
        features=features,
        building=edges * 5 * ROW + features,
        layers=FLOAT * (hops + branches),
        lists=sizes.users * _LIST_BYTES,
    )
