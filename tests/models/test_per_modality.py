"""One module for each modality: named as in a ModuleDict, whatever the modality is called."""

import copy

import pytest
import torch
from torch import nn

from mmrecun.models.base import linear
from mmrecun.models.per_modality import PerModality, modality_of_parameters
from mmrecun.rng import Seed


class Model(nn.Module):
    def __init__(self, group: type[nn.ModuleDict], names: list[str]) -> None:
        super().__init__()
        rng = Seed(0).torch()
        self.users = nn.Linear(2, 3)
        self.gates = group({name: linear(2, 3, rng) for name in names})
        self.sides = nn.ModuleDict({"image": linear(2, 3, rng)})


def test_parameters_are_called_and_drawn_as_in_a_module_dict():
    torch.manual_seed(0)
    own = Model(PerModality, ["image", "users", "weight", "0"]).state_dict()
    torch.manual_seed(0)
    torchs = Model(nn.ModuleDict, ["image", "users", "weight", "0"]).state_dict()
    assert list(own) == list(torchs)
    assert all(torch.equal(own[name], torchs[name]) for name in own)


@pytest.mark.parametrize("name", ["type", "training", "forward", "_modules", "__class__", "items", "users"])
def test_an_attribute_of_modules_may_name_a_modality(name: str):
    model = Model(PerModality, ["image", name])
    one = model.gates[name]
    for mode in (False, True):
        assert model.train(mode).training is one.training is mode
    assert model.double().gates[name].weight.dtype is torch.float64
    twin = copy.deepcopy(model)
    twin.load_state_dict({key: value + 1 for key, value in model.state_dict().items()})
    assert torch.equal(twin.gates[name].weight, one.weight + 1)
    assert list(model.gates.keys()) == ["image", name]


def test_where_a_parameter_hangs_says_whose_it_is():
    model = Model(PerModality, ["users", "weight", "image"])
    assert modality_of_parameters(model) == {
        f"gates.{name}.{part}": name for name in ("users", "weight", "image") for part in ("weight", "bias")
    }
