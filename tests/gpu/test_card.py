"""What a CUDA card works out, against the CPU; skipped, with the reason, where there is no card."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs, runs
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs, neighbour_graph
from mmrecun.data.interactions import Split
from mmrecun.evaluation.evaluate import evaluate
from mmrecun.evaluation.ranking import percentiles, ranks, top_k
from mmrecun.models.registry import MODELS
from mmrecun.rng import Seed
from mmrecun.training.captured import Steps
from mmrecun.training.epochs import DeviceEpochs, EpochTask
from mmrecun.training.loop import adam
from mmrecun.training.losses import training_loss
from tests.contracts.models import CPU, build, disturb
from tests.contracts.unlearning import TRAINING, task_of, trained_on
from tests.gpu.against_cpu import (
    BATCH,
    batches,
    check_captured_solver,
    check_captured_training,
    check_unlearning,
    unlearned,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card was found")
CARD = torch.device("cuda")


def vectors_of(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    return tuple(torch.randn(len(ids), 16, generator=rng) for ids in (dataset.users, dataset.items))


@pytest.mark.parametrize("name", list(MODELS))
def test_losses_and_gradients_are_those_of_the_cpu(dataset: Dataset, name: str):
    model = disturb(build(name, dataset))
    found = []
    for device in (CPU, CARD):
        there = copy.deepcopy(model).to(device)
        triples = batches(dataset, device)[0]
        loss = training_loss(
            there, there.batch_vectors(build_inputs(dataset, there.required_inputs(), device), triples)
        )
        loss.backward()
        found.append((loss.item(), {key: value.grad for key, value in there.named_parameters()}))
    (loss, gradients), (other, others) = found
    close = 2e-2 if name == "mgcn" else 1e-4  # its InfoNCE takes products in bfloat16
    assert other == pytest.approx(loss, rel=close)
    for key, value in gradients.items():
        assert (value is None) == (others[key] is None)
        if value is not None:
            assert (others[key].cpu() - value).norm() <= close * value.norm() + 1e-7, key


@pytest.mark.parametrize("name", list(MODELS))
def test_captured_steps_are_the_plain_ones(dataset: Dataset, name: str):
    check_captured_training(dataset, name, CARD)


@pytest.mark.parametrize("name", ["bprmf", "lightgcn", "mgcn"])
def test_unlearning_gives_the_rows_of_the_cpu(dataset: Dataset, name: str):
    original = trained_on(dataset, name, TRAINING)
    for target in ("users", "items", "pairs"):
        check_unlearning(original, target, CARD, close=0.05)


@pytest.mark.parametrize("name", ["bprmf", "mgcn"])
def test_the_same_request_gives_the_same_rows(dataset: Dataset, name: str):
    """Sums over pairs have a fixed order, so that no atomic addition decides the last bits."""
    task = task_of(trained_on(dataset, name, TRAINING), "pairs")
    one, other = (unlearned(task, CARD) for _ in range(2))
    assert all(torch.equal(one[table], other[table]) for table in one)


@pytest.mark.parametrize("name", list(MODELS))
def test_captured_conjugate_gradients_are_the_plain_ones(dataset: Dataset, name: str):
    check_captured_solver(trained_on(dataset, name, TRAINING), CARD)


@pytest.mark.parametrize("name", list(MODELS))
def test_the_same_seed_trains_the_same_model(dataset: Dataset, name: str):
    """Dropout and pruned graphs too."""
    results = []
    for _ in range(2):
        model = build(name, dataset).to(CARD)
        sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
        inputs = build_inputs(dataset, model.required_inputs(), CARD)
        epochs = DeviceEpochs(EpochTask(model, dataset.train, sampler, inputs, BATCH, adam(model, 1e-2)))
        results.append([epochs.run(Seed(number)) for number in range(4)])
        assert results[-1][3] < results[-1][0]
    assert results[0] == results[1]


def test_dropout_differs_from_replay_to_replay(dataset: Dataset):
    model = build("bm3", dataset).to(CARD)
    inputs = build_inputs(dataset, model.required_inputs(), CARD)
    steps = Steps(model, torch.optim.Adam(model.parameters(), lr=0.0, fused=True, capturable=True), True)
    model.dropout_rng = steps.noise.manual_seed(5)
    some = batches(dataset, CARD)[:1]
    losses = [steps.run(some, inputs) for _ in range(8)]
    assert len(set(losses)) > 6


def test_rankings_are_those_of_the_cpu(dataset: Dataset):
    users, items = vectors_of(dataset)
    held = dataset.interactions.split(Split.TEST)
    rows = np.arange(len(dataset.users))
    there = users.to(CARD), items.to(CARD)
    assert (top_k(users, items, dataset.train, rows, 10) == top_k(*there, dataset.train, rows, 10)).mean() > 0.99
    assert (ranks(users, items, dataset.train, held, 30) == ranks(*there, dataset.train, held, 30)).mean() > 0.99
    np.testing.assert_allclose(
        percentiles(users, items, dataset.train, held), percentiles(*there, dataset.train, held), atol=0.03
    )
    for lists in (False, True):
        one, other = (evaluate(*pair, dataset.train, held, lists=lists).metrics for pair in ((users, items), there))
        assert other == pytest.approx(one, abs=5e-3)


def test_neighbour_graphs_are_those_of_the_cpu():
    features = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    present = np.random.default_rng(1).random(300) < 0.9
    one, other = (neighbour_graph(features, present, present, 7, device) for device in (CPU, CARD))
    assert abs(one - other).max() < 1e-5


def test_a_run_is_trained_unlearned_and_audited_on_the_card(data_folder: Path, tmp_path: Path):
    settings = {"epochs": 8, "batch_size": 128, "learning_rate": 0.02, "dim": 8}
    jobs.train(data_folder, "mgcn", tmp_path / "run", settings, device="cuda")
    users = runs.load(tmp_path / "run").dataset.users.names[:4].to_list()
    for method in ("mmrecun", "retrain"):
        jobs.unlearn(tmp_path / "run", {"users": users}, tmp_path / method, method=method)
    report = jobs.audit(tmp_path / "mmrecun", [tmp_path / "retrain"])
    assert 0 <= report.measurements("unlearned").retain["recall@20"] <= 1
