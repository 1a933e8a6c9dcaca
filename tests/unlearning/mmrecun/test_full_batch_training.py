from copy import deepcopy

import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError, ForgetError
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.validation import validation_score
from mmrecun.unlearning.base import Task, UnlearnResult
from mmrecun.unlearning.mmrecun import full_batch_training
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard
from tests.contracts.unlearning import Trained, UnlearnerContract, requests, trained_on, validate

USUAL = TrainConfig(epochs=60, batch_size=128, learning_rate=0.005)


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> Trained:
    return trained_on(dataset, "bm3", USUAL)


def task_of(trained: Trained, request: ForgetRequest | str = "pairs", training: TrainConfig = USUAL) -> Task:
    asked = requests(trained.dataset)[request] if isinstance(request, str) else request
    return Task(trained.model, Partition.from_request(trained.dataset, asked), training, Seed(4), validate)


def unlearned(task: Task) -> UnlearnResult:
    return MMRecUn(MMRecUnConfig()).run(task)


class TestBM3IsUnlearned(UnlearnerContract):
    name = "mmrecun"


def trained_until(task: Task, enough: float) -> UnlearnResult:
    """Train until validation recall is `enough`, as if the trained model had that."""
    inputs = task.inputs(views.retained)
    guard = ValidationGuard(task, inputs)
    guard.trained = enough
    return full_batch_training.trained_in_full_batches(task, inputs, guard)


def test_only_the_recall_of_the_trained_model_is_read(trained: Trained):
    other = deepcopy(trained.model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_(generator=Seed(9).torch())
    one, again = (trained_until(task_of(Trained(model, trained.dataset)), 0.3) for model in (trained.model, other))
    values = again.model.state_dict()
    assert all(torch.equal(value, values[name]) for name, value in one.model.state_dict().items())


@pytest.mark.parametrize("enough", [0.3, 1.0])
def test_the_parameters_that_validate_best_are_kept(trained: Trained, enough: float):
    task = task_of(trained, "users")
    found = trained_until(task, enough)
    valid = {row["step"]: row["valid"] for row in found.history}
    best = max(valid, key=valid.__getitem__)
    assert validation_score(found.model, task.inputs(views.retained), task.partition.retained) == valid[best]
    assert found.stop_reason.endswith(f"at step {best} of {max(valid)}")
    assert found.model.dropout_rng is None
    if enough == 1:
        assert max(valid) == min(best + full_batch_training._PATIENCE, full_batch_training._MOST)
    else:
        assert [step for step, score in valid.items() if score >= enough] == [best] == [max(valid)]


def test_it_validates_about_as_well_as_the_trained_model(trained: Trained):
    task = task_of(trained)
    guard = ValidationGuard(task, task.inputs(views.retained))
    assert guard.score(unlearned(task).model) > 0.9 * guard.trained > 0.3


def test_a_single_pair_is_forgotten_as_many_are(trained: Trained):
    train, dataset = trained.dataset.train, trained.dataset
    pair = (dataset.users.names[int(train.users[0])], dataset.items.names[int(train.items[0])])
    stop = unlearned(task_of(trained, ForgetRequest(pairs=(pair,)))).stop_reason
    assert stop.startswith("trained anew on all retained pairs at once; best validation at step ")


def test_the_rate_of_shared_layers_falls_to_that_of_the_training():
    rates = [full_batch_training.shared_rate(step) for step in range(200)]
    assert rates[0] == full_batch_training._FASTER
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 1


def test_a_model_that_validates_worse_is_retrained(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ValidationGuard, "worse", lambda *_: "it is worse")
    assert unlearned(task_of(trained)).stop_reason.startswith("trained anew, since it is worse; best validation")


def test_without_validation_pairs_nothing_is_trained(trained: Trained):
    dataset = trained.dataset
    valid = dataset.interactions.split(Split.VALID)
    names = dataset.users.names.gather(valid.users), dataset.items.names.gather(valid.items)
    some = requests(dataset)["pairs"].pairs
    listed = (*zip(*names, strict=True), *some)
    with pytest.raises(ForgetError, match=r"not trained to rank pairs, .* no validation pair .* --method unlink"):
        unlearned(task_of(trained, ForgetRequest(pairs=listed)))


def test_a_loss_that_is_no_longer_finite_is_named(trained: Trained):
    with pytest.raises(DivergedError, match="the loss became nan"):
        unlearned(task_of(trained, training=TrainConfig(learning_rate=1e30)))
