from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError, ForgetError
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.mmrecun import method, restoring, row_change, trained_balance
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.small_request import moved_alone
from mmrecun.unlearning.mmrecun.step_scale import StepScale
from mmrecun.unlearning.mmrecun.trained_balance import BalanceFacts
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, requests, trained_on, validate

LONG = TrainConfig(epochs=150, batch_size=128, learning_rate=0.02, patience=150)


class TestMMRecUn(UnlearnerContract):
    name = "mmrecun"
    settings = {"min_cosine": -1.0}


class TestMMRecUnWhereNothingIsExplained(UnlearnerContract):
    name = "mmrecun"
    settings = {"min_cosine": 1.0}


@pytest.fixture(scope="module")
def converged(dataset: Dataset) -> Trained:
    """A matrix factorisation trained until its regulariser holds it."""
    return trained_on(dataset, "bprmf", LONG)


def taken_out(dataset: Dataset, kind: str) -> Partition:
    return Partition.from_request(dataset, requests(dataset)[kind])


def task_of(trained: Trained, partition: Partition, training: TrainConfig = TRAINING) -> Task:
    return Task(trained.model, partition, training, Seed(4), validate)


def unlearned(trained: Trained, partition: Partition, **settings):
    return MMRecUn(MMRecUnConfig(min_cosine=-1, **settings)).run(task_of(trained, partition, LONG))


def test_where_everything_stays_no_row_is_out_of_balance(converged: Trained):
    whole = ForgetRequest(users=(converged.dataset.users.names[0],))
    partition = Partition.from_request(converged.dataset, whole)
    same = Partition(
        partition.original,
        np.arange(len(partition.original.users)),
        np.arange(len(partition.original.items)),
        np.ones(len(partition.original.interactions), dtype=bool),
        {},
    )
    solver = BalanceSolver(task_of(converged, same), 64, -1)
    assert solver.newton_step(4) < 1e-6


def test_a_trained_matrix_factorisation_follows_from_its_pairs(converged: Trained):
    solver = BalanceSolver(task_of(converged, taken_out(converged.dataset, "pairs")), 64, 0.5)
    assert not solver.unsolvable
    assert set(solver.tables) == {"users.weight", "items.weight"}


def test_items_that_lost_pairs_lose_bias(with_tastes: Trained):
    """A bias would tell how popular its item was."""
    partition = taken_out(with_tastes.dataset, "pairs")
    bias = retained_model(task_of(with_tastes, partition), with_tastes.model).bias.weight.detach()[:, 0].numpy()
    change = unlearned(with_tastes, partition, epochs=0).model.bias.weight.detach()[:, 0].numpy() - bias
    before, after = partition.original.degrees[1], partition.retained.degrees[1]
    assert np.corrcoef(change, after / np.maximum(before, 1))[0, 1] > 0.3


def test_each_step_leaves_less_out_of_balance(converged: Trained):
    solver = BalanceSolver(task_of(converged, taken_out(converged.dataset, "pairs")), 64, -1)
    first, second, third = (solver.newton_step(8) for _ in range(3))
    assert second < first
    assert third < first


def test_a_step_is_as_long_as_the_rows_losses_allow(converged: Trained, monkeypatch: pytest.MonkeyPatch):
    partition = taken_out(converged.dataset, "pairs")
    solver = BalanceSolver(task_of(converged, partition), 64, -1)
    monkeypatch.setattr(restoring, "solve", lambda _, imbalance, *__: ([9 * part.sign() for part in imbalance], 0))
    for (table, before, after), start in zip(
        zip(solver.tables.values(), partition.original.degrees, partition.retained.degrees, strict=True),
        [table.weight.detach().clone() for table in solver.tables.values()],
        strict=True,
    ):
        solver.newton_step(8)
        moved = (table.weight.detach() - start).norm(dim=1)
        lost = 1 - after / np.maximum(before, 1)
        assert lost.any()
        assert moved.numpy() == pytest.approx((0.2 + lost) * float(start.norm(dim=1).mean()), rel=1e-4)
        solver.resume()


