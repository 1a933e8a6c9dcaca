import numpy as np
import pytest
import torch

from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.sharded import sisa
from mmrecun.unlearning.sharded.base import Shards, Unit, random_shards
from mmrecun.unlearning.sharded.sisa import SISA, SISAConfig
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of


class TestSISA(UnlearnerContract):
    name = "sisa"
    settings = {"shards": 2}


class TestUsers(UnlearnerContract):
    name = "sisa"
    settings = {"shards": 2, "unit": "users"}


@pytest.mark.parametrize("unit", list(Unit))
def test_its_score_is_the_mean_of_the_shards_scores(
    trained: Trained,
    unit: Unit,
    monkeypatch: pytest.MonkeyPatch,
):
    kept: list[Shards] = []
    train = sisa.train_shards
    monkeypatch.setattr(sisa, "train_shards", lambda *arguments: kept.append(train(*arguments)) or kept[0])
    task = task_of(trained, "pairs")
    result = SISA(SISAConfig(shards=3, unit=unit)).run(task)
    expected = np.zeros((len(task.partition.retained.users), len(task.partition.retained.items)))
    for shard in kept[0].trained:
        expected[np.ix_(shard.user_rows, shard.item_rows)] += (shard.users @ shard.items.T).numpy() / 3
    found = (result.model.users.weight @ result.model.items.weight.T).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert result.stop_reason == f"{kept[0].touched.sum()} of 3 shards trained again"


def test_a_request_of_one_shard_leaves_the_others_as_they_are(trained: Trained):
    names, dim = trained.dataset.users.names, trained.model.config.dim
    method = SISA(SISAConfig(shards=3, unit=Unit.USERS))
    results = [method.run(task_of(trained, ForgetRequest(users=(names[user],)))) for user in (0, 1)]
    owners = random_shards(len(names), 3, Seed(5).child("shards").numpy())[:2]
    assert owners[0] != owners[1]
    for shard in range(3):
        columns = slice(shard * dim, (shard + 1) * dim)
        one, other = (result.model.items.weight[:, columns] for result in results)
        assert torch.equal(one, other) == (shard not in owners)
    for result in results:
        assert result.stop_reason == "1 of 3 shards trained again"
        assert result.setup_seconds > 0
