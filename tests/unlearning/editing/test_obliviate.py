import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget import views
from mmrecun.models.base import ID_TABLES, Recommender
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task, working_copy
from mmrecun.unlearning.editing.obliviate import Obliviate, ObliviateConfig, gradients, low_rank, preconditioned
from mmrecun.unlearning.functional import vectors_with
from tests.contracts.models import build
from tests.contracts.unlearning import Trained, UnlearnerContract, task_of


class TestObliviate(UnlearnerContract):
    name = "obliviate"
    settings = {"calibration": 30, "batch_size": 128, "moments": 5, "step": 2.0}


def test_the_factors_are_the_nearest_matrix_of_their_rank():
    matrix = torch.randn(9, 6, generator=Seed(0).torch())
    left, right = low_rank(matrix, 3)
    u, s, vt = np.linalg.svd(matrix.numpy())
    np.testing.assert_allclose((left @ right.T).numpy(), (u[:, :3] * s[:3]) @ vt[:3], atol=1e-5)
    assert left.shape == (9, 3)
    assert [factor.shape[1] for factor in low_rank(matrix[:2], 5)] == [2, 2]


def test_a_row_that_no_batch_touched_is_not_thrown_away():
    gradient = torch.ones(2, 2)
    found = preconditioned(gradient, torch.tensor([[4.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(found[1], torch.full((2,), 1 / 0.2**0.5))
    torch.testing.assert_close(found[0], torch.full((2,), 1 / 4.2**0.5))


def test_gradients_are_those_of_bpr_by_hand(trained: Trained):
    model = build("bprmf", trained.dataset)
    triples = Triples(*(torch.tensor(rows) for rows in ([0, 0, 1], [2, 3, 2], [4, 4, 5])))
    found = gradients(model, task_of(trained, "pairs").inputs(views.padded), triples, 0.5)
    users, items = (table.weight.detach().double().numpy() for table in model.tables().values())
    by_hand = [np.zeros_like(users), np.zeros_like(items)]
    for u, p, n in zip(*(column.tolist() for column in vars(triples).values()), strict=True):
        slope = -1 / (1 + np.exp(users[u] @ (items[p] - items[n]))) * 0.5 / 3
        by_hand[0][u] += slope * (items[p] - items[n])
        by_hand[1][p] += slope * users[u]
        by_hand[1][n] -= slope * users[u]
    for name, expected in zip(ID_TABLES, by_hand, strict=True):
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def margin(task: Task, model: Recommender, tables: dict, pairs: Interactions) -> float:
    original = task.partition.original
    sampler = NegativeSampler(original.train, len(original.users), len(original.items))
    triples = next(iter(bpr_batches(pairs, sampler, len(pairs), Seed(11).numpy())))
    return vectors_with(model, tables, task.inputs(views.padded)).of_triples(triples).margins().mean().item()


@pytest.mark.parametrize("target", ["users", "items", "pairs"])
def test_the_first_move_lowers_the_forgotten_margins(trained: Trained, target: str):
    task = task_of(trained, target)
    model, inputs = working_copy(task), task.inputs(views.padded)
    adapters = Obliviate(ObliviateConfig(step=1, moments=5)).first_move(task, model, inputs)
    before = margin(task, model, {}, task.partition.forgotten)
    assert margin(task, model, adapters.tables(), task.partition.forgotten) < before - 0.02
    opposite = {name: 2 * model.get_parameter(name) - moved for name, moved in adapters.tables().items()}
    assert margin(task, model, opposite, task.partition.forgotten) > before


def test_only_rows_of_forgotten_pairs_have_an_adapter(trained: Trained):
    task = task_of(trained, "items")
    model = working_copy(task)
    adapters = Obliviate(ObliviateConfig(moments=2)).first_move(task, model, task.inputs(views.padded))
    for name, rows in zip(ID_TABLES, (task.partition.forgotten.users, task.partition.forgotten.items), strict=True):
        moved = (adapters.tables()[name] != model.get_parameter(name)).any(dim=1).numpy()
        np.testing.assert_array_equal(np.flatnonzero(moved), np.unique(rows))


def test_calibration_brings_other_scores_of_affected_users_back(trained: Trained):
    task = task_of(trained, "pairs")
    kept = task.partition.retained_pairs.split(Split.TRAIN)
    kept = kept.select(np.isin(kept.users, task.partition.forgotten.users))
    inputs = task.inputs(views.padded)
    rows = torch.tensor(kept.users), torch.tensor(kept.items)
    drift = []
    for steps in (0, 150):
        settings = {"calibration": steps, "moments": 5, "step": 30, "stay_weight": 20, "learning_rate": 0.01}
        model = Obliviate(ObliviateConfig.of(settings)).run(task).model
        with torch.no_grad():
            old, new = trained.model.vectors(inputs), model.vectors(inputs)
        drift.append(
            ((old.users[rows[0]] * old.items[rows[1]] - new.users[rows[0]] * new.items[rows[1]]).sum(dim=1))
            .square()
            .mean()
            .item()
        )
    assert drift[1] < 0.7 * drift[0]
