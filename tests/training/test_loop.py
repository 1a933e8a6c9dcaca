import pytest
import torch

from mmrecun.errors import DivergedError
from mmrecun.training.loop import train_batches


def test_a_loss_that_is_no_number_is_an_error():
    weight = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(DivergedError, match="nan"):
        train_batches([1.0, float("nan")], lambda value: weight.sum() * value, torch.optim.SGD([weight], lr=0.1))


def test_the_mean_of_the_losses_is_returned():
    weight = torch.nn.Parameter(torch.ones(1))
    assert train_batches([1.0, 3.0], lambda value: weight.sum() * value, torch.optim.SGD([weight], lr=0.0)) == 2.0