@pytest.mark.parametrize(("kind", "following"), [("users", 0), ("items", 1)])
def test_a_side_that_lost_no_pair_goes_as_far_as_solved(converged: Trained, kind: str, following: int):
    solver = BalanceSolver(task_of(converged, taken_out(converged.dataset, kind)), 64, -1)
    tables = solver.model.users.weight, solver.model.items.weight
    start = [table.detach().clone() for table in tables]
    solver.newton_step(8)
    solved = [table.detach().clone() for table in tables]
    scaled = solver.scaled_vectors(StepScale(users=2.0, items=2.0))
    moved = [(rows - before).norm() for rows, before in zip(solved, start, strict=True)]
    torch.testing.assert_close(scaled[following], solved[following])
    assert moved[following] > 0
    assert (scaled[1 - following] - start[1 - following]).norm() > 1.2 * moved[1 - following]


def test_the_lean_is_taken_out_by_the_share_that_is_asked_for(dataset: Dataset):
    """Rows move by a Gauss-Newton step of its own, and not without it; models without a graph have none."""
    trained = trained_on(dataset, "lightgcn", TRAINING)
    solver = BalanceSolver(task_of(trained, taken_out(dataset, "users")), 64, -1)
    start = solver.scaled_vectors(StepScale(1, 1))[1].clone()
    assert solver.take_out_lean(8)
    none, half, whole = (solver.scaled_vectors(StepScale(1, 1, share))[1] for share in (0.0, 0.5, 1.0))
    torch.testing.assert_close(none, start)
    assert (whole - none).norm() > 0
    torch.testing.assert_close(half - none, 0.5 * (whole - none), atol=1e-5, rtol=1e-4)
    without = BalanceSolver(task_of(trained_on(dataset, "bprmf", TRAINING), taken_out(dataset, "users")), 64, -1)
    assert not without.take_out_lean(8)


def scored(users: torch.Tensor, items: torch.Tensor, pairs) -> float:
    """Mean share of all items that the pairs outrank."""
    rows = users[torch.tensor(pairs.users)] @ items.T
    own = rows.gather(1, torch.tensor(pairs.items)[:, None])
    return float((rows < own).float().mean())


def test_forgotten_pairs_stand_where_a_retraining_puts_them(converged: Trained):
    partition = taken_out(converged.dataset, "pairs")
    golds = [trained_on(partition.retained, "bprmf", LONG, seed).model for seed in (1, 9, 10)]
    stands = {
        name: scored(each.users.weight, each.items.weight, partition.forgotten)
        for name, each in {
            "before": retained_model(task_of(converged, partition), converged.model),
            "after": unlearned(converged, partition).model,
        }.items()
    }
    stands["gold"] = np.mean([scored(gold.users.weight, gold.items.weight, partition.forgotten) for gold in golds])
    assert stands["before"] - stands["gold"] > 0.1
    assert abs(stands["after"] - stands["gold"]) < 0.4 * (stands["before"] - stands["gold"])


def test_without_an_epoch_of_training_only_solved_tables_move(trained: Trained):
    partition = taken_out(trained.dataset, "pairs")
    result = unlearned(trained, partition, epochs=0)
    solved = set(result.carried["decays"])
    assert set(trained.model.ID_TABLES) <= solved <= set(result.model.tables())
    for name, value in result.model.state_dict().items():
        same = torch.equal(value, trained.model.state_dict()[name])
        assert same == (name not in solved), name


def test_tables_of_features_are_solved_only_where_pairs_explain_them_well(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
):
    partition, tables = taken_out(trained.dataset, "pairs"), set(trained.model.tables())
    for least, expected in ((-1.0, tables), (1.0, set(trained.model.ID_TABLES))):
        monkeypatch.setattr(trained_balance, "_MIN_COSINE_OF_FEATURES", least)
        assert set(unlearned(trained, partition, epochs=0).carried["decays"]) == expected


def without_pairs_of(dataset: Dataset, user: int) -> Partition:
    name, mine = dataset.users.names[user], dataset.train.items[dataset.train.users == user]
    request = ForgetRequest(pairs=tuple((name, dataset.items.names[int(item)]) for item in mine))
    return Partition.from_request(dataset, request)


def test_a_user_without_any_pair_left_starts_anew(converged: Trained):
    partition = without_pairs_of(converged.dataset, 3)
    model = unlearned(converged, partition, epochs=0).model
    row = partition.retained.users.find([converged.dataset.users.names[3]])[0]
    bound = (6 / sum(model.users.weight.shape)) ** 0.5
    assert model.users.weight[row].abs().max() <= bound
    assert model.users.weight[row].any()


