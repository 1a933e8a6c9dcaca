import pytest
import torch

from mmrecun.unlearning.gradient.ascent import AscentConfig, AscentRun
from mmrecun.unlearning.gradient.stopping import StoppingCriterion
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestAscent(GradientContract):
    name = "ascent"
    settings = {"learning_rate": 0.02, "epochs": 3}

    def first_step(self, run):
        return next(run.sampler.forget_only(0))


def test_the_objective_is_minus_the_loss_of_forgotten_triples(trained: Trained):
    run = AscentRun(task_of(trained, "pairs"), AscentConfig())
    step = next(run.sampler.forget_only(0))
    x = run.model.vectors(run.inputs).of_triples(step.forget).margins()
    expected = -torch.log1p(torch.exp(-x.double())).mean()
    assert run.loss(step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_stops_at_the_level_and_not_far_below(trained: Trained):
    task, config = task_of(trained, "pairs"), AscentConfig(learning_rate=0.01, epochs=60)
    run, untrained = AscentRun(task, config), AscentRun(task, config)
    level = StoppingCriterion(task, untrained.model, untrained.padded_inputs, untrained.sampler)
    start = level.excess()
    stop, history = run.passes()
    assert start > 0
    assert stop == "forgotten pairs have come down to the level of held-out pairs"
    assert len(history) < 60
    untrained.model.load_state_dict(run.model.state_dict())
    assert -0.25 * start < level.excess() <= 0


def test_at_the_level_already_it_takes_no_step(trained: Trained):
    run = AscentRun(task_of(trained, "pairs"), AscentConfig())
    with torch.no_grad():
        run.model.users.weight.zero_()
        run.model.items.weight.zero_()
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    _, history = run.passes()
    assert history == []
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())
