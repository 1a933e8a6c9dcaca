import numpy as np
import pytest
from pydantic import ValidationError

from mmrecun.bench.scenarios import RequestSpec, resolve
from mmrecun.bench.spam import inject
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed


def of(**values) -> RequestSpec:
    return RequestSpec.model_validate(values)


def degree(dataset: Dataset, names, kind: str) -> list[int]:
    ids, rows = (dataset.users, dataset.train.users) if kind == "users" else (dataset.items, dataset.train.items)
    return [int((rows == row).sum()) for row in ids.rows(names)]


@pytest.mark.parametrize(
    ("target", "strategy", "extreme"),
    [("users", "most-active", max), ("users", "least-active", min), ("items", "head", max), ("items", "tail", min)],
)
def test_ranked_requests_name_the_extremes(dataset: Dataset, target: str, strategy: str, extreme):
    request = resolve(of(target=target, strategy=strategy, ratio=0.1), dataset, Seed(1)).steps[0]
    names = getattr(request, target)
    ids = dataset.users if target == "users" else dataset.items
    every = [count for count in degree(dataset, ids.names, target) if count]
    assert len(names) == round(0.1 * len(every))
    assert extreme(degree(dataset, names, target)) == extreme(every)
    assert sorted(degree(dataset, names, target)) == sorted(sorted(every, reverse=extreme is max)[: len(names)])


def test_random_pairs_are_training_pairs(dataset: Dataset):
    scenario = resolve(of(target="pairs", ratio=0.05), dataset, Seed(1))
    pairs = scenario.steps[0].pairs
    train = dataset.train
    known = set(zip(dataset.users.names.gather(train.users), dataset.items.names.gather(train.items), strict=True))
    assert len(set(pairs)) == len(pairs) == round(0.05 * len(train))
    assert set(pairs) <= known
    assert scenario.steps == resolve(of(target="pairs", ratio=0.05), dataset, Seed(1)).steps
    assert scenario.steps != resolve(of(target="pairs", ratio=0.05), dataset, Seed(2)).steps


def test_a_modality_is_taken_from_items_that_have_it_or_as_a_whole(dataset: Dataset):
    part = resolve(of(target="modality", modality="audio", ratio=0.2), dataset, Seed(1)).steps[0].modalities["audio"]
    present = dataset.modalities["audio"].present
    assert part is not None
    assert present[dataset.items.rows(part)].all()
    assert len(part) == round(0.2 * present.sum())
    whole = resolve(of(target="modality", modality="audio", ratio=1.0), dataset, Seed(1)).steps[0]
    assert dict(whole.modalities) == {"audio": None}
    tail = resolve(of(target="modality", modality="audio", strategy="tail", ratio=0.2), dataset, Seed(1)).steps[0]
    assert set(tail.modalities["audio"] or ()) != set(part)


def test_an_expression_selects_what_has_the_attribute(dataset: Dataset):
    scenario = resolve(of(target="items", strategy="where", where='licensor == "Ember House"'), dataset, Seed(1))
    table = dataset.item_attributes
    wanted = [
        name for name, owner in zip(dataset.items.names, table["licensor"], strict=True) if owner == "Ember House"
    ]
    assert list(scenario.steps[0].items) == wanted
    assert scenario.ratio == len(wanted) / len(dataset.items)
    with pytest.raises(ForgetError, match="selects items, but the target is users"):
        resolve(of(target="users", strategy="where", where='licensor == "Ember House"'), dataset, Seed(1))


def test_sensitive_items_are_withdrawn_whole_by_some_users(dataset: Dataset, tmp_path):
    listed = ["i00001", "i00007", "i00009"]
    (tmp_path / "listed.txt").write_text("\n".join(listed))
    by_list = resolve(of(target="pairs", strategy="sensitive", items=listed, ratio=0.3), dataset, Seed(1))
    by_file = resolve(
        of(target="pairs", strategy="sensitive", items="listed.txt", ratio=0.3), dataset, Seed(1), tmp_path
    )
    assert by_list.steps == by_file.steps
    kept = Partition.from_request(dataset, by_list.steps[0]).retained
    users = {user for user, _ in by_list.steps[0].pairs}
    assert {item for _, item in by_list.steps[0].pairs} <= set(listed)
    pairs = kept.interactions
    left = set(zip(kept.users.names.gather(pairs.users), kept.items.names.gather(pairs.items), strict=True))
    assert not {(user, item) for user, item in left if user in users and item in listed}
    with pytest.raises(ForgetError, match="'nothing' is not in"):
        resolve(of(target="pairs", strategy="sensitive", items=["nothing"], ratio=0.3), dataset, Seed(1))


def test_a_sequence_is_one_user_after_another(dataset: Dataset):
    scenario = resolve(of(target="users", strategy="sequence", requests=6), dataset, Seed(1))
    assert scenario.checkpoints == (2, 3, 5, 6)
    users = [step.users for step in scenario.steps]
    assert len(set(users)) == 6
    assert scenario.until(3).users == tuple(user for (user,) in users[:3])
    one_by_one = dataset
    for step in scenario.steps[:3]:
        one_by_one = Partition.from_request(one_by_one, step).retained
    assert one_by_one.digest == Partition.from_request(dataset, scenario.until(3)).retained.digest


def test_forgetting_all_spam_gives_the_clean_data_back(dataset: Dataset):
    scenario = resolve(of(target="users", strategy="spam", ratio=0.1, promoted=3), dataset, Seed(1))
    spoilt = scenario.dataset
    assert len(spoilt.users) == len(dataset.users) + 8
    assert spoilt.digest != dataset.digest
    assert Partition.from_request(spoilt, scenario.steps[0]).retained.digest == dataset.digest


def test_spam_promotes_unpopular_items_and_hides_behind_popular_ones(dataset: Dataset):
    spoilt, names, targets = inject(dataset, 0.1, 3, Seed(1))
    counts = np.bincount(dataset.train.items, minlength=len(dataset.items))
    traded = np.sort(counts[counts > 0])
    assert counts[targets].max() <= traded[round(0.2 * len(traded))]
    rows = spoilt.users.rows(names)
    for row in rows:
        pairs = spoilt.interactions.select(spoilt.interactions.users == row)
        assert len(pairs) == len(set(pairs.items)) == 9
        assert set(targets) <= set(pairs.items)
        assert (pairs.splits == Split.TRAIN).all()
        assert (counts[pairs.items] >= traded[-4]).sum() >= 3
    with pytest.raises(DataError, match="too few items"):
        inject(dataset, 0.1, 20, Seed(1))
    with pytest.raises(DataError, match="occur more than once"):
        inject(spoilt, 0.1, 3, Seed(1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "users", "strategy": "head", "ratio": 0.1}, "'head' cannot choose users"),
        ({"target": "users"}, "need 'ratio'"),
        ({"target": "modality", "ratio": 0.1}, "need 'modality'"),
        ({"target": "items", "strategy": "where"}, "need 'where'"),
        ({"target": "users", "strategy": "sequence", "requests": 3, "ratio": 0.1}, "no use for 'ratio'"),
        ({"target": "items", "ratio": 0.1, "promoted": 3}, "no use for 'promoted'"),
        ({"target": "users", "ratio": 0.0}, "greater than 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        of(**values)
