import numpy as np
import pytest
import torch

from mmrecun.auditing.lapsed_features import LapsedFeatures
from mmrecun.auditing.membership import matched_auc
from mmrecun.auditing.setup import InputCache
from mmrecun.data.dataset import Dataset
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.vbpr import VBPR
from mmrecun.rng import Seed


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make(SyntheticConfig(users=150, items=120, interactions=4000, groups=4, width=24, missing=0.1), Seed(3))[0]


@pytest.fixture(scope="module")
def partition(dataset: Dataset) -> Partition:
    asked = ForgetRequest(modalities={"image": tuple(dataset.items.names[:40])})
    return Partition.from_request(dataset, asked)


def test_items_that_keep_the_modality_are_chosen_beside_those_that_lost_it(partition: Partition):
    asked = LapsedFeatures.of(partition, "image", np.random.default_rng(0))
    lost = partition.removed_features["image"]
    assert lost[asked.forgotten.items].all()
    assert lost[asked.held_out.items].all()
    assert not lost[asked.known.items].any()
    assert partition.original.modalities["image"].present[asked.known.items].all()
    assert not asked.shown[asked.graph.items].any()
    assert np.isin(asked.forgotten.items, asked.held_out.items).all()
    assert set(asked.forgotten.splits) == {0}
    assert not (set(asked.held_out.splits) & {0})


def test_what_the_projection_learned_of_the_items_shows_and_nothing_else_does(partition: Partition):
    """Tastes that answer to the lost features of what a user had; then a model that never met anything."""
    asked = LapsedFeatures.of(partition, "image", np.random.default_rng(0))
    sizes = Sizes.of_dataset(partition.retained)
    model = VBPR(VBPR.Config(dim=24), sizes, Seed(1).torch())
    forgotten, held_out, *_ = asked.groups(model, partition, InputCache(partition).inputs)
    estimate = matched_auc(forgotten, held_out)
    assert abs(estimate.value - 0.5) < 3 * estimate.error
    features = torch.from_numpy(partition.original.modalities["image"].values())
    unit = torch.nn.functional.normalize(features, dim=1)
    with torch.no_grad():
        model.projections["image"].weight.copy_(torch.eye(24))
        taste = model.tastes["image"].weight
        taste.zero_().index_add_(
            0, torch.from_numpy(asked.forgotten.users.copy()), unit[torch.from_numpy(asked.forgotten.items.copy())]
        )
    forgotten, held_out, *_ = asked.groups(model, partition, InputCache(partition).inputs)
    assert matched_auc(forgotten, held_out).value > 0.65


def test_other_modalities_and_trained_rows_do_not_speak(partition: Partition):
    asked = LapsedFeatures.of(partition, "image", np.random.default_rng(0))
    model = VBPR(VBPR.Config(dim=8), Sizes.of_dataset(partition.retained), Seed(1).torch())
    before = asked.groups(model, partition, InputCache(partition).inputs)
    with torch.no_grad():
        model.items.weight[torch.from_numpy(partition.removed_features["image"][partition.item_rows])] *= 50
        model.projections["audio"].weight[:, :] = 0
    after = asked.groups(model, partition, InputCache(partition).inputs)
    assert after[0].percentiles == pytest.approx(before[0].percentiles, abs=0.2)


def test_a_modality_that_is_gone_cannot_be_asked(dataset: Dataset):
    partition = Partition.from_request(dataset, ForgetRequest(modalities={"image": None}))
    model = VBPR(VBPR.Config(dim=8), Sizes.of_dataset(partition.retained), Seed(1).torch())
    asked = LapsedFeatures.of(partition, "image", np.random.default_rng(0))
    assert asked is None or asked.groups(model, partition, InputCache(partition).inputs) is None
