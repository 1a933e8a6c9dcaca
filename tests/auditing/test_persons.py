import numpy as np
import pytest
import torch

from mmrecun.auditing.persons import against_golds, harm, neighbours
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def test_users_outside_the_range_of_all_golds_are_counted_by_side():
    golds = [np.array([0.0, 0.4, 0.5, 1.0]), np.array([0.2, 0.5, 0.5, 0.8])]
    found = against_golds(np.array([0.1, 0.6, 0.5, 0.0]), golds)
    assert (found.users, found.below, found.above) == (4, 0.25, 0.25)
    assert sum(found.gaps) == pytest.approx(1)
    assert found.gaps[1] == 0.25  # 0.0 against a mean of 0.9
    assert against_golds(golds[0], golds[:1]) is None
    assert against_golds(np.empty(0), [np.empty(0), np.empty(0)]) is None  # nobody has a test pair


def test_harm_is_the_change_of_those_nearest_and_of_the_worst_of_them():
    before, after = np.full(200, 0.5), np.linspace(0.0, 1.0, 200)
    after[:3] = np.nan
    found = harm(before, after, np.arange(200) < 100)
    change = (after - before)[3:100]
    assert (found.users, found.mean) == (97, pytest.approx(change.mean()))
    assert (found.p1, found.p5) == pytest.approx(tuple(np.quantile(change, (0.01, 0.05))))
    assert harm(before, np.full(200, np.nan), np.ones(200, dtype=bool)) is None


def test_neighbours_are_the_nearest_by_cosine_or_the_users_that_were_touched(dataset: Dataset):
    partition = Partition.from_request(dataset, ForgetRequest(users=(dataset.users.names[0],)))
    vectors = torch.randn(len(dataset.users), 3, generator=torch.Generator().manual_seed(0))
    rows = np.arange(len(partition.user_rows))
    chosen = neighbours(vectors, partition, np.zeros(len(dataset.users), dtype=bool), rows)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    expected = (unit @ unit[0])[1:].topk(10).indices.sort().values
    assert np.flatnonzero(chosen).tolist() == expected.tolist()
    pair = (dataset.users.names[int(dataset.train.users[0])], dataset.items.names[int(dataset.train.items[0])])
    partition = Partition.from_request(dataset, ForgetRequest(pairs=(pair,)))
    affected = np.arange(len(dataset.users)) == 3
    assert np.flatnonzero(neighbours(vectors, partition, affected, rows)).tolist() == [3]
