import pytest
import torch

from mmrecun.unlearning.gradient.mmrecun_paper import MMRecUnPaperConfig, MMRecUnPaperRun
from mmrecun.unlearning.gradient.neggrad import NegGradConfig, NegGradRun
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestNegGrad(GradientContract):
    name = "neggrad"
    settings = {"epochs": 1, "batch_size": 256}
    sign = {"alpha": 0.1}


@pytest.mark.parametrize("target", ["pairs", "some audio", "mixed"])
def test_it_is_the_negated_reading_of_mmrecun(trained: Trained, target: str):
    task = task_of(trained, target)
    run = NegGradRun(task, NegGradConfig(alpha=0.7))
    other = MMRecUnPaperRun(task, MMRecUnPaperConfig(form="negated", forget_weight=0.3))
    step = next(run.sampler.retain_pass(0))
    assert run.loss(step).item() == pytest.approx(other.loss(step).item(), rel=1e-5)


def test_the_pull_is_half_the_squared_distance_from_the_start(trained: Trained):
    task, configs = task_of(trained, "pairs"), (NegGradConfig(alpha=0.8), NegGradConfig(alpha=0.8, stay_weight=0.01))
    runs = [NegGradRun(task, config) for config in configs]
    step = next(runs[0].sampler.retain_pass(0))
    at_start = [run.loss(step).item() for run in runs]
    assert at_start[0] == at_start[1]
    with torch.no_grad():
        for run in runs:
            for parameter in run.model.parameters():
                parameter.add_(0.1)
    moved = [run.loss(step).item() for run in runs]
    count = sum(parameter.numel() for parameter in runs[0].model.parameters())
    assert moved[1] - moved[0] == pytest.approx(0.8 * 0.01 / 2 * count * 0.1**2, rel=1e-3)
