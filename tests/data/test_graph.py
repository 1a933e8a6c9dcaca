"""Graphs against dense matrices, built the plain way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data import graph
from mmrecun.data.graph import RequiredInputs, build_inputs, neighbour_graph, normalised_block
from mmrecun.data.interactions import Interactions
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

CPU = torch.device("cpu")


def dense_adjacency(known):
    """D^-1/2 A D^-1/2 of the bipartite graph, users first."""
    users, items = known.shape
    whole = np.zeros((users + items, users + items))
    whole[:users, users:] = known
    whole[users:, :users] = known.T
    degree = whole.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1)), 0)
    return scale[:, None] * whole * scale[None, :]


def dense_neighbours(features, present, anchors, k):
    """The normalised k-nearest-neighbour graph by loops over items."""
    size = len(features)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    weights = np.zeros((size, size))
    for row in np.flatnonzero(present):
        others = [column for column in np.flatnonzero(anchors) if column != row]
        best = sorted(others, key=lambda column: -(unit[row] @ unit[column]))[: min(k - 1, max(anchors.sum() - 1, 0))]
        weights[row, row] = 1
        for column in best:
            weights[row, column] = max(unit[row] @ unit[column], 0)
    scale = np.where(present, 1 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-12)), 0)
    return scale[:, None] * weights * scale[None, :]


@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 7), items=st.integers(1, 7))
@settings(deadline=None)
def test_the_user_item_block_agrees_with_a_dense_one(seed, users, items):
    known = np.random.default_rng(seed).random((users, items)) < 0.4
    rows, columns = np.nonzero(known)
    pairs = Interactions(rows, columns, np.zeros(len(rows), dtype=np.int8))
    block = normalised_block(pairs, users, items)
    assert block.dtype == np.float32
    np.testing.assert_allclose(block.toarray(), dense_adjacency(known)[:users, users:], rtol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 15),
    k=st.integers(1, 20),
    block=st.sampled_from([1, 64, 1 << 20]),
)
@settings(max_examples=80, deadline=None)
def test_the_neighbour_graph_agrees_with_a_dense_one_whatever_the_block(seed, size, k, block):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((size, 3)).astype(np.float32)
    present = rng.random(size) < 0.8
    anchors = present & (rng.random(size) < 0.7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "_BLOCK_BYTES", block)
        built = neighbour_graph(features, present, anchors, k)
    assert built.dtype == np.float32
    np.testing.assert_allclose(built.toarray(), dense_neighbours(features, present, anchors, k), rtol=1e-4, atol=1e-6)


def test_newcomers_are_nobodys_neighbour_and_change_no_other_row():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 4)).astype(np.float32)
    present = np.ones(30, dtype=bool)
    newcomers = np.zeros(30, dtype=bool)
    newcomers[[3, 8, 20]] = True
    features[3] = features[4]
    with_them = neighbour_graph(features, present, present & ~newcomers, 5).toarray()
    without = neighbour_graph(features, present & ~newcomers, present & ~newcomers, 5).toarray()
    assert not with_them[~newcomers][:, newcomers].any()
    np.testing.assert_array_equal(with_them[~newcomers], without[~newcomers])
    assert ((with_them[newcomers] > 0).sum(axis=1) >= 2).all()
    off_own = with_them[newcomers][:, newcomers] - np.diag(np.diag(with_them[newcomers][:, newcomers]))
    assert not off_own.any()


def test_items_without_features_have_neither_row_nor_column():
    present = np.array([True, False, True, True])
    built = neighbour_graph(np.ones((4, 2), dtype=np.float32), present, present, 4).toarray()
    assert not built[1].any()
    assert not built[:, 1].any()
    np.testing.assert_allclose(built[np.ix_(present, present)], np.full((3, 3), 1 / 3), rtol=1e-6)


def test_no_item_has_features():
    nothing = np.zeros(3, dtype=bool)
    assert neighbour_graph(np.zeros((3, 2), dtype=np.float32), nothing, nothing, 4).nnz == 0


def test_inputs_hold_what_the_spec_asks_for_and_no_more():
    dataset, _ = make(SyntheticConfig(users=30, items=20, interactions=300, missing=0.3), Seed(0))
    known = dataset.train.matrix(30, 20).toarray() > 0
    empty = build_inputs(dataset, RequiredInputs(), CPU)
    assert (empty.users, empty.items) == (30, 20)
    assert empty.user_item is None
    assert not empty.features
    assert not empty.item_graphs
    full = build_inputs(dataset, RequiredInputs(user_item=True, features=True, neighbours=4), CPU)
    np.testing.assert_allclose(full.user_item.forward.to_dense().numpy(), dense_adjacency(known), rtol=1e-6)
    np.testing.assert_allclose(
        full.user_block.transposed.to_dense().numpy(), dense_adjacency(known)[30:, :30], rtol=1e-6
    )
    for name, modality in dataset.modalities.items():
        assert full.present[name].numpy().tolist() == modality.present.tolist()
        assert not full.features[name][~full.present[name]].any()
        expected = (known & modality.present).any(axis=1)
        assert full.user_present[name].numpy().tolist() == expected.tolist()
        assert tuple(full.item_graphs[name].forward.shape) == (20, 20)


def test_newcomers_reach_the_item_graphs():
    dataset, _ = make(SyntheticConfig(users=30, items=20, interactions=300, missing=0), Seed(0))
    newcomers = {name: np.arange(20) == 5 for name in dataset.modalities}
    inputs = build_inputs(dataset, RequiredInputs(features=True, neighbours=6), CPU, newcomers)
    for matrix in inputs.item_graphs.values():
        column = matrix.forward.to_dense()[:, 5].numpy()
        assert np.flatnonzero(column).tolist() == [5]


def test_a_known_neighbour_graph_is_taken_for_the_same_content_only(monkeypatch: pytest.MonkeyPatch):
    dataset, _ = make(SyntheticConfig(users=30, items=20, interactions=300, groups=4, width=4), Seed(0))
    spec, known = RequiredInputs(features=True, neighbours=3), {}
    newcomers = {name: np.arange(20) < 5 for name in dataset.modalities}
    fresh = [build_inputs(dataset, spec, CPU, new).item_graphs for new in (None, newcomers)]
    shared = [build_inputs(dataset, spec, CPU, new, known).item_graphs for new in (None, newcomers)]
    assert len(known) == 4
    monkeypatch.setattr(graph, "neighbour_graph", None)
    shared += [build_inputs(dataset, spec, CPU, new, known).item_graphs for new in (None, newcomers)]
    for built, expected in zip(shared, fresh * 2, strict=True):
        for name in dataset.modalities:
            assert torch.equal(built[name].forward.to_dense(), expected[name].forward.to_dense())
