from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Sizes, TripleVectors
from mmrecun.models.freedom import FREEDOM, FREEDOMConfig, bpr_of_present, pruned, sample_edges
from mmrecun.models.lightgcn import LightGCN, LightGCNConfig
from mmrecun.rng import Seed
from tests.contracts.models import CPU, ModelContract, build, disturb, scores, with_modalities

TRIPLES = Triples(*(torch.tensor(rows) for rows in ([0, 0, 5, 7], [1, 2, 3, 4], [4, 4, 9, 8])))


class TestFREEDOM(ModelContract):
    name = "freedom"


def configured(dataset: Dataset, **settings) -> FREEDOM:
    return disturb(FREEDOM(FREEDOMConfig(dim=8, **settings), Sizes.of_dataset(dataset), Seed(1).torch()))


def normalised(pairs: np.ndarray) -> np.ndarray:
    """The whole bipartite graph, divided by the roots of the degrees, from a bool [U, I]."""
    users, items = pairs.shape
    adjacency = np.block([[np.zeros((users, users)), pairs], [pairs.T, np.zeros((items, items))]])
    degree = np.maximum(adjacency.sum(axis=1), 1)
    return adjacency / np.sqrt(np.outer(degree, degree))


def training_pairs(dataset: Dataset) -> np.ndarray:
    pairs = np.zeros((len(dataset.users), len(dataset.items)), dtype=bool)
    pairs[dataset.train.users, dataset.train.items] = True
    return pairs


def item_graph(dataset: Dataset, neighbours: int, shares: dict[str, float]) -> np.ndarray:
    """The mixed graph one item at a time: shares of what the item has, by cosine similarity."""
    items = len(dataset.items)
    mixed = np.zeros((items, items))
    total = sum(shares[name] * modality.present for name, modality in dataset.modalities.items())
    for name, modality in dataset.modalities.items():
        there = np.flatnonzero(modality.present)
        features = modality.features.astype(float)
        graph = np.zeros((items, items))
        for item in there:
            cosines = features[there] @ features[item]
            cosines /= np.linalg.norm(features[there], axis=1) * np.linalg.norm(features[item])
            best = np.argsort(-cosines)[:neighbours]
            graph[item, there[best]] = np.maximum(cosines[best], 0)
        degree = np.maximum(graph.sum(axis=1), 1e-12)
        for item in there:
            mixed[item] += shares[name] / total[item] * graph[item] / np.sqrt(degree[item] * degree)
    return mixed


def test_scores_equal_a_dense_recomputation(dataset: Dataset):
    model = configured(dataset, layers=3, item_layers=2, neighbours=7, shares={"image": 0.1, "audio": 0.9})
    users, items = model.users.weight.detach().numpy(), model.items.weight.detach().numpy()
    rows, graph = np.concatenate([users, items]).astype(float), normalised(training_pairs(dataset))
    smooth = sum(np.linalg.matrix_power(graph, hop) @ rows for hop in range(4)) / 4
    near = item_graph(dataset, 7, {"image": 0.1, "audio": 0.9})
    vectors = smooth[len(users) :] + near @ near @ items
    np.testing.assert_allclose(scores(model, dataset), smooth[: len(users)] @ vectors.T, rtol=1e-3, atol=1e-5)


def test_shares_that_are_not_named_are_equal(dataset: Dataset):
    plain, equal, other = (
        configured(dataset, **shares)
        for shares in ({}, {"shares": {"image": 1, "audio": 1}}, {"shares": {"image": 0.1}})
    )
    assert torch.equal(scores(plain, dataset), scores(equal, dataset))
    assert not torch.allclose(scores(plain, dataset), scores(other, dataset))


def test_no_share_at_all_leaves_the_user_item_graph_alone(dataset: Dataset):
    model = configured(dataset, shares={"image": 0, "audio": 0})
    assert torch.equal(scores(model, dataset), scores_of_lightgcn(model, dataset))


def scores_of_lightgcn(model: FREEDOM, dataset: Dataset) -> torch.Tensor:
    plain = LightGCN(LightGCNConfig(dim=8, layers=2), Sizes.of_dataset(dataset), Seed(1).torch())
    plain.load_state_dict({name: model.state_dict()[name] for name in ("users.weight", "items.weight")})
    return scores(plain, dataset)


def test_without_modalities_it_is_lightgcn(dataset: Dataset):
    bare = with_modalities(dataset)
    model, plain = (
        configured(bare, l2=0.01),
        LightGCN(LightGCNConfig(dim=8, layers=2, l2=0.01), Sizes.of_dataset(bare), Seed(1).torch()),
    )
    plain.load_state_dict(model.state_dict())
    one, other = (
        some.batch_vectors(build_inputs(bare, some.required_inputs(), CPU), TRIPLES) for some in (model, plain)
    )
    assert torch.equal(scores(model, bare), scores(plain, bare))
    assert torch.equal(model.auxiliary_loss(one), plain.auxiliary_loss(other))


def test_edges_are_kept_in_proportion_to_their_weights():
    weights, rng = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.Generator().manual_seed(5)
    draws, counts = 6000, np.zeros((4, 4))
    for _ in range(draws):
        first, second = sample_edges(weights, 0.5, rng).tolist()
        counts[first, second] += 1
    share = weights.numpy() / 10
    expected = np.outer(share, share) / (1 - share[:, None])
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(counts / draws, expected, atol=4 * np.sqrt(0.25 / draws))
    assert expected.sum() == pytest.approx(1)


