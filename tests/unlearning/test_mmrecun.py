from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, Partition, partition, retain
from mmrecun.data.interactions import Split
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.mmrecun import MMRecUn, MMRecUnConfig, chance, kept_shares
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, requests, validate

MODALITIES = ("image", "audio")


class TestMMRecUn(UnlearnerContract):
    name = "mmrecun"
    settings = {"refit": 10}


def taken_out(dataset: Dataset, kind: str) -> Partition:
    return partition(dataset, retain(dataset, requests(dataset)[kind]))


def unlearned(trained: Trained, parts: Partition, **settings):
    task = Task(trained.model, parts, TRAINING, Seed(4), validate)
    return MMRecUn(MMRecUnConfig(**settings)).run(task)


@pytest.mark.parametrize("kind", ["users", "items", "pairs", "some audio", "mixed"])
def test_rows_that_the_request_did_not_touch_keep_their_bits(trained: Trained, kind: str):
    parts = taken_out(trained.dataset, kind)
    kept = kept_shares(parts, MODALITIES, fade=8, feature_fade=2)
    model = unlearned(trained, parts).model
    assert any((share < 1).any() for share in kept)
    for name, value in model.state_dict().items():
        before = trained.model.state_dict()[name]
        if name not in model.tables():
            assert torch.equal(value, before), name
            continue
        table = model.tables()[name]
        share, rows = (kept[0], parts.user_rows) if table.of == "users" else (kept[1], parts.item_rows)
        untouched = torch.from_numpy(share[rows] == 1)
        assert torch.equal(value[untouched], before[torch.from_numpy(rows)][untouched]), name
        if table.modality is None:
            assert not (value[~untouched] == before[torch.from_numpy(rows)][~untouched]).all(dim=1).any(), name


def test_rows_keep_less_the_more_they_lost(dataset: Dataset):
    train = dataset.train
    user = int(train.users[0])
    mine = train.items[train.users == user]
    names = [(dataset.users.names[user], dataset.items.names[int(item)]) for item in mine[: len(mine) // 2]]
    parts = partition(dataset, retain(dataset, ForgetRequest(pairs=tuple(names))))
    users, items = kept_shares(parts, MODALITIES, fade=3, feature_fade=2)
    assert users[user] == pytest.approx((1 - len(names) / len(mine)) ** 3)
    assert (users == 1).sum() == len(dataset.users) - 1
    for item in mine[: len(names)]:
        assert items[item] == pytest.approx((1 - 1 / (train.items == item).sum()) ** 3)
    assert (items == 1).sum() == len(dataset.items) - len(names)


def test_an_item_keeps_less_the_more_of_its_modalities_it_lost(dataset: Dataset):
    parts = taken_out(dataset, "some audio")
    users, items = kept_shares(parts, MODALITIES, fade=8, feature_fade=2)
    image = dataset.modalities["image"].present
    expected = np.where(parts.lost_features["audio"], np.where(image, 0.25, 0.0), 1.0)
    assert items.tolist() == expected.tolist()
    assert (users == 1).all()
    unread = kept_shares(parts, ("image",), fade=8, feature_fade=2)
    assert all((share == 1).all() for share in unread)


def test_rows_that_leave_do_not_count(dataset: Dataset):
    parts = taken_out(dataset, "users")
    users, items = kept_shares(parts, MODALITIES, fade=8, feature_fade=2)
    assert (users == 1).all()
    assert ((items < 1) == np.isin(np.arange(len(items)), parts.forgotten.items)).all()


def test_pushing_brings_forgotten_pairs_down_and_stops(trained: Trained):
    parts = taken_out(trained.dataset, "pairs")
    result = unlearned(trained, parts, fade=0.01, refit=1, rounds=40)
    found = [row["auc"] for row in result.history if row.get("auc") is not None]
    assert len(found) > 1
    assert found[-1] < found[0]
    assert result.stop.startswith("forgotten pairs stand like held-out ones")
    few = unlearned(trained, parts, fade=0.01, refit=1, rounds=1)
    assert few.stop.startswith("1 rounds; AUC 0.")


def test_without_validation_pairs_nothing_is_pushed(trained: Trained):
    pairs = trained.dataset.interactions
    bare = replace(trained.dataset, interactions=pairs.select(pairs.splits != Split.VALID))
    result = unlearned(trained, taken_out(bare, "pairs"))
    assert "no validation pair" in result.stop
    assert all("auc" not in row for row in result.history)


def test_the_standard_error_of_chance_is_that_of_a_simulation():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2000, 30)), rng.random((2000, 50))
    found = (ours[:, :, None] > theirs[:, None, :]).mean(axis=(1, 2))
    assert chance(30, 50) == pytest.approx(found.std(), rel=0.05)
