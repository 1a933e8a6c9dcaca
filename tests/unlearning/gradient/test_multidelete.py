import numpy as np
import torch

from mmrecun.unlearning.gradient.multidelete import MultiDeleteConfig, MultiDeleteRun
from tests.contracts.models import disturb
from tests.contracts.unlearning import GradientContract, Trained, task_of


class TestMultiDelete(GradientContract):
    name = "multidelete"
    settings = {"learning_rate": 0.02, "epochs": 2}
    sign = {"decouple": 50.0}


def test_the_objective_is_the_weighted_sum_of_three_squared_errors(trained: Trained):
    config = MultiDeleteConfig(decouple=2.0, multimodal=3.0, unimodal=5.0)
    run = MultiDeleteRun(task_of(trained, "pairs"), config)
    disturb(run.model)
    step = next(run.sampler.forget_pass(0))
    found = run.loss(step).item()
    with torch.no_grad():
        now = run.model.vectors(run.inputs)
    (u, i), (fu, fi) = ((x.users.double().numpy(), x.items.double().numpy()) for x in (now, run.teacher))
    f, r = step.forget, step.retain
    decouple = np.mean((u[f.users] * i[f.positives] - fu[f.users] * fi[f.negatives]) ** 2)
    multimodal = np.mean((u[r.users] * i[r.positives] - fu[r.users] * fi[r.positives]) ** 2)
    unimodal = 0.0
    for name, modality in run.task.partition.original.modalities.items():
        there = [item for item in set(f.positives.tolist()) if modality.present[item]]
        own, before = (x.branches[name][1].double().numpy()[there] for x in (now, run.teacher))
        unimodal += np.mean((own - before) ** 2)
    np.testing.assert_allclose(found, 2 * decouple + 3 * multimodal + 5 * unimodal, rtol=1e-4)


def test_nothing_of_a_removed_item_or_feature_is_kept(trained: Trained):
    for target in ("items", "all audio"):
        run = MultiDeleteRun(task_of(trained, target), MultiDeleteConfig(decouple=0, multimodal=0, unimodal=1))
        disturb(run.model)
        run.loss(next(run.sampler.forget_pass(0))).backward()
        touched = {name for name, p in run.model.named_parameters() if p.grad is not None and p.grad.any()}
        assert not {name for name in touched if "audio" in name}
        assert bool(touched) == (target == "all audio")
        assert not {name for name in touched if name == "users.weight"}
