import torch

from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.candidate_lists import divergence
from mmrecun.unlearning.gradient.scrub import ScrubConfig, ScrubRun
from tests.contracts.models import build, disturb
from tests.contracts.unlearning import TRAINING, GradientContract, Trained, requests, task_of, validate


class TestScrub(GradientContract):
    name = "scrub"
    settings = {"epochs": 2, "max_epochs": 1, "batch_size": 256, "candidates": 30}
    pushes = ("users", "items", "pairs")

    def first_step(self, run):
        return next(run.sampler.forget_only(0))


def graphless(trained: Trained) -> ScrubRun:
    """A model without a graph: the student starts as the teacher, exactly."""
    model = disturb(build("bprmf", trained.dataset))
    partition = Partition.from_request(trained.dataset, requests(trained.dataset)["pairs"])
    return ScrubRun(Task(model, partition, TRAINING, Seed(5), validate), ScrubConfig(task=0))


def test_where_teacher_and_student_agree_nothing_pulls(trained: Trained):
    run = graphless(trained)
    for step in (next(run.sampler.forget_only(0)), next(run.sampler.retain_only(0))):
        loss = run.loss(step)
        loss.backward()
        assert loss.item() == 0
        assert run.model.users.weight.grad.abs().max() < 1e-7


def test_forgotten_triples_are_pushed_away_and_retained_ones_drawn_back(trained: Trained):
    run = graphless(trained)
    disturb(run.model)
    forget, kept = next(run.sampler.forget_only(0)), next(run.sampler.retain_only(0))
    assert run.loss(forget).item() < 0
    assert run.loss(kept).item() > 0


def test_the_retain_step_is_task_plus_obedience_over_the_drawn_items(trained: Trained):
    task, config = task_of(trained, "pairs"), ScrubConfig(task=0.3, stay_weight=0.7, temperature=3.0, candidates=20)
    run = ScrubRun(task, config)
    step = next(run.sampler.retain_only(0))
    found = run.loss(step).item()
    teacher, others = run.teacher, ScrubRun(task, config).candidates()
    now = run.model.vectors(run.inputs)
    lists = []
    for users, items in ((teacher.users, teacher.items), (now.users, now.items)):
        scores = (users @ items.T).double()
        rows, own = step.retain.users, step.retain.positives
        lists.append(torch.cat([scores[rows, own].unsqueeze(1), scores[rows][:, others]], dim=1))
    expected = 0.3 * run.retain_loss(now.of_triples(step.retain)).item() + 0.7 * divergence(*lists, 3.0).item()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_disobedience_ends_with_its_epochs_and_at_the_level(trained: Trained):
    run = ScrubRun(task_of(trained, "pairs"), ScrubConfig(max_epochs=1, batch_size=256))
    assert [len(step.forget) > 0 for step in run.steps(0)] == [True, False, False, False, False]
    assert not [step for step in run.steps(1) if len(step.forget)]
    with torch.no_grad():
        run.model.users.weight.zero_()
        run.model.items.weight.zero_()
    assert not [step for step in run.steps(0) if len(step.forget)]
