import numpy as np
import pytest
import torch

from mmrecun.unlearning.gradient.mmrecun_paper import MMRecUnPaperConfig, MMRecUnPaperRun
from mmrecun.unlearning.gradient.tru import TRUConfig, TRURun, branch_scales, with_gradient
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestTRU(GradientContract):
    name = "tru"
    settings = {"learning_rate": 0.02, "epochs": 2}
    sign = {"forget_weight": 0.9}


def test_the_scale_bounds_each_branch_by_its_own_retain_gradient():
    down = [torch.tensor([3.0, 4.0]), torch.tensor([12.0]), torch.tensor([1.0]), None]
    hold = [torch.tensor([1.0, 0.0]), None, torch.tensor([5.0]), torch.tensor([7.0])]
    found = branch_scales(["image", "image", "", "text"], down, hold, tau=2.0)
    assert found == {"image": pytest.approx(2 * 1 / 13), "": 1.0, "text": 1.0}


def test_a_given_gradient_arrives_as_given():
    one, two = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    loss = with_gradient(torch.tensor(4.0), [one, two], [torch.tensor([1.0, -2.0]), torch.full((3,), 5.0)])
    assert loss.item() == 4
    (2 * loss).backward()
    assert one.grad.tolist() == [2, -4]
    assert two.grad.tolist() == [10, 10, 10]


@pytest.mark.parametrize("target", ["pairs", "some audio"])
def test_with_all_modules_and_no_bound_it_is_mmrecun(trained: Trained, target: str):
    task = task_of(trained, target)
    runs = TRURun(task, TRUConfig(share=1, tau=1e6)), MMRecUnPaperRun(task, MMRecUnPaperConfig())
    step = next(runs[0].sampler.forget_pass(0))
    gradients = []
    for run in runs:
        loss = run.loss(step)
        loss.backward()
        gradients.append((loss.item(), [parameter.grad.clone() for parameter in run.model.parameters()]))
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-5)
    for one, two in zip(gradients[0][1], gradients[1][1], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


def test_only_the_chosen_modules_move(trained: Trained):
    run = TRURun(task_of(trained, "pairs"), TRUConfig(share=0.3, epochs=1))
    modules = {
        name.rpartition(".")[0]: chosen
        for (name, _), chosen in zip(run.model.named_parameters(), run.chosen, strict=True)
    }
    assert sum(modules.values()) == round(0.3 * len(modules))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.passes()
    moved = [not torch.equal(parameter, before[name]) for name, parameter in run.model.named_parameters()]
    assert moved == run.chosen


def test_the_chosen_modules_have_the_largest_ratio(trained: Trained):
    run = TRURun(task_of(trained, "pairs"), TRUConfig(share=0.3, probe_batches=1))
    step = next(run.sampler.forget_pass(0))
    kept, forgotten = run.forward(step)
    sizes = []
    for loss in (torch.nn.functional.softplus(forgotten[0]).mean(), run.retain_loss(kept)):
        run.model.zero_grad()
        loss.backward(retain_graph=True)
        squares: dict[str, float] = {}
        for name, parameter in run.model.named_parameters():
            module = name.rpartition(".")[0]
            squares[module] = squares.get(module, 0.0) + float(parameter.grad.square().sum())
        sizes.append(squares)
    ratio = {module: sizes[0][module] / sizes[1][module] for module in sizes[0]}
    best = sorted(ratio, key=ratio.get, reverse=True)[: round(0.3 * len(ratio))]
    named = [name.rpartition(".")[0] for name, _ in run.model.named_parameters()]
    assert run.chosen == [module in best for module in named]
    assert np.unique(list(ratio.values())).size == len(ratio)
