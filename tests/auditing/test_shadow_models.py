"""What shadow models are trained on: worked out again from ids."""

from collections.abc import Mapping

import numpy as np
import pytest

from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.auditing.shadow_models import Candidates, without
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Interactions
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


def probe_for(dataset: Dataset, request: ForgetRequest) -> AuditSetup:
    return audit_setup(Partition.from_request(dataset, request))


def named(dataset: Dataset, pairs: Interactions) -> list[tuple[str, str]]:
    return list(zip(dataset.users.names.gather(pairs.users), dataset.items.names.gather(pairs.items), strict=True))


def some_pairs(dataset: Dataset, beside: Mapping[str, set[str]]) -> tuple[tuple[str, str], ...]:
    free = [
        (user, item)
        for user, item in named(dataset, dataset.train)
        if user not in beside["users"] and item not in beside["items"]
    ]
    return tuple(free[5:60:9])


def test_rows_and_single_pairs_are_left_out_together_with_what_hangs_on_them(dataset: Dataset):
    users, items = dataset.users.names[[3, 8, 21]].to_list(), dataset.items.names[[2, 30]].to_list()
    singles = some_pairs(dataset, {"users": set(users), "items": set(items)})
    setup = probe_for(dataset, ForgetRequest(users=tuple(users), items=tuple(items), pairs=singles))
    candidates = Candidates.of(setup)
    assert len(candidates) == 3 + 2 + len(singles)
    left_out = np.zeros(len(candidates), dtype=bool)
    left_out[[0, 4, 5]] = True
    data, inside = without(setup, candidates, left_out)
    gone = {users[0]}, {items[1]}, {singles[0]}
    expected = {
        (user, item)
        for user, item in named(dataset, dataset.train)
        if user not in gone[0] and item not in gone[1] and (user, item) not in gone[2]
    }
    assert set(named(data, data.train)) == expected
    assert users[0] not in data.users.names
    assert items[1] not in data.items.names
    assert inside.tolist() == [pair in expected for pair in named(dataset, setup.forgotten)]
    assert 0 < inside.sum() < len(inside)


def test_nothing_and_everything_left_out_are_the_original_and_the_retained_data(dataset: Dataset):
    setup = probe_for(dataset, ForgetRequest(users=tuple(dataset.users.names[:4])))
    candidates = Candidates.of(setup)
    whole, all_inside = without(setup, candidates, np.zeros(4, dtype=bool))
    bare, none_inside = without(setup, candidates, np.ones(4, dtype=bool))
    assert whole.digest == dataset.digest
    assert bare.digest == setup.cache.partition.retained.digest
    assert all_inside.all()
    assert not none_inside.any()


def test_of_features_the_items_that_carried_them_are_shared_out(dataset: Dataset):
    there = np.flatnonzero(dataset.modalities["image"].present)[:6]
    names = tuple(dataset.items.names.gather(there))
    setup = probe_for(dataset, ForgetRequest(modalities={"image": names}))
    candidates = Candidates.of(setup)
    assert candidates.carriers.tolist() == there.tolist()
    left_out = np.array([True, False, True, False, False, False])
    data, inside = without(setup, candidates, left_out)
    assert np.flatnonzero(dataset.modalities["image"].present & ~data.modalities["image"].present).tolist() == (
        there[left_out].tolist()
    )
    assert len(data.interactions) == len(dataset.interactions)
    assert inside.tolist() == [item not in there[left_out] for item in setup.forgotten.items]
    assert not inside.all()


@pytest.mark.parametrize("left_out", [True, False])
def test_a_shadow_holds_all_that_was_retained(dataset: Dataset, left_out: bool):
    setup = probe_for(dataset, ForgetRequest(users=("u00001",), modalities={"audio": None}))
    data, _ = without(setup, Candidates.of(setup), np.array([left_out]))
    partition = Partition.between(data, setup.cache.partition.retained)
    assert bool(partition.removed_users.any()) is not left_out
    assert set(partition.removed_features) == {"audio"}
