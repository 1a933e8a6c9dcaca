import numpy as np
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.retained_balance import gradient_scales
from mmrecun.unlearning.mmrecun.trained_balance import TrainedBalance
from tests.contracts.unlearning import TRAINING, trained_on, validate


def scales_of(dataset: Dataset, model: str, modalities: dict) -> tuple[Partition, dict[str, torch.Tensor], Recommender]:
    trained = trained_on(dataset, model, TRAINING)
    partition = Partition.from_request(dataset, ForgetRequest(modalities=modalities))
    task = Task(trained.model, partition, TRAINING, Seed(4), validate)
    after = retained_model(task, task.model)
    loss = BeforeAndAfter.of(partition, 64, np.random.default_rng(0), task.device, after.info_nce_term())
    found = TrainedBalance.of(task, loss.before, -1)
    return partition, gradient_scales(partition, found, loss.after, after, task.inputs(views.retained)), after


def with_audio(dataset: Dataset, share: int) -> tuple[str, ...]:
    return tuple(dataset.items.names.gather(np.flatnonzero(dataset.modalities["audio"].present)[::share]))


def test_rows_that_are_reached_through_one_branch_less_have_a_smaller_gradient(dataset: Dataset):
    partition, found, _ = scales_of(dataset, "mgcn", {"audio": with_audio(dataset, 3)})
    lost = torch.from_numpy(partition.removed_features["audio"])
    items = found["items.weight"][:, 0]
    assert items[lost].mean() < 0.95 < items[~lost].mean()
    assert items.min() >= 0.05
    assert items.max() <= 1
    # an ID of a user is in no modality's branch, but in the gates of all
    assert found["users.weight"].median() > 0.9


def test_features_with_places_of_their_own_change_no_other_gradient(dataset: Dataset):
    _, found, _ = scales_of(dataset, "vbpr", {"audio": with_audio(dataset, 3)})
    for name in ("users.weight", "items.weight"):
        torch.testing.assert_close(found[name], torch.ones_like(found[name]), atol=2e-3, rtol=0)


def test_vectors_of_another_width_are_not_compared(dataset: Dataset):
    _, found, after = scales_of(dataset, "vbpr", {"audio": None})
    assert after.modalities() == ("image",)
    assert not found
