"""What models are shown: padded views hold every row, and show what is retained as the new model sees it."""

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest

EVERYTHING = RequiredInputs(user_item=True, features=True, neighbours=4)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def partition(dataset: Dataset) -> Partition:
    users, items = list(dataset.users.names), list(dataset.items.names)
    present = [items[row] for row in np.flatnonzero(dataset.modalities["image"].present)]
    request = ForgetRequest(users=(users[3], users[7]), items=(items[5],), modalities={"image": tuple(present[:6])})
    return Partition.from_request(dataset, request)


def seen(view: views.View) -> GraphInputs:
    return view.inputs(EVERYTHING, CPU)


def nodes(partition: Partition) -> torch.Tensor:
    """Rows of the retained users and items in the graph of everybody."""
    return torch.from_numpy(np.concatenate([partition.user_rows, len(partition.original.users) + partition.item_rows]))


def test_without_the_features_everybody_who_stays_is_seen_as_by_the_new_model(partition: Partition):
    after, everybody = seen(views.retained(partition)), seen(views.padded_without_features(partition))
    rows, items = nodes(partition), torch.from_numpy(partition.item_rows)
    whole = everybody.user_item.forward.to_dense()
    assert torch.equal(whole[rows][:, rows], after.user_item.forward.to_dense())
    assert whole.count_nonzero() == after.user_item.forward.to_dense().count_nonzero()
    for name in partition.original.modalities:
        assert torch.equal(everybody.features[name][items], after.features[name])
        assert torch.equal(everybody.present[name][items], after.present[name])
        near = everybody.item_graphs[name].forward.to_dense()[items]
        torch.testing.assert_close(near[:, items], after.item_graphs[name].forward.to_dense())
        assert not near[:, torch.from_numpy(partition.removed_items)].any()


def test_removed_features_are_attached_again_and_no_other_item_sees_them(partition: Partition):
    after, everybody = seen(views.padded_without_features(partition)), seen(views.padded(partition))
    original = seen(views.original(partition))
    lost = torch.from_numpy(partition.removed_features["image"])
    assert not after.present["image"][lost].any()
    assert everybody.present["image"][lost].all()
    assert torch.equal(everybody.features["image"], original.features["image"])
    graphs = [inputs.item_graphs["image"].forward.to_dense() for inputs in (after, everybody)]
    assert not (graphs[1][~lost][:, lost]).any()
    torch.testing.assert_close(graphs[1][~lost][:, ~lost], graphs[0][~lost][:, ~lost])
    assert torch.equal(after.features["audio"], everybody.features["audio"])
