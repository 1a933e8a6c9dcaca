"""GraphInputs: graphs and features that a recommender gets with each call, built from a dataset.

A model holds no graph and no features itself, so an unlearned model keeps none that were removed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import embedding

from mmrecun.arrays import Bools, Floats, Ints
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.interactions import Interactions
from mmrecun.data.sparse import SparseMatrix, halves
from mmrecun.topk import top_k_per_row

_CPU = torch.device("cpu")
_BLOCK_BYTES, _BLOCK_BYTES_ON_DEVICE = 8 << 20, 512 << 20


@dataclass(frozen=True)
class RequiredInputs:
    """The inputs that a model reads; no others are built.

    Attributes:
        user_item: the normalised user-item graph.
        features: the modalities' features.
        neighbours: number of neighbours of an item in each modality's item-item graph; 0 for no graph.
    """

    user_item: bool = False
    features: bool = False
    neighbours: int = 0


@dataclass(frozen=True)
class GraphInputs:
    """Graphs and features of one dataset on one device.

    Attributes:
        users, items: U and I.
        user_item: [U + I, U + I] symmetric normalised adjacency, users first.
        item_graphs: modality -> [I, I] normalised nearest-neighbour graph.
        features: modality -> float32 [I, F], zero where absent.
        present: modality -> bool [I].
        user_present: modality -> bool [U], whether any item of the user has it; only with the user-item graph.
    """

    users: int
    items: int
    user_item: SparseMatrix | None = None
    item_graphs: Mapping[str, SparseMatrix] = field(default_factory=dict)
    features: Mapping[str, Tensor] = field(default_factory=dict)
    present: Mapping[str, Tensor] = field(default_factory=dict)
    user_present: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def user_block(self) -> SparseMatrix | None:
        """The upper right block [U, I] of `user_item`, cut out of it at the first use."""
        return None if self.user_item is None else halves(self.user_item.forward, self.users)

    def nodes_present(self, modalities: Iterable[str]) -> Tensor:
        """Say whether each user and then each item has each of some `modalities`; bool [U + I, M], computed once."""
        names = tuple(modalities)
        if names not in self._nodes_present:
            sides = (torch.stack([has[name] for name in names], dim=1) for has in (self.user_present, self.present))
            self._nodes_present[names] = torch.cat(list(sides))
        return self._nodes_present[names]

    @cached_property
    def _nodes_present(self) -> dict[tuple[str, ...], Tensor]:
        return {}

    def rows_of_users(self, users: Tensor, table: Tensor) -> Tensor:
        """Return rows `users` (int64 [B]) of a `table` [U, D] of all users: [B, D], differentiable in `table`."""
        return embedding(users, table)


def build_inputs(
    dataset: Dataset,
    required: RequiredInputs,
    device: torch.device,
    placeholders: Mapping[str, Bools] | None = None,
    graph_cache: dict[bytes, sp.csr_array] | None = None,
) -> GraphInputs:
    """Build the graphs and features that `required` names from the training pairs and features of `dataset`.

    Args:
        placeholders: modality -> bool [I]: items that have neighbours without being a neighbour of any item, so that
            they change no other item.
        graph_cache: neighbour graphs by a digest of what they are built from; graphs found there are reused, others
            are added.
    """
    users, items = len(dataset.users), len(dataset.items)
    fast = device if device.type == "cuda" else _CPU
    user_item = user_item_graph(dataset.train, users, items, device) if required.user_item else None
    item_graphs, features, present, user_present = {}, {}, {}, {}
    if required.features:
        for name, modality in dataset.modalities.items():
            values = modality.values()
            features[name] = torch.from_numpy(values).to(device)
            present[name] = torch.from_numpy(modality.present.copy()).to(device)
            if required.user_item:
                reached = np.zeros(users, dtype=bool)
                reached[dataset.train.users[modality.present[dataset.train.items]]] = True
                user_present[name] = torch.from_numpy(reached).to(device)
            if required.neighbours:
                anchors = modality.present & ~placeholders[name] if placeholders else modality.present
                item_graphs[name] = SparseMatrix.of(
                    _cached_neighbour_graph(values, modality.present, anchors, required.neighbours, graph_cache, fast),
                    device,
                )
    return GraphInputs(users, items, user_item, item_graphs, features, present, user_present)


def normalised_block(pairs: Interactions, users: int, items: int, item_degree: Ints | None = None) -> sp.csr_array:
    """Return float32 [U, I] with 1 / sqrt(degree(u) * degree(i)) for each pair (LightGCN, He et al., equation 3).

    Args:
        pairs: all pairs of the users.
        users, items: U and I.
        item_degree: int64 [I], of the items, where these are not the pairs of all users.
    """
    user_degree = np.bincount(pairs.users, minlength=users)
    if item_degree is None:
        item_degree = np.bincount(pairs.items, minlength=items)
    values = 1.0 / np.sqrt(user_degree[pairs.users] * item_degree[pairs.items], dtype=np.float64)
    return sp.csr_array((values.astype(np.float32), (pairs.users, pairs.items)), shape=(users, items))


def user_item_graph(pairs: Interactions, users: int, items: int, device: torch.device) -> SparseMatrix:
    """Return the normalised user-item graph [U + I, U + I] of `pairs`."""
    return bipartite_adjacency(normalised_block(pairs, users, items), device)


def bipartite_adjacency(block: sp.csr_array, device: torch.device) -> SparseMatrix:
    """Return the symmetric [U + I, U + I] graph, users first, with this upper right block [U, I]."""
    return SparseMatrix.of(sp.block_array([[None, block], [block.T, None]], format="csr"), device, symmetric=True)


def _cached_neighbour_graph(
    values: Floats,
    present: Bools,
    anchors: Bools,
    k: int,
    graph_cache: dict[bytes, sp.csr_array] | None,
    device: torch.device,
) -> sp.csr_array:
    if graph_cache is None:
        return neighbour_graph(values, present, anchors, k, device)
    state = hashlib.sha256(f"{values.shape} {k} {device.type}".encode())
    for array in (values, present, anchors):
        state.update(np.ascontiguousarray(array).data)
    key = state.digest()
    if key not in graph_cache:
        graph_cache[key] = neighbour_graph(values, present, anchors, k, device)
    return graph_cache[key]


def neighbour_graph(
    features: Floats, present: Bools, anchors: Bools, k: int, device: torch.device = _CPU
) -> sp.csr_array:
    """Build the symmetrically normalised k-nearest-neighbour graph by cosine similarity (LATTICE, equations 1 to 4).

    Each present item links to itself and to its k - 1 most similar anchors; its degree is the sum of its weights.
    Built in blocks of rows, so that no [I, I] array is ever held.

    Args:
        features: float32 [I, F].
        present: bool [I]; absent items have neither a row nor a column.
        anchors: bool [I], those present items that others may link to.
        k: neighbours, the item itself included.
        device: computes the similarities.

    Returns:
        float32 [I, I] with at most k entries a row.
    """
    rows, columns = np.flatnonzero(present), np.flatnonzero(anchors)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    targets = torch.from_numpy(unit[columns]).to(device)
    position = inverse_index(columns, len(features))
    width = min(k - 1, max(len(columns) - 1, 0))
    size = _BLOCK_BYTES if device.type == "cpu" else _BLOCK_BYTES_ON_DEVICE
    block = max(1, size // (4 * max(1, len(columns))))
    buffer = targets.new_empty(min(block, len(rows)), len(columns))  # reused, so that its pages are mapped once
    found = [np.empty((0, width), dtype=np.int64)]
    weights = [np.empty((0, width), dtype=np.float32)]
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        similarity = torch.mm(torch.from_numpy(unit[part]).to(device), targets.T, out=buffer[: len(part)])
        inside = np.flatnonzero(position[part] >= 0)
        # an anchor is its own nearest neighbour; masked here, and added to every row afterwards
        itself = torch.from_numpy(inside * len(columns) + position[part][inside]).to(device)
        similarity.view(-1)[itself] = -torch.inf
        values, nearest = top_k_per_row(similarity, width)
        found.append(columns[nearest.cpu().numpy()])
        weights.append(values.cpu().numpy())
    return _normalised_rows(rows, np.concatenate(found), np.concatenate(weights), len(features))


def _normalised_rows(rows: Ints, neighbours: Ints, weights: Floats, size: int) -> sp.csr_array:
    """Weigh each link by 1 / sqrt(degree of its head * degree of its tail), self links of weight one included."""
    heads = np.concatenate([rows, np.repeat(rows, neighbours.shape[1])])
    tails = np.concatenate([rows, neighbours.ravel()])
    values = np.concatenate([np.ones(len(rows), dtype=np.float32), np.maximum(weights.ravel(), 0)])
    degree = np.bincount(heads, weights=values, minlength=size)
    scale = 1.0 / np.sqrt(np.maximum(degree, 1e-12))
    return sp.csr_array(((values * scale[heads] * scale[tails]).astype(np.float32), (heads, tails)), shape=(size, size))