@pytest.fixture(scope="module")
def with_tastes(dataset: Dataset) -> Trained:
    """A model whose users have a row for each modality."""
    return trained_on(dataset, "vbpr", LONG)


def without_audio(dataset: Dataset) -> Partition:
    """Let all items of user 3 that have audio lose it."""
    mine = np.unique(dataset.train.items[dataset.train.users == 3])
    mine = mine[dataset.modalities["audio"].present[mine]]
    return Partition.from_request(dataset, ForgetRequest(modalities={"audio": dataset.items.names.gather(mine)}))


def test_pairs_teach_a_modality_only_where_the_item_has_it(with_tastes: Trained):
    for data in (without_audio(with_tastes.dataset).original, without_audio(with_tastes.dataset).retained):
        pairs = list(zip(data.train.users.tolist(), data.train.items.tolist(), strict=True))
        for name, table in with_tastes.model.tables().items():
            counted = [0] * len(table.weight)
            for pair in pairs:
                if table.modality is None or data.modalities[table.modality].present[pair[1]]:
                    counted[pair[table.side == "items"]] += 1
            assert row_change.degrees_of(table, data).tolist() == counted, name


def test_a_row_may_move_farther_by_the_share_of_its_features_that_it_lost(with_tastes: Trained):
    partition = without_audio(with_tastes.dataset)
    gone, original = partition.removed_features["audio"], partition.original.modalities
    items = [int(lost) / max(1, sum(held.present[row] for held in original.values())) for row, lost in enumerate(gone)]
    train = partition.retained.train
    of_users = [[items[i] for u, i in zip(train.users, train.items, strict=True) if u == user] for user in range(80)]
    found = row_change.features_lost(partition, ("audio", "image"))
    np.testing.assert_allclose(found["items"], items, rtol=1e-6)
    np.testing.assert_allclose(found["users"], [np.mean(each) if each else 0 for each in of_users], rtol=1e-6)
    assert 0 < max(items) < 1
    assert not row_change.features_lost(partition, ("image",))["users"].any()


def test_a_user_whose_items_lost_a_modality_has_no_taste_in_it(with_tastes: Trained):
    """The row of that modality starts anew, and stays what it became; the others go on."""
    partition = without_audio(with_tastes.dataset)
    solver = BalanceSolver(task_of(with_tastes, partition), 64, -1)
    trained = with_tastes.model.tables()
    lost, own = "tastes.audio.weight", ["users.weight", "tastes.image.weight"]
    fresh = solver.tables[lost].weight[3].detach().clone()
    assert fresh.abs().max() <= (6 / sum(trained[lost].weight.shape)) ** 0.5
    assert not torch.equal(fresh, trained[lost].weight[3])
    assert all(torch.equal(solver.tables[name].weight[3], trained[name].weight[3]) for name in own)
    solver.newton_step(8)
    torch.testing.assert_close(solver.tables[lost].weight[3], fresh, atol=1e-3, rtol=0)
    assert not any(torch.equal(solver.tables[name].weight[3], trained[name].weight[3]) for name in own)


def test_a_model_that_nothing_could_validate_is_not_trained_anew(trained: Trained):
    pairs = trained.dataset.interactions
    asked = pairs.splits == Split.VALID
    asked[np.flatnonzero(pairs.splits == Split.TRAIN)[0]] = True
    names = trained.dataset.users.names.gather(pairs.users), trained.dataset.items.names.gather(pairs.items)
    listed = [pair for pair, wanted in zip(zip(*names, strict=True), asked, strict=True) if wanted]
    task = task_of(trained, Partition.from_request(trained.dataset, ForgetRequest(pairs=listed)))
    with pytest.raises(ForgetError, match=r"no validation pair .* --method unlink"):
        MMRecUn(MMRecUnConfig(min_cosine=1)).run(task)


def test_rows_that_are_not_explained_have_the_model_trained_anew(trained: Trained):
    notes: list[str] = []
    task = Task(
        trained.model,
        taken_out(trained.dataset, "users"),
        TRAINING,
        Seed(4),
        validate,
        lambda done, total, note: notes.append(note),
    )
    result = MMRecUn(MMRecUnConfig(min_cosine=1)).run(task)
    assert result.stop_reason.startswith("trained anew, since what pairs taught")
    assert "trained anew" in notes[0]
    assert result.valid is not None