@pytest.mark.parametrize(("share", "kept"), [(0.0, 10), (0.25, 8), (0.79, 3), (0.99, 1)])
def test_the_floor_of_the_share_leaves(share: float, kept: int):
    drawn = sample_edges(torch.rand(10) + 0.1, share, torch.Generator().manual_seed(0)).tolist()
    assert len(drawn) == len(set(drawn)) == kept


def test_a_pruned_graph_is_part_of_the_whole_and_normalised_by_its_own_degrees(dataset: Dataset):
    inputs = build_inputs(dataset, configured(dataset).required_inputs(), CPU)
    smaller = pruned(inputs, 0.3, torch.Generator().manual_seed(3))
    block = smaller.user_block.forward.to_dense().numpy()
    kept, whole = block > 0, training_pairs(dataset)
    assert kept.sum() == len(dataset.train) - int(0.3 * len(dataset.train))
    assert not (kept & ~whole).any()
    np.testing.assert_allclose(smaller.user_item.forward.to_dense(), normalised(kept), rtol=1e-5)
    np.testing.assert_allclose(block, normalised(kept)[: len(block), len(block) :], rtol=1e-5)
    assert smaller.item_graphs is inputs.item_graphs
    assert inputs.user_block.forward.values().numel() == len(dataset.train)


def test_edges_between_popular_ends_leave_first(dataset: Dataset):
    model = configured(dataset, pruning=0.8)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    whole = training_pairs(dataset)
    weight = 1 / np.sqrt(np.outer(whole.sum(axis=1), np.maximum(whole.sum(axis=0), 1)))
    rng = torch.Generator().manual_seed(3)
    kept = sum((model.epoch_inputs(inputs, rng).user_block.forward.to_dense() > 0).numpy() for _ in range(50))
    low, high = np.quantile(weight[whole], [0.25, 0.75])
    assert kept[whole & (weight >= high)].mean() > 1.3 * kept[whole & (weight <= low)].mean()


def test_an_epoch_prunes_and_another_prunes_otherwise(dataset: Dataset):
    model = configured(dataset, pruning=0.5)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    one, same, other = (
        model.epoch_inputs(inputs, torch.Generator().manual_seed(seed)).user_item.forward.to_dense()
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert configured(dataset, pruning=0).epoch_inputs(inputs, torch.Generator()) is inputs


def test_the_loss_of_a_tiny_batch_by_hand():
    model = FREEDOM(FREEDOMConfig(dim=2, modality_loss=0.5, l2=0.1), Sizes(users=1, items=1), Seed(0).torch())
    model.sizes = Sizes(users=1, items=1, widths={"image": 1})
    users, positives = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    negatives = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    views = {"rows": (users, positives, negatives), "own image": (users, positives, negatives)}
    loss = model.auxiliary_loss(TripleVectors(users, positives, negatives, views))
    # margin 3 - 2 = 1 of the first triple; the second's negative lacks the image; squares: 6 + 11 + 1
    assert loss.item() == pytest.approx(0.5 * np.log1p(np.exp(-1)) + 0.1 * 18 / 4)


def test_own_terms_leave_out_items_without_the_modality(dataset: Dataset):
    image = dataset.modalities["image"]
    lost = np.isin(np.arange(len(dataset.items)), [2, 9])
    data = replace(dataset, modalities={"image": image.without(lost)})
    model = configured(data, modality_loss=0.3, l2=0)
    inputs = build_inputs(data, model.required_inputs(), CPU)
    vectors, weights = model.vectors(inputs), model.projections["image"].weight.detach().numpy()
    users, features = vectors.users.detach().numpy(), data.modalities["image"].values()
    terms = [
        np.log1p(np.exp(-users[user] @ (weights @ (features[positive] - features[negative]))))
        for user, positive, negative in zip(*(column.tolist() for column in vars(TRIPLES).values()), strict=True)
        if data.modalities["image"].present[[positive, negative]].all()
    ]
    assert 0 < len(terms) < len(TRIPLES)
    assert model.auxiliary_loss(vectors.of_triples(TRIPLES)).item() == pytest.approx(0.3 * np.mean(terms), rel=1e-5)
    nobody = torch.zeros(3, 2)
    assert bpr_of_present(nobody + 1, nobody, nobody).item() == 0


def test_gathered_rows_equal_those_of_all_vectors(dataset: Dataset):
    model = configured(dataset)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    one, other = model.batch_vectors(inputs, TRIPLES), model.vectors(inputs).of_triples(TRIPLES)
    torch.testing.assert_close(*(vars(replace(batch, triples=None)) for batch in (one, other)))
    assert set(one.views) == {"rows", "own image", "own audio"}


def test_a_branch_is_the_score_of_the_own_term(dataset: Dataset):
    model = build("freedom", dataset)
    vectors = model.vectors(build_inputs(dataset, model.required_inputs(), CPU))
    users, items = vectors.branches["audio"]
    projected = dataset.modalities["audio"].values() @ model.projections["audio"].weight.detach().numpy().T
    assert torch.equal(users, vectors.users)
    np.testing.assert_allclose(items.detach(), projected, rtol=1e-4, atol=1e-6)
    assert not items[torch.from_numpy(~dataset.modalities["audio"].present)].any()
