import pytest
import torch

from mmrecun.unlearning.gradient.ascent import Ascent, AscentConfig
from mmrecun.unlearning.gradient.base import GradientRun
from mmrecun.unlearning.gradient.stopping import StoppingCriterion
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestAscent(GradientContract):
    name = "ascent"
    settings = {"learning_rate": 0.02, "epochs": 3}

    def first_step(self, method, run, memory):
        return next(run.sampler.forget_only(0))


def test_the_objective_is_minus_the_loss_of_forgotten_triples(trained: Trained):
    method = Ascent(AscentConfig())
    run = GradientRun.of(task_of(trained, "pairs"), method.config)
    step = next(run.sampler.forget_only(0))
    x = run.model.vectors(run.retained_inputs).of_triples(step.forget).margins()
    expected = -torch.log1p(torch.exp(-x.double())).mean()
    assert method.loss(run, method.prepare(run), step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_stops_at_the_level_and_not_far_below(trained: Trained):
    task = task_of(trained, "pairs")
    method = Ascent(AscentConfig(learning_rate=0.01, epochs=60))
    history = []
    run = GradientRun.of(task, method.config)
    start = StoppingCriterion(run).excess()
    stop = method._passes(run, history)
    assert start > 0
    assert stop == "forgotten pairs have come down to the level of held-out pairs"
    assert len(history) < 60
    level = StoppingCriterion(GradientRun.of(task, method.config))
    level._run = run
    assert -0.25 * start < level.excess() <= 0


def test_at_the_level_already_it_takes_no_step(trained: Trained):
    method = Ascent(AscentConfig())
    run = GradientRun.of(task_of(trained, "pairs"), method.config)
    with torch.no_grad():
        run.model.users.weight.zero_()
        run.model.items.weight.zero_()
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    history = []
    method._passes(run, history)
    assert history == []
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())
