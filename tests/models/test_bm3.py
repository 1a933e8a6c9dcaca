from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Sizes, TripleVectors
from mmrecun.models.bm3 import BM3, BM3Config, distance
from mmrecun.models.full_batch import AllPairs
from mmrecun.rng import Seed
from mmrecun.training.losses import training_loss
from tests.contracts.models import CPU, ModelContract, build, disturb, scores, with_modalities

TRIPLES = Triples(*(torch.tensor(rows) for rows in ([0, 0, 5, 7], [1, 2, 3, 4], [4, 4, 9, 8])))


class TestBM3(ModelContract):
    name = "bm3"


def configured(dataset: Dataset, **settings) -> BM3:
    return disturb(BM3(BM3Config(dim=8, **settings), Sizes.of_dataset(dataset), Seed(1).torch()))


def dense(dataset: Dataset, model: BM3, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors before the predictor, from powers of the dense graph."""
    users, items = len(dataset.users), len(dataset.items)
    adjacency = np.zeros((users + items, users + items))
    adjacency[dataset.train.users, users + dataset.train.items] = 1
    adjacency += adjacency.T
    degree = np.maximum(adjacency.sum(axis=1), 1)
    graph = adjacency / np.sqrt(np.outer(degree, degree))
    rows = np.concatenate([model.users.weight.detach().numpy(), model.items.weight.detach().numpy()]).astype(float)
    mean = sum(np.linalg.matrix_power(graph, hop) @ rows for hop in range(layers + 1)) / (layers + 1)
    return mean[:users], mean[users:] + rows[users:]


def predicted(model: BM3, rows: np.ndarray) -> np.ndarray:
    return rows @ model.predictor.weight.detach().numpy().T


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return 1 - (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_the_predictor_starts_as_the_identity(dataset: Dataset):
    vectors = build("bm3", dataset).vectors(build_inputs(dataset, build("bm3", dataset).required_inputs(), CPU))
    assert torch.equal(vectors.users, vectors.views["before"][0])
    assert torch.equal(vectors.items, vectors.views["before"][1])


def test_scores_equal_a_dense_recomputation(dataset: Dataset):
    model = configured(dataset, layers=3)
    users, items = (predicted(model, rows) for rows in dense(dataset, model, 3))
    np.testing.assert_allclose(scores(model, dataset), users @ items.T, rtol=1e-3, atol=1e-5)


def test_the_loss_equals_a_dense_recomputation(dataset: Dataset):
    model = configured(dataset, alignment=0.7, l2=0.05)
    absent = np.flatnonzero(~dataset.modalities["image"].present)[:1]
    positives = torch.from_numpy(np.append([1, 2, 3], absent))
    users, items = dense(dataset, model, 1)
    users, items = users[TRIPLES.users], items[positives]
    expected = apart(predicted(model, users), items).mean() + apart(predicted(model, items), users).mean()
    expected += 0.05 * ((users**2).sum() + (items**2).sum()) / (2 * len(TRIPLES))
    for name, modality in dataset.modalities.items():
        there = modality.present[positives]
        projection = model.projections[name]
        own = modality.values()[positives] @ projection.weight.detach().numpy().T
        own += projection.bias.detach().numpy()
        online = predicted(model, own)
        expected += 0.7 * (apart(online, items)[there].mean() + apart(online, own)[there].mean())
    batch = model.batch_vectors(
        build_inputs(dataset, model.required_inputs(), CPU), Triples(TRIPLES.users, positives, TRIPLES.negatives)
    )
    assert training_loss(model, batch).item() == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_a_tiny_batch_by_hand():
    model = BM3(BM3Config(dim=2, alignment=0.5, l2=0.1), Sizes(users=1, items=1, widths={"image": 1}), Seed(0).torch())
    with torch.no_grad():
        model.predictor.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    users, items = torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [4.0, 3.0]])
    contents = torch.tensor([[0.0, 5.0], [0.0, 0.0]])
    views = {"before": (users, items, items), "own image": (users, contents, contents)}
    batch = TripleVectors(model.predictor(users), model.predictor(items), model.predictor(items), views)
    # the predictor swaps both entries: pairs (0, 1) x (0, 2) and (4, 3) x (4, 3) agree, and so the other way round;
    # the one image becomes (5, 0), at right angles to its item and to itself
    assert training_loss(model, batch).item() == pytest.approx(0.5 * (1 + 1) + 0.1 * (26 + 29) / 4, rel=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_loss_of_all_pairs_at_once_is_that_of_a_batch_of_them(dataset: Dataset, layers: int):
    model, train = configured(dataset, alignment=0.7, l2=0.05, layers=layers), dataset.train
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    users, items = (torch.from_numpy(rows.astype(np.int64)) for rows in (train.users, train.items))
    batch = training_loss(model, model.batch_vectors(inputs, Triples(users, items, items)))
    at_once = model.full_batch_loss(inputs, AllPairs(train, (len(dataset.users), len(dataset.items)), CPU))
    assert at_once.item() == pytest.approx(batch.item(), rel=1e-5)
    parameters = list(model.parameters())
    for one, other in zip(*(torch.autograd.grad(loss, parameters) for loss in (at_once, batch)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_with_dropout_the_loss_of_all_pairs_draws_masks_and_items(dataset: Dataset):
    model = configured(dataset, dropout=0.3)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    pairs = AllPairs(dataset.train, (len(dataset.users), len(dataset.items)), CPU)
    whole = model.full_batch_loss(inputs, pairs).item()
    model.dropout_rng = torch.Generator().manual_seed(0)
    drawn = [model.full_batch_loss(inputs, pairs).item() for _ in range(20)]
    model.config = model.config.model_copy(update={"dropout": 0.0})
    items = [model.full_batch_loss(inputs, pairs).item() for _ in range(20)]
    assert len(set(drawn)) == len(set(items)) == 20
    assert np.mean(items) == pytest.approx(whole, rel=0.01)
    assert len(pairs.draw_items(5, model.dropout_rng)) == 5
    assert torch.equal(pairs.draw_items(5, None), torch.from_numpy(dataset.train.items.astype(np.int64)))


def test_targets_take_no_gradient_and_negatives_no_part(dataset: Dataset):
    model = configured(dataset, l2=0)
    users, items = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8, requires_grad=True)
    negatives, contents = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8)
    views = {"before": (users, items, negatives)} | {f"own {name}": (contents,) * 3 for name in ("image", "audio")}
    online = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8, requires_grad=True)
    training_loss(model, TripleVectors(*online, negatives, views)).backward()
    assert not any(rows.grad is not None and rows.grad.any() for rows in (users, items, negatives))
    assert all(rows.grad.abs().sum() > 0 for rows in online)


def test_dropout_leaves_out_its_share_while_training_only(dataset: Dataset):
    model = configured(dataset, dropout=0.3)
    rows = torch.ones(400, 100, requires_grad=True)
    assert torch.equal(model._target(rows), rows)
    model.dropout_rng = torch.Generator().manual_seed(2)
    one, other = model._target(rows), model._target(rows)
    assert set(one.unique().tolist()) == {0.0, 1.0}
    assert (one == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(one, other)
    assert not one.requires_grad
    model.dropout_rng = torch.Generator().manual_seed(2)
    assert torch.equal(one, model._target(rows))


def test_scores_do_not_change_while_an_epoch_is_trained(dataset: Dataset):
    model = configured(dataset)
    before = scores(model, dataset)
    model.dropout_rng = torch.Generator().manual_seed(0)
    assert torch.equal(scores(model, dataset), before)


def test_without_modalities_the_id_part_remains(dataset: Dataset):
    model, bare = configured(dataset), with_modalities(dataset)
    lesser = configured(bare)
    lesser.load_state_dict({name: model.state_dict()[name] for name in lesser.state_dict()})
    assert torch.equal(scores(model, dataset), scores(lesser, bare))
    alone = training_loss(lesser, lesser.batch_vectors(build_inputs(bare, lesser.required_inputs(), CPU), TRIPLES))
    both = training_loss(model, model.batch_vectors(build_inputs(dataset, model.required_inputs(), CPU), TRIPLES))
    assert 0 < alone < both


def test_gathered_rows_equal_those_of_all_vectors(dataset: Dataset):
    model = configured(dataset)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    one, other = model.batch_vectors(inputs, TRIPLES), model.vectors(inputs).of_triples(TRIPLES)
    torch.testing.assert_close(*(vars(replace(batch, triples=None)) for batch in (one, other)))
    assert set(one.views) == {"before", "own image", "own audio"}


def test_a_branch_scores_users_with_predicted_features(dataset: Dataset):
    model = disturb(build("bm3", dataset))
    vectors = model.vectors(build_inputs(dataset, model.required_inputs(), CPU))
    audio, projection = dataset.modalities["audio"], model.projections["audio"]
    own = audio.values() @ projection.weight.detach().numpy().T + projection.bias.detach().numpy()
    users, items = (rows.detach().numpy() for rows in vectors.branches["audio"])
    np.testing.assert_allclose(users, predicted(model, dense(dataset, model, 1)[0]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(items[audio.present], predicted(model, own)[audio.present], rtol=1e-4, atol=1e-5)
    assert not items[~audio.present].any()


def test_distance_counts_the_rows_that_are_there():
    one, other = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[-2.0, 0.0], [3.0, 0.0]])
    assert distance(one, other).item() == pytest.approx(1)
    assert distance(one, other, torch.tensor([True, False])).item() == pytest.approx(2)
    assert distance(one, other, torch.tensor([False, False])).item() == 0
