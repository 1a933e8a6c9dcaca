import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.nn.functional import normalize

from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.models.info_nce import InfoNCETerm
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.expected_info_nce import ExpectedInfoNCE, InfoNCEAt, MetRows
from tests.contracts.unlearning import requests

CPU = torch.device("cpu")
TERM = InfoNCETerm(("side", "content"), weight=0.5, temperature=0.4, negatives_per_block=9)
DEGREES = (torch.tensor([3.0, 1.0, 0.0, 4.0, 2.0]), torch.tensor([2.0, 5.0, 1.0, 2.0]))
EARLIER = 3.0


def views() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = Seed(4).torch()
    users, items, more_users, more_items = (
        torch.randn(size, 3, generator=rng, dtype=torch.float64) for size in (5, 4, 5, 4)
    )
    return users, items, more_users, more_items


@pytest.fixture
def everybody() -> InfoNCEAt:
    """The loss for which each row is drawn, and stands for its own pairs."""
    met = (MetRows(degrees.double(), torch.arange(len(degrees)), degrees.double()) for degrees in DEGREES)
    users, items = met
    return ExpectedInfoNCE(TERM, (users, items)).at(views())


def scores(one: Tensor, other: Tensor) -> Tensor:
    """Return the agreement of each row with itself, and with each row as often as it is met in a batch of nine."""
    agreement = normalize(one, dim=1) @ normalize(other, dim=1).T / TERM.temperature
    degrees = DEGREES[0] if len(one) == 5 else DEGREES[1]
    often = degrees.double() * (TERM.negatives_per_block - 1) / degrees.sum()
    return torch.cat([agreement.diagonal()[:, None], agreement + often.log()], dim=1)


def loss(one: Tensor, other: Tensor) -> Tensor:
    degrees = DEGREES[0] if len(one) == 5 else DEGREES[1]
    matched = scores(one, other)
    return EARLIER * TERM.weight * (degrees * (matched.logsumexp(dim=1) - matched[:, 0])).sum()


def test_with_everybody_drawn_the_gradient_is_that_of_the_dense_loss(everybody: InfoNCEAt):
    leaves = [view.requires_grad_() for view in views()]
    wanted = torch.autograd.grad(loss(leaves[0], leaves[2]) + loss(leaves[1], leaves[3]), leaves)
    for found, exact in zip(everybody.gradient(), wanted, strict=True):
        torch.testing.assert_close(found, exact)


def test_the_product_is_that_of_a_dense_gauss_newton_matrix(everybody: InfoNCEAt):
    rng = Seed(6).torch()
    changes = [torch.randn(view.shape, generator=rng, dtype=torch.float64) for view in views()]
    found = everybody.product((changes[0], changes[1], changes[2], changes[3]))
    for side, degrees in enumerate(DEGREES):
        one, other = views()[side::2]
        wanted = dense_product(one, other, degrees.double(), changes[side], changes[side + 2])
        torch.testing.assert_close(found[side], wanted[0])
        torch.testing.assert_close(found[side + 2], wanted[1])


def dense_product(one: Tensor, other: Tensor, degrees: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply by J' H J, where what a row is compared with is held, and then the row that is compared with it."""
    chances = scores(one, other).softmax(dim=1)
    hessian = torch.diag_embed(chances) - chances[:, :, None] * chances[:, None, :]
    weighted = EARLIER * TERM.weight * degrees[:, None, None] * hessian

    def as_query(one: Tensor, other: Tensor) -> Tensor:
        own = (normalize(one, dim=1) * normalize(other, dim=1)).sum(dim=1, keepdim=True) / TERM.temperature
        return torch.cat([own, normalize(one, dim=1) @ normalize(views_of(len(one))[1], dim=1).T / 0.4], dim=1)

    def as_key(other: Tensor) -> Tensor:
        met = normalize(views_of(len(other))[0], dim=1) @ normalize(other, dim=1).T / TERM.temperature
        return torch.cat([torch.zeros(len(other), 1, dtype=torch.float64), met], dim=1)

    by_one, by_other = (part.flatten(2) for part in jacobian(as_query, (one, other)))
    by_key = jacobian(as_key, other).flatten(2)
    moved = by_one @ first.flatten() + by_other @ second.flatten()
    pulled = torch.einsum("rkl,rl->rk", weighted, moved)
    pushed = torch.einsum("rkl,rl->rk", weighted, by_key @ second.flatten())
    of_one = torch.einsum("rk,rkd->d", pulled, by_one)
    of_other = torch.einsum("rk,rkd->d", pulled, by_other) + torch.einsum("rk,rkd->d", pushed, by_key)
    return of_one.view_as(one), of_other.view_as(other)


def views_of(rows: int) -> tuple[Tensor, Tensor]:
    one, other = views()[0 if rows == 5 else 1 :: 2]
    return one, other


@pytest.mark.parametrize("kind", ["users", "items", "pairs", "some audio", "mixed"])
def test_the_same_rows_are_drawn_before_and_after(dataset: Dataset, kind: str):
    partition = Partition.from_request(dataset, requests(dataset)[kind])
    before, after = ExpectedInfoNCE.before_and_after(TERM, partition, 8, np.random.default_rng(0), CPU)
    for side, rows in enumerate((partition.user_rows, partition.item_rows)):
        old, new = before.met[side], after.met[side]
        np.testing.assert_array_equal(old.drawn.numpy(), rows[new.drawn.numpy()])
        np.testing.assert_array_equal(old.degrees.numpy(), partition.original.degrees[side])
        np.testing.assert_array_equal(new.degrees.numpy(), partition.retained.degrees[side])
        assert float(old.weights.sum()) == pytest.approx(len(partition.original.train), rel=1e-5)
        assert float(new.weights.sum()) == pytest.approx(len(partition.retained.train), rel=1e-5)


def test_a_capture_reads_the_values_of_another_point(everybody: InfoNCEAt):
    met = tuple(MetRows(degrees.double(), torch.arange(len(degrees)), degrees.double()) for degrees in DEGREES)
    moved = [view + 1 for view in views()]
    other = ExpectedInfoNCE(TERM, (met[0], met[1])).at((moved[0], moved[1], moved[2], moved[3]))
    everybody.become(other)
    for found, wanted in zip(everybody.gradient(), other.gradient(), strict=True):
        torch.testing.assert_close(found, wanted)