def test_a_way_that_leads_nowhere_is_named(converged: Trained):
    overflowing = Trained(deepcopy(converged.model), converged.dataset)
    with torch.no_grad():
        overflowing.model.users.weight *= 1e20
    with pytest.raises(DivergedError, match="lower step_scale"):
        unlearned(overflowing, taken_out(converged.dataset, "pairs"), stretch=100)


def test_features_that_the_model_does_not_read_change_nothing(converged: Trained):
    partition = taken_out(converged.dataset, "some audio")
    result = unlearned(converged, partition)
    assert result.stop_reason == "nothing that the model was trained on was forgotten"
    before = converged.model.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in result.model.state_dict().items())


def test_a_small_request_is_followed_by_as_much_less_of_an_epoch(converged: Trained, monkeypatch: pytest.MonkeyPatch):
    counts = []
    monkeypatch.setattr(method, "_MOST_OWED", 0)
    monkeypatch.setattr(method, "train_epoch", lambda model, pairs, *rest: counts.append(len(pairs)) or 0.0)
    dataset, train = converged.dataset, converged.dataset.train
    for wanted in (1, 50):
        names = [
            (dataset.users.names[int(u)], dataset.items.names[int(i)])
            for u, i in zip(train.users, train.items, strict=True)
        ]
        request = ForgetRequest(pairs=tuple(names[:: len(names) // wanted][:wanted]))
        unlearned(converged, Partition.from_request(dataset, request))
    assert counts[-1] == len(train) - 50
    assert counts[0] == pytest.approx((len(train) - 1) * (100 / len(train)) ** 3, abs=1)


def test_a_solved_model_that_validates_worse_is_not_handed_out(converged: Trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ValidationGuard, "worse", lambda *_: "it is worse")
    task = task_of(converged, taken_out(converged.dataset, "users"))
    found = MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task)
    assert found.stop_reason.startswith("trained anew, since it is worse")


def test_a_request_for_most_of_the_pairs_is_answered_by_training_anew(converged: Trained):
    names = converged.dataset.users.names
    degree = converged.dataset.degrees[0]
    most = np.argsort(-degree)[: int(np.searchsorted(np.sort(degree)[::-1].cumsum(), 0.6 * degree.sum()))]
    partition = Partition.from_request(converged.dataset, ForgetRequest(users=tuple(names.gather(most))))
    found = MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task_of(converged, partition))
    assert found.stop_reason.startswith("trained anew, since 5")
    assert "% of the pairs are forgotten" in found.stop_reason


@pytest.mark.parametrize(("trained_for", "least", "settled"), [(99, 1, 1), (364, 1, 3), (364, 5, 5), (364, 0, 0)])
def test_a_model_settles_for_an_epoch_for_each_hundred_of_its_training(
    trained: Trained, trained_for: int, least: int, settled: int
):
    """Also when it is unlearned again, as what it was trained for stays with it."""
    task = task_of(trained, Partition.from_request(trained.dataset, requests(trained.dataset)["users"]))
    first = MMRecUn(MMRecUnConfig(epochs=least)).run(replace(task, epochs=trained_for))
    again = MMRecUn(MMRecUnConfig(epochs=least)).run(replace(task, carried=first.carried, epochs=3))
    for result in (first, again):
        assert sum("loss" in row for row in result.history) == settled


@pytest.mark.parametrize("alone", [False, True])
def test_what_lost_all_its_pairs_starts_anew_in_tables_that_are_left_as_trained_too(with_tastes: Trained, alone: bool):
    """Whether all rows are solved for or those that lost pairs move alone."""
    partition = without_audio(with_tastes.dataset)
    task, trained = task_of(with_tastes, partition), with_tastes.model.tables()
    if alone:
        model = moved_alone(task, BalanceFacts(), 8, 1.0)
    else:
        solver = BalanceSolver(task, 64, 2.0)
        assert not solver.tables
        model = solver.model
    left, was = (tables["tastes.audio.weight"].weight[3] for tables in (model.tables(), trained))
    assert left.abs().max() <= (6 / sum(trained["tastes.audio.weight"].weight.shape)) ** 0.5
    assert not torch.equal(left, was)
    assert torch.equal(model.users.weight, with_tastes.model.users.weight)
