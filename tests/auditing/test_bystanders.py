from itertools import permutations, product

import numpy as np
import pytest

from mmrecun.auditing.bystanders import FEWEST, ListChanges, item_counts, least_affected, weighted_gain
from mmrecun.auditing.marks import AffectedRows
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def touched_of(above: np.ndarray) -> AffectedRows:
    rows = np.arange(len(above))
    return AffectedRows(rows, above, np.ones(len(above), dtype=int), above * 0.5, np.ones(len(above), dtype=int), above)


def test_places_count_the_first_twenty_of_every_list():
    lists = np.array([[0, 2, *range(5, 23), 1], [2, -1, *[-1] * 19]])
    assert item_counts(lists, 24)[[0, 1, 2, 5]].tolist() == [1, 0, 2, 1]


def test_chance_is_that_of_dealing_the_weights_out_anew():
    """Strata of four, two and one: every way to deal, each equally likely."""
    rng = np.random.default_rng(0)
    weights, gain, strata = rng.random(7), rng.normal(size=7), np.repeat([1, 2, 3], [4, 2, 1])
    ways = product(permutations(weights[:4]), permutations(weights[4:6]))
    dealt = [gain @ [*first, *second, weights[6]] for first, second in ways]
    excess, spread = weighted_gain(weights, gain, strata)
    assert excess == pytest.approx(weights @ gain - np.mean(dealt))
    assert spread == pytest.approx(np.std(dealt))


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


@pytest.mark.parametrize("count", [49, 50])
def test_fewer_than_fifty_bystanders_are_not_spoken_of(count: int):
    lists = np.zeros((count, 20), dtype=int)
    moved = ListChanges(np.arange(count), np.ones(count, dtype=bool), touched_of(np.arange(30) < 3))
    found = moved.measure(lists, lists, {"before": np.ones(count), "after": np.ones(count)})
    assert (found is None) == (count < 50)


def ring(users: int, items: int) -> Dataset:
    """Each user has four items in a row, from the one after the first of the user before."""
    rows = np.arange(users).repeat(4)
    pairs = Interactions(rows, (rows + np.tile(np.arange(4), users)) % items, np.zeros(4 * users, dtype=np.int8))
    names = ([f"{kind}{row}" for row in range(size)] for kind, size in (("u", users), ("i", items)))
    return Dataset("ring", *map(IdMap.of, ("user", "item"), names), pairs)


def exposures(partition: Partition) -> np.ndarray:
    """The mean share that a user's retained items lost, and the share that the user lost, in plain loops."""
    before, after, lost = partition.original.train, partition.retained_pairs, partition.forgotten
    share = [
        (lost.items == item).sum() / max((before.items == item).sum(), 1) for item in range(before.items.max() + 1)
    ]
    for mask in partition.removed_features.values():
        share += mask
    return np.array(
        [
            np.mean(np.array(share)[after.items[after.users == user]])
            + (lost.users == user).sum() / (before.users == user).sum()
            for user in partition.user_rows
        ]
    )


@pytest.mark.parametrize("request_", [{"pairs": (("u3", "i5"), ("u90", "i1"))}, {"users": ("u0", "u50")}])
def test_bystanders_share_nothing_with_the_request(request_: dict[str, tuple]):
    partition = Partition.from_request(ring(120, 30), ForgetRequest(**request_))
    rows = np.arange(len(partition.user_rows))
    found = least_affected(partition, rows)
    assert FEWEST <= found.sum() < len(rows)
    assert (found == (exposures(partition) == 0)).all()
    assert (least_affected(partition, rows[:-3]) == found[:-3]).all()


@pytest.mark.parametrize("request_", [{"pairs": (("u3", "i5"), ("u30", "i1"))}, {"items": ("i0", "i7", "i8")}])
def test_where_few_share_nothing_the_least_exposed_quarter_does(request_: dict[str, tuple]):
    partition = Partition.from_request(ring(49, 30), ForgetRequest(**request_))
    exposure = exposures(partition)
    rows = np.arange(len(exposure))
    assert (exposure == 0).sum() < FEWEST
    assert (least_affected(partition, rows) == (exposure <= np.quantile(exposure, 0.25))).all()
