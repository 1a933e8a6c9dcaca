import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import rankdata

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import user_item_graph
from mmrecun.data.sparse import product
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.unlearning.base import retained_model
from mmrecun.unlearning.mmrecun import method, small_request
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.row_matching import keep_standing
from mmrecun.unlearning.mmrecun.small_request import _Local, moved_alone
from mmrecun.unlearning.mmrecun.trained_balance import BalanceFacts
from mmrecun.unlearning.mmrecun.trained_vectors import TrainedVectors
from tests.contracts.unlearning import TRAINING, Trained, trained_on
from tests.unlearning.mmrecun.test_method import task_of


@pytest.fixture(scope="module")
def factorised(dataset: Dataset) -> Trained:
    return trained_on(dataset, "bprmf", TRAINING.model_copy(update={"learning_rate": 0.05}))


def without_user(dataset: Dataset, number: int) -> Partition:
    return Partition.from_request(dataset, ForgetRequest(users=(dataset.users.names[number],)))


def local_of(trained: Trained, partition: Partition) -> _Local:
    """With every item as a negative."""
    task, data = task_of(trained, partition), partition.original
    return _Local(task, len(data.items), TrainedVectors(task.model, task.inputs(views.original)))


def pull(margin: np.ndarray) -> np.ndarray:
    """At two thirds of a margin's way."""
    return expit(-2 / 3 * margin)


def test_what_forgotten_pairs_taught_is_that_of_loops(factorised: Trained):
    data, partition = factorised.dataset, without_user(factorised.dataset, 3)
    local = local_of(factorised, partition)
    users, items = (
        factorised.model.get_parameter(f"{side}.weight").detach().double().numpy() for side in ("users", "items")
    )
    liked = data.train.items[data.train.users == 3]
    others = np.setdiff1d(np.arange(len(items)), liked)
    by_user, by_item = np.zeros(users.shape[1]), np.zeros_like(items)
    for item in liked:
        pulls = pull((items[item] - items[others]) @ users[3]) / len(others)
        by_user += pulls @ (items[others] - items[item])
        by_item[item] -= pulls.sum() * users[3]
    np.testing.assert_allclose(local.taught("users.weight")[3].numpy(), by_user, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(local.taught("items.weight").numpy(), by_item, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("side", ["users", "items"])
def test_curvature_is_that_of_loops(factorised: Trained, side: str):
    data = factorised.dataset
    local = local_of(factorised, without_user(data, 3))
    users, items = (
        factorised.model.get_parameter(f"{name}.weight").detach().double().numpy() for name in ("users", "items")
    )
    row = int(np.bincount(getattr(data.train, side)).argmax())
    mine = data.train.take(np.flatnonzero(getattr(data.train, side) == row))
    known = [set(data.train.items[data.train.users == user]) for user in range(len(users))]
    expected, step = np.zeros((users.shape[1], users.shape[1])), 1e-3
    for user, item in zip(mine.users, mine.items, strict=True):
        others = np.array([other for other in range(len(items)) if other not in known[user]])
        margin = (items[item] - items[others]) @ users[user]
        stiff = -(pull(margin + step) - pull(margin - step)).mean() / (2 * step)
        if side == "items":
            expected += stiff * np.outer(users[user], users[user])
        else:  # negatives are taken as one and as all alike
            centred = items - items.mean(axis=0)
            expected += stiff * (np.outer(centred[item], centred[item]) + centred.T @ centred / len(items))
    found = local.curvature(side, np.array([row]))[0].double().numpy()
    if side == "users":
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())
    else:  # as a negative of everybody an item is held a little more firmly
        more = np.linalg.eigvalsh(found - expected)
        assert more.min() > -1e-3 * np.abs(expected).max()
        assert np.trace(expected) < np.trace(found) < 3 * np.trace(expected)


def facts_of(trained: Trained) -> BalanceFacts:
    whole = MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task_of(trained, without_user(trained.dataset, 1)))
    return BalanceFacts.of(json.loads(json.dumps(dict(whole.carried))))


@pytest.mark.parametrize("name", ["bprmf", "lightgcn"])
def test_only_rows_that_lost_pairs_move(dataset: Dataset, name: str):
    trained = trained_on(dataset, name, TRAINING.model_copy(update={"learning_rate": 0.05}))
    data, partition = dataset, without_user(dataset, 3)
    task = task_of(trained, partition)
    model, unlinked = moved_alone(task, facts_of(trained), 64, 1.2), retained_model(task, trained.model)
    assert torch.equal(model.get_parameter("users.weight"), unlinked.get_parameter("users.weight"))
    changed = (model.get_parameter("items.weight") != unlinked.get_parameter("items.weight")).any(dim=1)
    assert set(np.flatnonzero(changed.numpy())) <= set(data.train.items[data.train.users == 3])
    assert changed.any()


def test_items_turn_away_from_the_user_who_left(factorised: Trained):
    data, partition = factorised.dataset, without_user(factorised.dataset, 3)
    task = task_of(factorised, partition)
    before, after = retained_model(task, factorised.model), moved_alone(task, facts_of(factorised), 64, 1.2)
    gone = factorised.model.get_parameter("users.weight").detach()[3]
    liked = torch.tensor(data.train.items[data.train.users == 3])
    scores = [model.get_parameter("items.weight").detach()[liked] @ gone for model in (before, after)]
    assert scores[1].mean() < scores[0].mean()


