"""Work on a card against the same work on the CPU, for a real card and for its stand-in alike."""

import copy

import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Recommender
from mmrecun.training.captured import Steps
from mmrecun.training.loop import adam
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from tests.contracts.models import CPU, build
from tests.contracts.unlearning import Trained, task_of

BATCH = 128


def moved_to(task: Task, device: torch.device) -> Task:
    """The same task with the model on `device`."""
    return Task(
        copy.deepcopy(task.model).to(device), task.partition, task.training, task.seed, task.validate, task.progress
    )


def unlearned(task: Task, device: torch.device) -> dict[str, Tensor]:
    """The rows of the new model. Nothing is settled, since epochs draw other negatives on a card."""
    there = moved_to(task, device)
    result = MMRecUn(MMRecUnConfig(min_cosine=-1, epochs=0)).run(there)
    return {name: table.weight.detach().cpu() for name, table in result.model.tables().items()}


def check_unlearning(trained: Trained, target: str, card: torch.device, close: float) -> None:
    """Compare all rows after a request, in shares of how far the CPU moved them."""
    task = task_of(trained, target)
    ours, theirs = unlearned(task, CPU), unlearned(task, card)
    rows = {"users": task.partition.user_rows, "items": task.partition.item_rows}
    for name, table in trained.model.tables().items():
        moved = (ours[name] - table.weight.detach()[torch.from_numpy(rows[table.side])]).norm()
        assert (theirs[name] - ours[name]).norm() <= close * moved + 1e-7, name
        assert moved > 0 or name not in trained.model.ID_TABLES


def check_captured_solver(trained: Trained, card: torch.device) -> None:
    """Compare Gauss-Newton steps with captured conjugate gradient steps and with plain ones; the last starts anew."""
    found = []
    for capture in (False, True):
        solver = BalanceSolver(moved_to(task_of(trained, "pairs"), card), 64, -1, capture)
        missing = [solver.newton_step(8) for _ in range(2)]
        solver.resume()
        missing.append(solver.newton_step(8))
        found.append((missing, [table.weight.detach().cpu() for table in solver.tables.values()]))
    (one, rows), (other, others) = found
    torch.testing.assert_close(torch.tensor(one), torch.tensor(other), rtol=1e-3, atol=1e-6)
    for left, right in zip(rows, others, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)
    assert one[1] != one[0] == one[2]


def check_captured_training(dataset: Dataset, name: str, card: torch.device) -> None:
    """Compare three epochs of captured training steps with plain ones."""
    model = build(name, dataset).to(card)
    inputs = build_inputs(dataset, model.required_inputs(), card)
    found = []
    for capture in (False, True):
        there: Recommender = copy.deepcopy(model)
        steps = Steps(there, adam(there, 1e-2), capture)
        losses = [steps.run(batches(dataset, card), inputs) for _ in range(3)]
        found.append((losses, [value.detach().cpu() for value in there.parameters()]))
    torch.testing.assert_close(torch.tensor(found[0][0]), torch.tensor(found[1][0]), rtol=1e-4, atol=0)
    assert found[1][0][2] < found[1][0][0]
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def batches(dataset: Dataset, device: torch.device) -> list:
    """Return an epoch's triples."""
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    drawn = DeviceTriples(dataset.train, sampler, CPU)
    return [triples.to(device) for triples in drawn.epoch(BATCH, torch.Generator().manual_seed(0))]
