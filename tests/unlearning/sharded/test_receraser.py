import numpy as np
import pytest
import torch

from mmrecun.errors import ConfigError
from mmrecun.rng import Seed
from mmrecun.unlearning.sharded.base import Stacked, Unit
from mmrecun.unlearning.sharded.clustering import Points, assign, balanced_clusters
from mmrecun.unlearning.sharded.receraser import Aggregation, RecEraser, RecEraserConfig, clustered
from tests.contracts.models import CPU
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, task_of


class TestRecEraser(UnlearnerContract):
    name = "receraser"
    settings = {"shards": 2, "pretraining": 5, "aggregation": 10}


def greedily(distances: np.ndarray, capacity: int) -> np.ndarray:
    """All pairs from near to far, one after the other."""
    labels = np.full(len(distances), -1)
    for pair in np.argsort(distances, axis=None):
        point, cluster = np.unravel_index(pair, distances.shape)
        if labels[point] < 0 and (labels == cluster).sum() < capacity:
            labels[point] = cluster
    return labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("points", "clusters", "capacity"), [(40, 4, 10), (40, 4, 12), (31, 7, 5), (5, 5, 1)])
def test_assignment_is_the_greedy_one(points: int, clusters: int, capacity: int, seed: int):
    distances = np.random.default_rng(seed).random((points, clusters)) * np.linspace(1, 3, clusters)
    found = assign(distances.astype(np.float32), capacity)
    np.testing.assert_array_equal(found, greedily(distances, capacity))
    assert np.bincount(found, minlength=clusters).max() <= capacity


def pairs_of_groups() -> tuple[Points, np.ndarray]:
    rng = np.random.default_rng(0)
    users = torch.from_numpy(np.repeat([[0.0, 5.0], [5.0, 0.0]], 6, axis=0) + rng.normal(size=(12, 2)) * 0.1).float()
    items = torch.from_numpy(np.repeat([[0.0, 5.0], [5.0, 0.0]], 4, axis=0) + rng.normal(size=(8, 2)) * 0.1).float()
    grid = np.array([(u, i) for u in range(12) for i in range(8) if (u < 6) == (i < 4)])
    return Points((users, items), (torch.from_numpy(grid[:, 0]), torch.from_numpy(grid[:, 1]))), grid[:, 0] < 6


def test_distances_and_means_are_those_of_loops():
    points, _ = pairs_of_groups()
    rng = np.random.default_rng(1)
    anchors = [torch.from_numpy(rng.normal(size=(3, 2))).float() for _ in range(2)]
    labels = torch.from_numpy(rng.integers(2, size=len(points)))
    distances, means = points.distances(anchors).numpy(), points.means(labels, anchors)
    for n in range(len(points)):
        vectors = [table[rows[n]] for table, rows in zip(points.tables, points.rows, strict=True)]
        for s in range(3):
            product = np.prod([float(((v - a[s]) ** 2).sum()) for v, a in zip(vectors, anchors, strict=True)])
            np.testing.assert_allclose(distances[n, s], product, rtol=1e-4)
    for table, rows, mean, anchor in zip(points.tables, points.rows, means, anchors, strict=True):
        for s in range(2):
            torch.testing.assert_close(mean[s], table[rows[labels == s]].mean(dim=0))
        assert torch.equal(mean[2], anchor[2])


def test_planted_groups_are_found_from_most_starts():
    points, group = pairs_of_groups()
    right = 0
    for seed in range(10):
        labels = balanced_clusters(points, 2, 29, 50, np.random.default_rng(seed))
        assert np.bincount(labels).max() <= 29
        right += bool(((labels == labels[0]) == (group == group[0])).all())
    assert right >= 7


@pytest.mark.parametrize("unit", list(Unit))
def test_no_shard_is_above_its_capacity(trained: Trained, unit: Unit):
    data, config = trained.dataset, RecEraserConfig(shards=3, unit=unit, pretraining=2)
    labels = clustered(data, config, TRAINING, Seed(0), CPU)
    rows = {Unit.USERS: data.train.users, Unit.ITEMS: data.train.items}.get(unit, np.arange(len(data.train)))
    size = len(np.unique(rows))
    of_unit = dict(zip(rows.tolist(), labels.tolist(), strict=True))
    assert [of_unit[row] for row in rows.tolist()] == labels.tolist()
    assert np.bincount(list(of_unit.values()), minlength=3).max() <= np.ceil(1.2 * max(size, unit.units(data)) / 3)


def test_more_shards_than_items_are_refused(trained: Trained):
    with pytest.raises(ConfigError, match="only 50 items"):
        clustered(trained.dataset, RecEraserConfig(shards=51, unit=Unit.ITEMS), TRAINING, Seed(0), CPU)


def test_attention_is_the_papers_sum_over_the_shards_that_have_the_row():
    rng = Seed(0).torch()
    network = Aggregation(3, 4, rng)
    vectors = torch.randn(5, 3, 4, generator=rng)
    there = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]).bool()
    found = network("item", Stacked(vectors * there.unsqueeze(2), there)).detach().numpy()
    first, _, last = network.attention["item"]
    v, c, h = (value.detach().double().numpy() for value in (first.weight, first.bias, last.weight))
    for n in range(5):
        moved, logits = [], []
        for j in np.flatnonzero(there[n].numpy()):
            w, b = (value.detach().double().numpy() for value in network.transfers[j].parameters())
            moved.append(w @ vectors[n, j].double().numpy() + b)
            logits.append((h @ np.maximum(v @ moved[-1] + c, 0)).item())
        weights = np.exp(logits) / np.exp(logits).sum() if logits else []
        expected = sum((a * t for a, t in zip(weights, moved, strict=True)), start=np.zeros(4))
        np.testing.assert_allclose(found[n], expected, rtol=1e-4, atol=1e-6)


def test_clustering_anew_sees_the_retained_data_only(trained: Trained):
    task = task_of(trained, "pairs")
    config = RecEraserConfig(shards=2, pretraining=3, aggregation=1, recluster=True)
    result = RecEraser(config).run(task)
    assert result.setup_seconds == 0
    assert result.stop_reason == "2 of 2 shards trained again; clustered by retained data"
    train, partition = trained.dataset.train, task.partition
    labels = RecEraser(config)._labels(task)
    retained = partition.retained_pairs.contains(train.users, train.items, len(trained.dataset.items))
    assert (labels[~retained] == -1).all()
    expected = clustered(partition.retained, config, TRAINING, Seed(5).child("clustering"), CPU)
    np.testing.assert_array_equal(labels[retained], expected)
    assert RecEraser(config.model_copy(update={"recluster": False})).run(task).setup_seconds > 0
