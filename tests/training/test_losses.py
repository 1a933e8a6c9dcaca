import pytest
import torch

from mmrecun.training.losses import Reverse, bpr, reverse_bpr

X = torch.tensor([6.0, 3.0, 0.0, -3.0, -6.0], dtype=torch.float64)


def gradient(loss, margins: torch.Tensor) -> torch.Tensor:
    margins = margins.clone().requires_grad_()
    loss(margins).backward()
    return margins.grad * len(margins)


def test_gradients_by_hand():
    torch.testing.assert_close(gradient(bpr, X), -torch.sigmoid(-X))
    torch.testing.assert_close(gradient(reverse_bpr, X), torch.sigmoid(X))
    negated = gradient(lambda x: reverse_bpr(x, Reverse.NEGATED), X)
    torch.testing.assert_close(negated, torch.sigmoid(-X))


@pytest.mark.parametrize("form", list(Reverse))
def test_descent_on_either_form_lowers_every_margin(form: Reverse):
    stepped = X - gradient(lambda x: reverse_bpr(x, form), X)
    assert (stepped < X).all()
