import torch

from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientRun
from mmrecun.unlearning.gradient.candidate_lists import divergence
from mmrecun.unlearning.gradient.scrub import Scrub, ScrubConfig
from tests.contracts.models import build, disturb
from tests.contracts.unlearning import TRAINING, GradientContract, Trained, requests, task_of, validate


class TestScrub(GradientContract):
    name = "scrub"
    settings = {"epochs": 2, "max_epochs": 1, "batch_size": 256, "candidates": 30}
    pushes = ("users", "items", "pairs")

    def first_step(self, method, run, memory):
        return next(run.sampler.forget_only(0))


def graphless(trained: Trained) -> GradientRun:
    """A model without a graph: the student starts as the teacher, exactly."""
    model = disturb(build("bprmf", trained.dataset))
    partition = Partition.between(
        trained.dataset, Partition.from_request(trained.dataset, requests(trained.dataset)["pairs"]).retained
    )
    return GradientRun.of(Task(model, partition, TRAINING, Seed(5), validate), ScrubConfig())


def test_where_teacher_and_student_agree_nothing_pulls(trained: Trained):
    run, method = graphless(trained), Scrub(ScrubConfig(task=0))
    teacher = method.prepare(run)
    for step in (next(run.sampler.forget_only(0)), next(run.sampler.retain_only(0))):
        loss = method.loss(run, teacher, step)
        loss.backward()
        assert loss.item() == 0
        assert run.model.users.weight.grad.abs().max() < 1e-7


def test_forgotten_triples_are_pushed_away_and_retained_ones_drawn_back(trained: Trained):
    run, method = graphless(trained), Scrub(ScrubConfig(task=0))
    teacher = method.prepare(run)
    disturb(run.model)
    forget, kept = next(run.sampler.forget_only(0)), next(run.sampler.retain_only(0))
    assert method.loss(run, teacher, forget).item() < 0
    assert method.loss(run, teacher, kept).item() > 0


def test_the_retain_step_is_task_plus_obedience_over_the_drawn_items(trained: Trained):
    method = Scrub(ScrubConfig(task=0.3, stay_weight=0.7, temperature=3.0, candidates=20))
    run = GradientRun.of(task_of(trained, "pairs"), method.config)
    step = next(run.sampler.retain_only(0))
    found = method.loss(run, method.prepare(run), step).item()
    teacher = method.prepare(run)
    others = teacher.candidates()
    now = run.model.vectors(run.retained_inputs)
    lists = []
    for users, items in ((teacher.vectors.users, teacher.vectors.items), (now.users, now.items)):
        scores = (users @ items.T).double()
        rows, own = step.retain.users, step.retain.positives
        lists.append(torch.cat([scores[rows, own].unsqueeze(1), scores[rows][:, others]], dim=1))
    expected = 0.3 * run.retain_loss(now.of_triples(step.retain)).item() + 0.7 * divergence(*lists, 3.0).item()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_disobedience_ends_with_its_epochs_and_at_the_level(trained: Trained):
    method = Scrub(ScrubConfig(max_epochs=1, batch_size=256))
    run = GradientRun.of(task_of(trained, "pairs"), method.config)
    teacher = method.prepare(run)
    assert [len(step.forget) > 0 for step in method.steps(run, teacher, 0)] == [True, False, False, False, False]
    assert not [step for step in method.steps(run, teacher, 1) if len(step.forget)]
    with torch.no_grad():
        run.model.users.weight.zero_()
        run.model.items.weight.zero_()
    assert not [step for step in method.steps(run, teacher, 0) if len(step.forget)]
