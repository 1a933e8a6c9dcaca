import pytest
import torch

from mmrecun.unlearning.gradient.ascent import Ascent, AscentConfig
from mmrecun.unlearning.gradient.base import Work
from mmrecun.unlearning.gradient.stopping import Gauge
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestAscent(GradientContract):
    name = "ascent"
    settings = {"learning_rate": 0.02, "epochs": 3}

    def first_step(self, method, work, memory):
        return next(work.sampler.forgotten(0))


def test_the_objective_is_minus_the_loss_of_forgotten_triples(trained: Trained):
    method = Ascent(AscentConfig())
    work = Work.of(task_of(trained, "pairs"), method.config)
    step = next(work.sampler.forgotten(0))
    x = work.model.vectors(work.served).at(step.forget).margins()
    expected = -torch.log1p(torch.exp(-x.double())).mean()
    assert method.objective(work, method.prepare(work), step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_stops_at_the_level_and_not_far_below(trained: Trained):
    task = task_of(trained, "pairs")
    method = Ascent(AscentConfig(learning_rate=0.01, epochs=60))
    history = []
    work = Work.of(task, method.config)
    start = Gauge(work).excess()
    stop = method._passes(work, history)
    assert start > 0
    assert stop == "forgotten pairs have come down to the level of held-out pairs"
    assert len(history) < 60
    level = Gauge(Work.of(task, method.config))
    level._work = work
    assert -0.25 * start < level.excess() <= 0


def test_at_the_level_already_it_takes_no_step(trained: Trained):
    method = Ascent(AscentConfig())
    work = Work.of(task_of(trained, "pairs"), method.config)
    with torch.no_grad():
        work.model.users.weight.zero_()
        work.model.items.weight.zero_()
    before = {name: value.clone() for name, value in work.model.state_dict().items()}
    history = []
    method._passes(work, history)
    assert history == []
    assert all(torch.equal(value, before[name]) for name, value in work.model.state_dict().items())
