import numpy as np
import pytest

from mmrecun.auditing.bystanders import FEWEST, ListChanges, item_counts, least_affected, weighted_gain
from mmrecun.auditing.marks import AffectedRows
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def touched_of(above: np.ndarray) -> AffectedRows:
    rows = np.arange(len(above))
    return AffectedRows(rows, above, np.ones(len(above), dtype=int), above * 0.5, np.ones(len(above), dtype=int), above)


def test_places_count_the_first_twenty_of_every_list():
    lists = np.array([[0, 2, *range(5, 23), 1], [2, -1, *[-1] * 19]])
    assert item_counts(lists, 24)[[0, 1, 2, 5]].tolist() == [1, 0, 2, 1]


def test_chance_is_that_of_dealing_the_weights_out_anew():
    rng = np.random.default_rng(0)
    weights, gain, strata = rng.random(40), rng.normal(size=40), np.repeat([1, 2], 20)
    drawn = []
    for _ in range(20_000):
        dealt = np.concatenate([rng.permutation(weights[:20]), rng.permutation(weights[20:])])
        drawn.append(dealt @ gain)
    excess, spread = weighted_gain(weights, gain, strata)
    assert excess == pytest.approx(weights @ gain - np.mean(drawn), abs=0.03)
    assert spread == pytest.approx(np.std(drawn), rel=0.03)


def test_items_pushed_on_everybody_are_seen_and_listed():
    rng = np.random.default_rng(1)
    above = np.arange(200) < 20
    before = np.stack([rng.permutation(200)[:20] for _ in range(100)])
    after = before.copy()
    after[:, :5] = np.stack([rng.permutation(20)[:5] for _ in range(100)])
    moved = ListChanges(np.arange(100), np.arange(100) < 60, touched_of(above))
    recall = {"before": np.full(100, 0.4), "after": np.where(np.arange(100) % 2, 0.3, np.nan)}
    recall["before"][::2] = np.nan
    found = moved.measure(before, after, recall)
    assert found.users == 60
    assert found.share_before == pytest.approx(item_counts(before[:60], 200)[:20].sum() / 1200)
    assert found.share_after > 0.3
    assert found.gain > 3 * found.gain_error
    assert (found.recall_before, found.recall_after) == (pytest.approx(0.4), pytest.approx(0.3))
    assert moved.lists_mark(before, after).auc > 0.95
    same = moved.lists_mark(before, before)
    assert (same.auc, same.rows, same.others) == (0.5, 20, 180)


def test_fewer_than_fifty_bystanders_are_not_spoken_of():
    lists = np.zeros((40, 20), dtype=int)
    moved = ListChanges(np.arange(40), np.ones(40, dtype=bool), touched_of(np.arange(30) < 3))
    assert moved.measure(lists, lists, {"before": np.ones(40), "after": np.ones(40)}) is None


def test_bystanders_share_nothing_with_the_request(dataset: Dataset):
    pair = (dataset.users.names[int(dataset.train.users[0])], dataset.items.names[int(dataset.train.items[0])])
    partition = Partition.from_request(dataset, ForgetRequest(pairs=(pair,)))
    rows = np.unique(partition.retained.train.users)
    found = least_affected(partition, rows)
    train = partition.retained.train
    item = partition.forgotten.items[0]
    having = np.unique(train.users[train.items == item])
    expected = ~np.isin(rows, [*having, partition.forgotten.users[0]])
    if expected.sum() < FEWEST:
        assert not (found & ~expected).any() or found.sum() >= len(rows) // 4
    else:
        assert (found == expected).all()
    everybody = ForgetRequest(users=tuple(dataset.users.names[:20]))
    partition = Partition.from_request(dataset, everybody)
    rows = np.unique(partition.retained.train.users)
    assert least_affected(partition, rows).sum() == pytest.approx(len(rows) / 4, abs=3)
