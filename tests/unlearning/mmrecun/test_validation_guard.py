from dataclasses import replace

import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.mmrecun import validation_guard
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard
from tests.contracts.unlearning import TRAINING, Trained, requests, trained_on, validate


@pytest.fixture(scope="module")
def task(dataset: Dataset) -> Task:
    trained: Trained = trained_on(dataset, "bprmf", TrainConfig(epochs=20, batch_size=128, learning_rate=0.02))
    partition = Partition.from_request(dataset, requests(dataset)["users"])
    return Task(trained.model, partition, TRAINING, Seed(4), validate)


def guard(task: Task) -> ValidationGuard:
    return ValidationGuard(task, task.inputs(views.retained))


def reversed_model(task: Task) -> torch.nn.Module:
    """Rank everything the other way round."""
    model = retained_model(task, task.model)
    with torch.no_grad():
        model.users.weight.neg_()
    return model


def test_the_trained_model_is_not_worse_than_itself(task: Task):
    assert guard(task).worse(retained_model(task, task.model)) == ""
    assert guard(task).keeps_recall(retained_model(task, task.model))


def test_a_model_that_ranks_the_other_way_round_is_worse(task: Task):
    made = guard(task)
    assert made.trained > 0.3
    assert made.worse(reversed_model(task)).startswith("the solved model validates at ")
    assert f"does at {made.trained:.4f}" in made.worse(reversed_model(task))
    assert not made.keeps_recall(reversed_model(task))


def test_of_many_users_some_are_asked(task: Task, monkeypatch: pytest.MonkeyPatch):
    everybody = guard(task)._asked
    monkeypatch.setattr(validation_guard, "_MOST_ASKED", 10)
    asked = guard(task)._asked
    assert len(asked) == 10 < len(everybody)
    assert set(asked) <= set(everybody)
    assert (guard(task)._asked == asked).all()


def test_without_validation_pairs_nothing_is_worse_and_nothing_is_tried(task: Task):
    kept = task.partition.original.interactions
    data = replace(task.partition.original, interactions=kept.select(kept.splits != Split.VALID))
    partition = Partition.from_request(data, requests(data)["users"])
    made = guard(replace(task, partition=partition))
    assert made.trained is None
    assert made.worse(reversed_model(task)) == ""
    assert not made.keeps_recall(reversed_model(task))