def test_small_requests_owe_until_one_pays(factorised: Trained, monkeypatch: pytest.MonkeyPatch):
    share = 1 / len(factorised.dataset.train)
    monkeypatch.setattr(method, "_MOST_OWED", 25 * share)
    monkeypatch.setattr(method, "FEWEST", 1000)
    settled: list[float] = []
    train = method.train_on_retained

    def watched(task, solver, sampler, number, owed):
        settled.append(owed)
        return train(task, solver, sampler, number, owed)

    monkeypatch.setattr(method, "train_on_retained", watched)
    model, data, carried, owed = factorised.model, factorised.dataset, {}, []
    for _ in range(8):
        partition = Partition.from_request(data, ForgetRequest(users=(data.users.names[0],)))
        task = replace(task_of(replace(factorised, model=model), partition), carried=carried)
        result = MMRecUn(MMRecUnConfig(min_cosine=-1, epochs=1)).run(task)
        model, data, carried = result.model, partition.retained, result.carried
        owed.append(carried["owed"])
    assert 0 < max(owed) < 25 * share
    assert len(settled) == owed.count(0) > 0
    assert min(settled) > 0  # what was owed is paid, not dropped


def test_a_request_that_an_audit_can_judge_moves_all_rows(factorised: Trained, monkeypatch: pytest.MonkeyPatch):
    """All of them: their noise, too, belongs to a request that is large in the data, not to each of a hundred."""
    monkeypatch.setattr(BalanceSolver, "redraw_rest", lambda solver: pytest.fail("noise was exchanged"))
    monkeypatch.setattr(method, "_MOST_OWED", 1.0)
    data = factorised.dataset
    degree = np.bincount(data.train.users)
    for user in (int(np.argmax(degree)), int(np.argmin(np.where(degree > 0, degree, 1000)))):
        task = task_of(factorised, Partition.from_request(data, ForgetRequest(users=(data.users.names[user],))))
        result = MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task)
        assert ("moved alone" in result.stop_reason) == (degree[user] < method.FEWEST)


def test_what_is_kept_with_a_run_names_nobody(factorised: Trained):
    """Nothing in it has a length of users, of items or of their pairs: no row of anybody can be read off it."""
    facts = facts_of(factorised)
    assert all(len(law.decays) <= 12 for law in facts.decays.values())
    assert set(facts.model_dump()) == {"owed", "epochs", "reach", "decays"}


def test_rows_stand_among_their_new_peers_as_among_their_old(factorised: Trained):
    data, partition = factorised.dataset, without_user(factorised.dataset, 3)
    rng = torch.Generator().manual_seed(1)
    before = [torch.randn(size, 8, generator=rng) for size in (len(data.users), len(data.items))]
    after = [before[0][partition.user_rows].clone(), before[1].clone()]
    liked = data.train.items[data.train.users == 3]
    after[1][liked] *= 3  # they stand out
    keep_standing(before, after, partition)
    for number in (0, 1):
        lengths = after[number].norm(dim=1)
        assert lengths.isfinite().all()
    ranks = [rankdata(tables[1].norm(dim=1).numpy()) / len(data.items) for tables in (before, after)]
    assert np.abs(ranks[0] - ranks[1])[liked].mean() < 0.15
    near = [
        product(
            user_item_graph(one.train, len(one.users), len(one.items), torch.device("cpu")).forward, torch.cat(tables)
        )
        for one, tables in ((data, before), (partition.retained, after))
    ]
    cosines = [
        torch.nn.functional.cosine_similarity(tables[1], hop[-len(data.items) :]).numpy()
        for tables, hop in zip((before, after), near, strict=True)
    ]
    assert np.abs(cosines[0] - cosines[1])[liked].mean() < 0.15


def test_rows_that_keep_their_pairs_go_as_far_as_the_scale_says(factorised: Trained, monkeypatch: pytest.MonkeyPatch):
    task, facts = task_of(factorised, without_user(factorised.dataset, 3)), facts_of(factorised)
    monkeypatch.setattr(small_request, "keep_standing", lambda *_: None)
    start, once = retained_model(task, factorised.model), moved_alone(task, facts, 64, 1.0)
    farther = moved_alone(task, facts, 64, 3.0)
    first, second = (
        model.get_parameter("items.weight") - start.get_parameter("items.weight") for model in (once, farther)
    )
    assert first.abs().max() > 0
    before, after = (torch.from_numpy(data.degrees[1]) for data in (task.partition.original, task.partition.retained))
    torch.testing.assert_close(second, (1 + 2 * (after / before) ** 4).float()[:, None] * first)


def test_a_user_left_with_no_pair_of_a_modality_has_no_taste_in_it(dataset: Dataset):
    """The row of that modality starts anew; rows of users count the pairs that have it, not all."""
    trained, train = trained_on(dataset, "vbpr", TRAINING), dataset.train
    heard = dataset.modalities["audio"].present[train.items]
    user = int(np.setdiff1d(train.users[~heard], np.setdiff1d(train.users, train.users[heard]))[0])
    rows = np.flatnonzero(heard & (train.users == user))
    names = dataset.users.names.gather(train.users[rows]), dataset.items.names.gather(train.items[rows])
    partition = Partition.from_request(dataset, ForgetRequest(pairs=tuple(zip(*names, strict=True))))
    assert partition.retained.degrees[0][user] > 0
    task = task_of(trained, partition)
    model = moved_alone(task, facts_of(trained), 64, 1.2)
    lost, own = (model.get_parameter(f"{name}.weight")[user] for name in ("tastes.audio", "users"))
    bound = (6 / sum(model.get_parameter("tastes.audio.weight").shape)) ** 0.5
    assert lost.abs().max() <= bound
    assert not torch.equal(lost, trained.model.get_parameter("tastes.audio.weight")[user])
    assert own.abs().max() > bound
