import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.mmrecun import first_step
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard
from tests.contracts.unlearning import TRAINING, Trained, requests, trained_on, validate


@pytest.fixture(scope="module")
def propagating(dataset: Dataset) -> Trained:
    """A model that averages its rows over the graph."""
    return trained_on(dataset, "lightgcn", TRAINING)


@pytest.fixture(scope="module")
def factorised(dataset: Dataset) -> Trained:
    """A model whose rows are its vectors."""
    return trained_on(dataset, "bprmf", TrainConfig(epochs=20, batch_size=128, learning_rate=0.02, patience=20))


def without_users(trained: Trained) -> Partition:
    return Partition.from_request(trained.dataset, requests(trained.dataset)["users"])


def solver_of(trained: Trained, partition: Partition) -> BalanceSolver:
    return BalanceSolver(Task(trained.model, partition, TRAINING, Seed(4), validate), 64, -1)


def unlearned(trained: Trained) -> dict[str, torch.Tensor]:
    task = Task(trained.model, without_users(trained), TRAINING, Seed(4), validate)
    return MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task).model.state_dict()


def test_where_a_model_is_harmed_by_rests_of_other_rows_it_keeps_its_own(
    propagating: Trained, monkeypatch: pytest.MonkeyPatch
):
    """Then the solution is the one that would have been found without a try."""
    monkeypatch.setattr(first_step, "WELL_EXPLAINED", -1)
    monkeypatch.setattr(ValidationGuard, "keeps_recall", lambda *_: True)
    redrawn = unlearned(propagating)
    monkeypatch.setattr(ValidationGuard, "keeps_recall", lambda *_: False)
    kept = unlearned(propagating)
    monkeypatch.setattr(BalanceSolver, "redraw_rest", lambda *_: None)
    plain = unlearned(propagating)
    assert all(torch.equal(value, plain[name]) for name, value in kept.items())
    assert not any(torch.equal(value, plain[name]) for name, value in redrawn.items())


@pytest.mark.parametrize(
    ("bearable", "recalls", "renewed"),
    [(0.0, (0.9, 0.2, 0.3), True), (0.0, (0.9, 0.3, 0.2), False), (9.9, (0.9,), False)],
)
def test_noise_is_renewed_only_where_recall_is_higher_with_it(
    factorised: Trained,
    bearable: float,
    recalls: tuple[float, ...],
    renewed: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    solver = solver_of(factorised, without_users(factorised))
    own = solver_of(factorised, without_users(factorised))
    own.newton_step(8)
    guard = ValidationGuard(Task(factorised.model, without_users(factorised), TRAINING, Seed(4), validate), own.inputs)
    left = iter(recalls)
    monkeypatch.setattr(ValidationGuard, "score", lambda *_: next(left))
    monkeypatch.setattr(first_step, "_BEARABLE", bearable)
    first_step.first_step(solver, guard, 8, other_noise=True)
    assert next(left, None) is None
    same = [torch.equal(table.weight, own.tables[name].weight) for name, table in solver.tables.items()]
    assert same == [not renewed] * 2


def test_other_rests_are_as_long_and_come_from_rows_of_the_same_degree(propagating: Trained):
    solver = solver_of(propagating, without_users(propagating))
    before = {name: balance.rest for name, balance in solver._balance.items()}
    solver.redraw_rest(0.25)
    for name, balance in solver._balance.items():
        own, taken = before[name], balance.rest - 0.75**0.5 * before[name]
        torch.testing.assert_close(taken.norm(dim=1), 0.5 * own.norm(dim=1))
        whose = (normalize(taken, dim=1) @ normalize(own, dim=1).T).argmax(dim=1)
        strata = torch.from_numpy(solver._strata[solver.tables[name].side])
        assert torch.equal(strata[whose], strata)
        assert len(whose.unique()) == len(own)
    solver.resume()
    assert all(torch.equal(balance.rest, before[name]) for name, balance in solver._balance.items())


def test_renewed_noise_is_as_long_as_the_rest_and_independent_of_it(factorised: Trained):
    """Two negatives for each pair: on average they are alike, and what a pair taught cancels out."""
    partition = without_users(factorised)
    solver, trained = solver_of(factorised, partition), factorised.model.tables()
    before = {name: balance.rest for name, balance in solver._balance.items()}
    solver.renew_noise()
    for name, balance in solver._balance.items():
        torch.testing.assert_close(balance.rest.norm(dim=1), before[name].norm(dim=1))
        assert abs(float(cosine_similarity(balance.rest, before[name]).mean())) < 0.25
        rows = partition.user_rows if name == "users.weight" else partition.item_rows
        with solver.moved_by_noise() as model:
            moved = model.tables()[name].weight - trained[name].weight[torch.from_numpy(rows)]
        torch.testing.assert_close(moved * balance.decay, balance.rest - before[name], atol=1e-4, rtol=1e-3)


def test_a_row_that_starts_anew_takes_no_noise_from_another(propagating: Trained):
    names = propagating.dataset.users.names, propagating.dataset.items.names
    mine = np.unique(propagating.dataset.train.items[propagating.dataset.train.users == 3])
    pairs = tuple((names[0][3], item) for item in names[1].gather(mine))
    solver = solver_of(propagating, Partition.from_request(propagating.dataset, ForgetRequest(pairs=pairs)))
    solver.redraw_rest(0.25)
    table, balance = solver.tables["users.weight"], solver._balance["users.weight"]
    torch.testing.assert_close((balance.rest / balance.decay)[3], table.weight[3])


@pytest.mark.parametrize(("least", "exchanged"), [(-1, 0.25), (1, 0)])
def test_noise_stays_where_little_is_explained(least: float, exchanged: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(first_step, "WELL_EXPLAINED", least)
    assert first_step.redrawn_share(0.9) == exchanged
