import numpy as np
import pytest
import torch

from mmrecun.data.interactions import Split
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed
from mmrecun.unlearning.editing.gsgcf import GSGCF, GSGCFConfig, Operator, Step, neighbourhood
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of


class TestGSGCF(UnlearnerContract):
    name = "gsgcf"
    settings = {"learning_rate": 0.03, "epochs": 60, "batch_size": 64, "step": 1.0}


def reached(partition: Partition, hops: int) -> tuple[set[int], set[int]]:
    """A search by sets, one pair at a time."""
    pairs = partition.retained_pairs.split(Split.TRAIN)
    users, items = set(partition.forgotten.users.tolist()), set(partition.forgotten.items.tolist())
    for _ in range(hops):
        further_users, further_items = set(users), set(items)
        for user, item in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True):
            if user in users:
                further_items.add(item)
            if item in items:
                further_users.add(user)
        users, items = further_users, further_items
    return users, items


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_the_neighbourhood_is_what_a_search_finds(trained: Trained, hops: int):
    partition = task_of(trained, "mixed").partition
    sizes = (len(partition.original.users), len(partition.original.items))
    users, items = neighbourhood(partition.forgotten, partition.retained_pairs.split(Split.TRAIN), sizes, hops)
    assert (set(np.flatnonzero(users)), set(np.flatnonzero(items))) == reached(partition, hops)


@pytest.mark.parametrize("hops", [0, 1])
def test_only_the_neighbourhood_moves(trained: Trained, hops: int):
    task = task_of(trained, "items")
    partition = task.partition
    with torch.no_grad():
        before = trained.model.vectors(task.inputs(views.padded_without_features))
    result = GSGCF(GSGCFConfig(hops=hops, epochs=5)).run(task)
    users, items = reached(partition, hops)
    for moved, still, rows, free in (
        (result.model.users.weight, before.users, partition.user_rows, users),
        (result.model.items.weight, before.items, partition.item_rows, items),
    ):
        changed = (moved.detach() != still[rows]).any(dim=1).numpy()
        assert set(rows[changed]) == free & set(rows)
    assert hops or len(items & set(partition.item_rows)) == 0


def test_an_untrained_operator_changes_nothing():
    still = torch.randn(6, 4, generator=Seed(0).torch())
    operator = Operator(4, 0.1, torch.ones(6, dtype=torch.bool), Seed(1).torch())
    assert torch.equal(operator(still, torch.arange(6)), still)


def test_the_objective_is_the_weighted_sum_of_its_terms():
    rng, users = Seed(0).torch(), 3
    still = torch.randn(7, 4, generator=rng)
    operator = Operator(4, 0.5, torch.tensor([1, 0, 1, 1, 0, 1, 1]).bool(), rng)
    with torch.no_grad():
        operator.second.weight.copy_(torch.randn(4, 4, generator=rng))
    step = Step(
        (torch.tensor([0, 2]), torch.tensor([0, 3])),
        torch.tensor([[1, 2], [0, 1]]),
        (torch.tensor([1, 2, 0]), torch.tensor([2, 1, 1])),
    )
    found = GSGCF(GSGCFConfig(forget_weight=0.7, l2=0.01)).objective(operator, still, users, step).item()
    moved = operator(still, torch.arange(7)).detach().double().numpy()
    old = still.double().numpy()
    assert np.array_equal(moved[1], old[1])
    forget = [
        moved[0] @ moved[3] - (old[0] @ old[4] + old[0] @ old[5]) / 2,
        moved[2] @ moved[6] - (old[2] @ old[3] + old[2] @ old[4]) / 2,
    ]
    retain = [moved[u] @ moved[3 + i] - old[u] @ old[3 + i] for u, i in ((1, 2), (2, 1), (0, 1))]
    norm = sum(float(values.detach().square().sum()) for values in operator.parameters())
    expected = 0.7 * np.square(forget).mean() + 0.3 * np.square(retain).mean() + 0.01 * norm
    np.testing.assert_allclose(found, expected, rtol=1e-5)
