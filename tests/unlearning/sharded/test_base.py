import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.errors import ConfigError
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.sharded.base import Unit, affected_shards, random_shards, train_shard, train_shards
from tests.contracts.unlearning import TRAINING, Trained, validate

SHARDS = 3


def test_dealt_shards_differ_by_one_at_most():
    labels = random_shards(1000, 7, Seed(0).numpy())
    sizes = np.bincount(labels, minlength=7)
    assert sizes.max() - sizes.min() <= 1
    assert len(np.unique(labels[:50])) == 7


@pytest.mark.parametrize("unit", list(Unit))
def test_what_is_dealt_stays_together(dataset: Dataset, unit: Unit):
    labels = unit.of_pairs(random_shards(unit.units(dataset), SHARDS, Seed(0).numpy()), dataset.train)
    assert len(labels) == len(dataset.train)
    rows = {Unit.USERS: dataset.train.users, Unit.ITEMS: dataset.train.items}.get(unit, np.arange(len(labels)))
    owner: dict[int, int] = {}
    assert all(owner.setdefault(row, label) == label for row, label in zip(rows.tolist(), labels.tolist(), strict=True))


def task_on(trained: Trained, request: ForgetRequest) -> Task:
    partition = Partition.from_request(trained.dataset, request)
    return Task(trained.model, partition, TRAINING, Seed(5), validate)


@pytest.fixture(scope="module")
def labels(dataset: Dataset) -> np.ndarray:
    return Unit.USERS.of_pairs(random_shards(len(dataset.users), SHARDS, Seed(5).numpy()), dataset.train)


@pytest.fixture(scope="module")
def of_one_user(trained: Trained) -> Task:
    return task_on(trained, ForgetRequest(users=(trained.dataset.users.names[0],)))


def test_a_shard_is_touched_by_any_part_of_its_data(trained: Trained, labels: np.ndarray, of_one_user: Task):
    train, data = trained.dataset.train, trained.dataset
    known = trained.model.modalities()
    touched = affected_shards(of_one_user.partition, labels, SHARDS, known)
    assert np.flatnonzero(touched).tolist() == [labels[0]]
    item = int(train.items[0])
    without = task_on(trained, ForgetRequest(items=(data.items.names[item],))).partition
    assert set(np.flatnonzero(affected_shards(without, labels, SHARDS, known))) == set(labels[train.items == item])
    carrier = int(np.flatnonzero(data.modalities["image"].present)[0])
    blind = task_on(trained, ForgetRequest(modalities={"image": (data.items.names[carrier],)})).partition
    assert set(np.flatnonzero(affected_shards(blind, labels, SHARDS, known))) == set(labels[train.items == carrier])
    assert not affected_shards(blind, labels, SHARDS, ()).any()
    gone = task_on(trained, ForgetRequest(modalities={"image": None})).partition
    assert affected_shards(gone, labels, SHARDS, known).all()


def test_shards_equal_fresh_trainings_of_their_own_data(trained: Trained, labels: np.ndarray, of_one_user: Task):
    """Untouched: of all the pairs it had before the request. Touched: of those that are retained."""
    partition = of_one_user.partition
    shards = train_shards(of_one_user, labels, SHARDS)
    before = task_on(trained, ForgetRequest(pairs=(never_trained(trained.dataset),)))
    assert not len(before.partition.forgotten)
    for number, (shard, touched) in enumerate(zip(shards.trained, shards.touched, strict=True)):
        pairs = trained.dataset.train.select(labels == number)
        if touched:
            pairs = pairs.select(pairs.users != 0)
        fresh, _ = train_shard(before, pairs, number)
        np.testing.assert_array_equal(partition.user_rows[shard.user_rows], fresh.user_rows)
        np.testing.assert_array_equal(partition.item_rows[shard.item_rows], fresh.item_rows)
        assert torch.equal(shard.users, fresh.users)
        assert torch.equal(shard.items, fresh.items)
    untouched = [shard.seconds for shard, touched in zip(shards.trained, shards.touched, strict=True) if not touched]
    assert len(untouched) == SHARDS - 1
    assert shards.setup_seconds() == sum(untouched) > 0


def never_trained(dataset: Dataset) -> tuple[str, str]:
    pairs = dataset.interactions
    at = int(np.flatnonzero(pairs.splits == 2)[0])
    return dataset.users.names[int(pairs.users[at])], dataset.items.names[int(pairs.items[at])]


def test_a_shard_without_retained_pairs_is_empty(of_one_user: Task):
    alone = np.where(of_one_user.partition.original.train.users == 0, 0, 1)
    shards = train_shards(of_one_user, alone, 2)
    users, items = shards.stacked(of_one_user.partition)
    assert not users.there[:, 0].any()
    assert not items.vectors[:, 0].any()
    assert users.there[:, 1].all()
    found = inverse_index(shards.trained[1].user_rows, len(users.there))
    assert torch.equal(users.vectors[:, 1], shards.trained[1].users[torch.from_numpy(found)])


def test_a_shard_too_small_to_train_on_says_so(of_one_user: Task):
    retained = of_one_user.partition.retained.train
    with pytest.raises(ConfigError, match="choose fewer shards"):
        train_shard(of_one_user, retained.select(retained.users == 0), 0)
