from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import Partition, partition, retain
from mmrecun.data.interactions import Split
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.fading import kept_shares
from mmrecun.unlearning.mmrecun import MMRecUn, MMRecUnConfig, chance
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
    assert kept.touched("users").any() or kept.touched("items").any()
    for name, value in model.state_dict().items():
        before = trained.model.state_dict()[name]
        if name not in model.tables():
            assert torch.equal(value, before), name
            continue
        table = model.tables()[name]
        rows = parts.user_rows if table.of == "users" else parts.item_rows
        untouched = torch.from_numpy(~kept.touched(table.of)[rows])
        assert torch.equal(value[untouched], before[torch.from_numpy(rows)][untouched]), name
        if table.modality is None:
            assert not (value[~untouched] == before[torch.from_numpy(rows)][~untouched]).all(dim=1).any(), name


def test_pushing_brings_forgotten_pairs_down_and_stops(trained: Trained):
    parts = taken_out(trained.dataset, "pairs")
    result = unlearned(trained, parts, fade=0.01, refit=1, rounds=40, push_rate=5e-3)
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
