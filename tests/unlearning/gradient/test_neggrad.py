import pytest
import torch

from mmrecun.unlearning.gradient.base import GradientRun
from mmrecun.unlearning.gradient.mmrecun_paper import MMRecUnPaper, MMRecUnPaperConfig
from mmrecun.unlearning.gradient.neggrad import NegGrad, NegGradConfig
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestNegGrad(GradientContract):
    name = "neggrad"
    settings = {"epochs": 1, "batch_size": 256}
    sign = {"alpha": 0.1}


@pytest.mark.parametrize("target", ["pairs", "some audio", "mixed"])
def test_it_is_the_negated_reading_of_mmrecun(trained: Trained, target: str):
    method, other = (
        NegGrad(NegGradConfig(alpha=0.7)),
        MMRecUnPaper(MMRecUnPaperConfig(form="negated", forget_weight=0.3)),
    )
    run = GradientRun.of(task_of(trained, target), method.config)
    step = next(run.sampler.retain_pass(0))
    found = method.loss(run, method.prepare(run), step)
    assert found.item() == pytest.approx(other.loss(run, None, step).item(), rel=1e-5)


def test_the_pull_is_half_the_squared_distance_from_the_start(trained: Trained):
    plain, pulled = NegGrad(NegGradConfig(alpha=0.8)), NegGrad(NegGradConfig(alpha=0.8, stay_weight=0.01))
    run = GradientRun.of(task_of(trained, "pairs"), plain.config)
    start = pulled.prepare(run)
    step = next(run.sampler.retain_pass(0))
    at_start = [method.loss(run, start, step).item() for method in (plain, pulled)]
    assert at_start[0] == at_start[1]
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.add_(0.1)
    moved = [method.loss(run, memory, step).item() for method, memory in ((plain, []), (pulled, start))]
    count = sum(parameter.numel() for parameter in run.model.parameters())
    assert moved[1] - moved[0] == pytest.approx(0.8 * 0.01 / 2 * count * 0.1**2, rel=1e-3)
