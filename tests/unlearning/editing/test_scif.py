import numpy as np
import pytest
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.interactions import Interactions
from mmrecun.forget import views
from mmrecun.models.base import Recommender
from mmrecun.models.bprmf import BPRMF
from mmrecun.rng import Seed
from mmrecun.training.fit import fit
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.editing import scif
from mmrecun.unlearning.editing.scif import SCIF, Pairs, SCIFConfig, hessian_product, label_change
from mmrecun.unlearning.functional import vectors_with
from tests.contracts.models import CPU, build
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, task_of


class TestSCIF(UnlearnerContract):
    name = "scif"
    settings = {"damping": 0.3}


def test_hessian_products_are_those_of_the_dense_hessian():
    parameter = torch.randn(3, 4, generator=Seed(0).torch(), dtype=torch.float64, requires_grad=True)
    loss = lambda values: (values.sigmoid().sum() ** 2) + values.pow(4).sum()  # noqa: E731
    dense = torch.func.hessian(loss)(parameter.detach()).reshape(12, 12)
    vector = torch.randn(3, 4, generator=Seed(1).torch(), dtype=torch.float64)
    found = hessian_product(loss(parameter), parameter)(vector)
    torch.testing.assert_close(found.flatten(), dense @ vector.flatten())


def test_the_gradient_of_the_label_change_is_the_change_of_the_label():
    margins = torch.tensor([-1.0, 0.3, 2.0], requires_grad=True)
    label = torch.tensor([0.2, 0.5, 0.9])
    (found,) = torch.autograd.grad(label_change(margins, label), margins)
    torch.testing.assert_close(found, label - 1)


@pytest.fixture(scope="module")
def factorised(trained: Trained) -> Trained:
    model, scores = build("bprmf", trained.dataset), iter(range(1, 100))
    assert isinstance(model, BPRMF)
    fit(
        model,
        trained.dataset,
        task_of(trained, "pairs").inputs(views.padded),
        TRAINING,
        Seed(1),
        lambda _: next(scores),
    )
    return Trained(model, trained.dataset)


def test_the_step_solves_each_users_own_system(factorised: Trained, monkeypatch: pytest.MonkeyPatch):
    """For matrix factorisation the Hessian is one block a user, which NumPy solves."""
    drawn: list[Pairs] = []
    draw = SCIF._draw

    def keeping(*arguments) -> Pairs:
        drawn.append(draw(*arguments))
        return drawn[0]

    monkeypatch.setattr(SCIF, "_draw", keeping)
    task = task_of(factorised, "pairs")
    config = SCIFConfig(damping=0.5, negatives=2, steps=400, tolerance=1e-6)
    result = SCIF(config).run(task)
    users, items = (table.weight.detach().double().numpy() for table in factorised.model.tables().values())
    pairs, expected = drawn[0], users.copy()
    for user in np.unique(task.partition.forgotten.users):
        hessian, target = config.damping * np.eye(users.shape[1]), np.zeros(users.shape[1])
        for u, p, n in zip(*(c.numpy() for c in vars(pairs.keep).values()), strict=True):
            if u == user:
                difference = items[p] - items[n]
                sigmoid = 1 / (1 + np.exp(-users[user] @ difference))
                hessian += sigmoid * (1 - sigmoid) * np.outer(difference, difference) / 2
        columns = (pairs.forget.users, pairs.forget.positives, pairs.forget.negatives, pairs.unseen)
        for u, p, n, r in zip(*(c.numpy() for c in columns), strict=True):
            if u == user:
                label = 1 / (1 + np.exp(-users[user] @ (items[r] - items[n])))
                target += (label - 1) * (items[p] - items[n]) / 2
        expected[user] += np.linalg.solve(hessian, target)
    np.testing.assert_allclose(result.model.users.weight.detach().numpy(), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(result.model.items.weight.detach().numpy(), items.astype(np.float32))


def kept_by(method: type, module, task: Task, monkeypatch: pytest.MonkeyPatch, settings) -> Recommender:
    kept: list[Recommender] = []
    retained_model = module.retained_model
    monkeypatch.setattr(
        module, "retained_model", lambda task, working: kept.append(working) or retained_model(task, working)
    )
    method(settings).run(task)
    return kept[0]


@torch.no_grad()
def margin(model: Recommender, task: Task, pairs: Interactions) -> float:
    """Mean margin on the retained graph."""
    original = task.partition.original
    sampler = NegativeSampler(original.train, len(original.users), len(original.items))
    triples = next(iter(bpr_batches(pairs, sampler, len(pairs), Seed(11).numpy())))
    return model.vectors(task.inputs(views.padded)).of_triples(triples).margins().mean().item()


@pytest.mark.parametrize("target", ["items", "pairs"])
def test_forgotten_margins_fall_further_than_others(
    trained: Trained,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
):
    task = task_of(trained, target)
    after = kept_by(SCIF, scif, task, monkeypatch, SCIFConfig(damping=0.3))
    fall = margin(trained.model, task, task.partition.forgotten) - margin(after, task, task.partition.forgotten)
    others = task.partition.retained_pairs.select(task.partition.retained_pairs.splits == 0)
    assert fall > 0.1
    assert margin(trained.model, task, others) - margin(after, task, others) < fall / 2


def test_only_affected_user_rows_move(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    task = task_of(trained, "pairs")
    after = kept_by(SCIF, scif, task, monkeypatch, SCIFConfig())
    affected = np.unique(task.partition.forgotten.users)
    for name, value in after.state_dict().items():
        same = (value == trained.model.state_dict()[name]).reshape(len(value), -1).all(dim=1).numpy()
        if name == "users.weight":
            np.testing.assert_array_equal(np.flatnonzero(~same), affected)
        else:
            assert same.all(), name


def test_a_request_of_whole_users_has_no_row_to_correct(trained: Trained):
    assert "no row to correct" in SCIF(SCIFConfig()).run(task_of(trained, "users")).stop_reason


def test_swapped_rows_give_the_vectors_of_a_model_that_has_them(trained: Trained):
    task = task_of(trained, "pairs")
    inputs, other = task.inputs(views.padded), build("mgcn", trained.dataset, 4)
    other.load_state_dict(trained.model.state_dict())
    rows = torch.randn(other.users.weight.shape, generator=Seed(2).torch())
    with torch.no_grad():
        other.users.weight.copy_(rows)
        before = trained.model.vectors(inputs).users
        found = vectors_with(trained.model, {"users.weight": rows}, inputs)
        assert torch.equal(found.items, other.vectors(inputs).items)
        assert torch.equal(trained.model.vectors(inputs).users, before)
    assert next(trained.model.parameters()).device == CPU
