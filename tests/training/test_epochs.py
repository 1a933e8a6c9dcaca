"""Epochs as a device takes them, here on the CPU with capture switched off, and on the card where there is one."""

import copy

import pytest
import torch

from mmrecun.data.bpr_sampling import NegativeSampler, Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.graph import build_inputs
from mmrecun.errors import DivergedError
from mmrecun.models.base import Recommender
from mmrecun.models.registry import MODELS
from mmrecun.rng import Seed
from mmrecun.training.captured import Steps
from mmrecun.training.epochs import DeviceEpochs, EpochTask, HostEpochs, epochs_of
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss
from tests.contracts.models import CPU, build

BATCH = 128


def drawn(dataset: Dataset) -> list[Triples]:
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    return list(DeviceTriples(dataset.train, sampler, CPU).epoch(BATCH, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", list(MODELS))
def test_its_steps_are_those_of_the_plain_loop(dataset: Dataset, name: str):
    """The last batch is shorter, and its mean is over its own rows."""
    models = [build(name, dataset)]
    models.append(copy.deepcopy(models[0]))
    inputs = build_inputs(dataset, models[0].required_inputs(), CPU)
    batches = drawn(dataset)
    batches.append(batches[0].take(slice(7)))
    plain = train_batches(
        batches, lambda some: training_loss(models[0], models[0].batch_vectors(inputs, some)), adam(models[0], 1e-3)
    )
    ours = Steps(models[1], adam(models[1], 1e-3), capture=False).run(batches, inputs)
    assert ours == plain
    for value, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(value, other)


def task_of(model: Recommender, dataset: Dataset) -> EpochTask:
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    return EpochTask(model, dataset.train, sampler, inputs, BATCH, adam(model, 1e-3))


def test_the_same_seed_trains_the_same_model(dataset: Dataset):
    results = []
    for _ in range(2):
        model = build("bm3", dataset)
        epochs = DeviceEpochs(task_of(model, dataset), capture=False)
        losses = [epochs.run(Seed(number)) for number in (1, 2, 3)]
        assert losses[2] < losses[0]
        assert model.dropout_rng is None
        results.append([value.detach().clone() for value in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_a_loss_that_is_not_finite_is_reported(dataset: Dataset):
    model = build("lightgcn", dataset)
    with torch.no_grad():
        model.users.weight[0] = torch.inf
    with pytest.raises(DivergedError, match="lower learning_rate"):
        DeviceEpochs(task_of(model, dataset), capture=False).run(Seed(0))


def test_a_cpu_draws_and_steps_as_ever(dataset: Dataset):
    model = build("bprmf", dataset)
    assert isinstance(epochs_of(task_of(model, dataset)), HostEpochs)
