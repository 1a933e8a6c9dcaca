import numpy as np
import pytest
import torch

from mmrecun.auditing.cold_start import with_newcomers
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.rng import Seed


@pytest.fixture(scope="module")
def users_gone(dataset: Dataset) -> Partition:
    return Partition.from_request(dataset, ForgetRequest(users=tuple(dataset.users.names[::9])))


def test_rows_are_fresh_for_the_removed_and_the_named_only(users_gone: Partition):
    fresh = np.arange(len(users_gone.original.items)) < 3
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(users_gone.retained), Seed(1).torch())
    grown = with_newcomers(model, users_gone, Seed(2), fresh)
    assert torch.equal(grown.users.weight[torch.from_numpy(users_gone.user_rows)], model.users.weight)
    same = (grown.items.weight == model.items.weight).all(dim=1).numpy()
    assert (same == ~fresh).all()
    removed = torch.from_numpy(np.flatnonzero(users_gone.removed_users))
    again = with_newcomers(model, users_gone, Seed(2))
    assert torch.equal(again.users.weight[removed], grown.users.weight[removed])
