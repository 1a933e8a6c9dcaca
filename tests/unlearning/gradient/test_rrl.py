import numpy as np
import pytest
import torch

from mmrecun.unlearning.gradient.rrl import RRLConfig, RRLRun, fisher_diagonal, ranked_reverse
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestRRL(GradientContract):
    name = "rrl"
    settings = {"learning_rate": 0.02, "epochs": 2}


def test_pairs_at_the_top_count_most_and_descent_lowers_every_margin():
    margins = torch.tensor([6.0, 0.0, -2.0], requires_grad=True)
    above = torch.tensor([0.0, 0.06, 1.0])
    loss = ranked_reverse(margins, above, 101)
    weight = 1 / np.log2([2, 8, 102])
    x = np.array([6.0, 0.0, -2.0])
    assert loss.item() == pytest.approx((weight * np.log1p(np.exp(x))).mean(), rel=1e-5)
    loss.backward()
    np.testing.assert_allclose(margins.grad, weight / (1 + np.exp(-x)) / 3, rtol=1e-5)
    assert (margins.grad > 0).all()


def test_the_fisher_diagonal_is_the_mean_squared_gradient_scaled_to_mean_one(trained: Trained):
    run = RRLRun(task_of(trained, "users"), RRLConfig(batch_size=300))
    found = fisher_diagonal(run, 2)
    squares = [torch.zeros_like(parameter) for parameter in run.model.parameters()]
    batches = list(run.sampler.retain_only(0))[:2]
    for step in batches:
        run.model.zero_grad()
        run.retain_loss(run.model.vectors(run.inputs).of_triples(step.retain)).backward()
        for square, parameter in zip(squares, run.model.parameters(), strict=True):
            square.add_(parameter.grad.square())
    mean = sum(square.sum() for square in squares) / sum(square.numel() for square in squares)
    for one, two in zip(found, squares, strict=True):
        torch.testing.assert_close(one, two / mean, rtol=1e-3, atol=1e-4)
    flat = torch.cat([fisher.flatten() for fisher in found])
    assert flat.mean().item() == pytest.approx(1, rel=1e-4)
    names = [name for name, _ in run.model.named_parameters()]
    assert not found[names.index("users.weight")][run.task.partition.removed_users].any()


def test_the_anchor_weighs_every_move_by_its_fisher_value(trained: Trained):
    task = task_of(trained, "pairs")
    runs = [RRLRun(task, RRLConfig(stay_weight=weight)) for weight in (0, 0.5)]
    step = next(runs[0].sampler.forget_only(0))
    free, anchored = (run.loss(step).item() for run in runs)
    assert free == anchored
    with torch.no_grad():
        for run in runs:
            for parameter in run.model.parameters():
                parameter.add_(0.01)
    one, two = (run.loss(step).item() for run in runs)
    total = sum(float(fisher.double().sum()) for fisher in runs[1].fisher)
    assert two - one == pytest.approx(0.5 * total * 0.01**2, rel=1e-3)
