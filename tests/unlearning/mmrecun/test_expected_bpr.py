import numpy as np
import pytest
import torch
from torch import Tensor

from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.curvature import GaussNewtonMatrix
from mmrecun.unlearning.mmrecun.expected_bpr import gradient_weight, hessian_weight
from mmrecun.unlearning.mmrecun.links import Links
from tests.contracts.unlearning import requests

CPU = torch.device("cpu")
EVERYBODY = 100_000


def taken_out(dataset: Dataset, kind: str) -> Partition:
    return Partition.from_request(dataset, requests(dataset)[kind])


def vectors(partition: Partition) -> tuple[Tensor, Tensor]:
    rng = Seed(3).torch()
    sizes = len(partition.original.users), len(partition.original.items)
    return torch.randn(sizes[0], 5, generator=rng), torch.randn(sizes[1], 5, generator=rng)


def test_a_pull_is_that_of_two_thirds_of_the_way():
    margins = torch.tensor([-1e4, -8.0, 0.0, 0.5, 3.0, 1e4], dtype=torch.float64)
    torch.testing.assert_close(gradient_weight(margins), torch.sigmoid(-margins / 1.5))


def test_stiffness_is_how_fast_a_pull_falls():
    margins, step = torch.tensor([-6.0, -0.7, 0.0, 1.0, 4.0, 12.0], dtype=torch.float64), 1e-5
    slope = (gradient_weight(margins + step) - gradient_weight(margins - step)) / (2 * step)
    torch.testing.assert_close(hessian_weight(gradient_weight(margins)), -slope)


@pytest.mark.parametrize("kind", ["users", "items", "pairs", "some audio", "mixed"])
def test_with_everybody_drawn_the_gradient_is_that_of_loops(dataset: Dataset, kind: str):
    partition = taken_out(dataset, kind)
    users, items = vectors(partition)
    found = BeforeAndAfter.of(partition, EVERYBODY, np.random.default_rng(0), CPU)
    train = partition.original.train
    had = train.matrix(len(users), len(items)).toarray() > 0
    pairs = list(zip(train.users.tolist(), train.items.tolist(), strict=True))
    wanted = looped(users, items, pairs, {u: [j for j in partition.item_rows if not had[u, j]] for u, _ in pairs})
    made = found.before.bpr.gradient((users, items))
    torch.testing.assert_close(made.users, wanted[0], atol=1e-4, rtol=1e-4)
    # items that leave were negatives, too: they are asked about in `Drawn`, but not drawn for users
    if not partition.removed_items.any():
        torch.testing.assert_close(made.items, wanted[1], atol=1e-4, rtol=1e-4)


def looped(users: Tensor, items: Tensor, pairs: list, negatives: dict) -> tuple[Tensor, Tensor]:
    by_user, by_item = torch.zeros_like(users), torch.zeros_like(items)
    for user, item in pairs:
        gaps = items[item] - items[negatives[user]]
        forces = gradient_weight(gaps @ users[user]) / len(negatives[user])
        by_user[user] -= forces @ gaps
        by_item[item] -= forces.sum() * users[user]
        by_item[negatives[user]] += forces[:, None] * users[user]
    return by_user, by_item


@pytest.mark.parametrize("kind", ["users", "items", "some audio"])
def test_after_a_request_the_gradient_is_that_of_loops_over_what_is_left(dataset: Dataset, kind: str):
    check_after(taken_out(dataset, kind))


def test_what_leaves_is_drawn_as_often_as_any_negative(dataset: Dataset):
    """Of users who keep one pair, so that it is known which one a new negative is drawn for."""
    train = dataset.train
    keep = np.unique(train.users, return_index=True)[1][::2]  # the first pair of every second user, all of the others
    some = np.isin(train.users, train.users[keep]) & ~np.isin(np.arange(len(train)), keep)
    names = dataset.users.names.gather(train.users[some]), dataset.items.names.gather(train.items[some])
    check_after(Partition.from_request(dataset, ForgetRequest(pairs=tuple(zip(*names, strict=True)))))


def check_after(partition: Partition) -> None:
    users, items = (
        side[rows] for side, rows in zip(vectors(partition), (partition.user_rows, partition.item_rows), strict=True)
    )
    train = partition.retained.train
    had = train.matrix(len(users), len(items)).toarray() > 0
    pairs = list(zip(train.users.tolist(), train.items.tolist(), strict=True))
    wanted = looped(users, items, pairs, {user: np.flatnonzero(~had[user]).tolist() for user, _ in pairs})
    after = BeforeAndAfter.of(partition, EVERYBODY, np.random.default_rng(0), CPU).after.bpr
    made = after.gradient((users, items))
    torch.testing.assert_close(made.users, wanted[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(made.items, wanted[1], atol=1e-4, rtol=1e-4)


def test_pairs_that_leave_become_negatives_of_their_users(dataset: Dataset):
    partition = taken_out(dataset, "pairs")
    users, items = vectors(partition)
    after = BeforeAndAfter.of(partition, EVERYBODY, np.random.default_rng(0), CPU).after.bpr
    assert after.new_negatives is not None
    assert len(after.new_negatives.users) == len(partition.forgotten)
    kept = partition.retained_pairs.matrix(len(users), len(items))
    assert all(kept[u, i] for u, i in zip(after.new_negatives.users, after.new_negatives.positives, strict=True))
    with_them = after.gradient((users[partition.user_rows], items[partition.item_rows]))
    assert with_them.users.isfinite().all()


def test_what_is_drawn_of_retained_pairs_is_the_same_before_and_after(dataset: Dataset):
    """So that chance cancels out: but for what left, nothing differs."""
    partition = taken_out(dataset, "users")
    users, items = vectors(partition)
    before, after = BeforeAndAfter.of(partition, 4, np.random.default_rng(0), CPU)
    first = before.bpr.gradient((users, items)).users[partition.user_rows]
    second = after.bpr.gradient((users[partition.user_rows], items[partition.item_rows])).users
    torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)


def test_sums_over_links_are_those_of_a_sparse_matrix():
    rng = np.random.default_rng(1)
    pairs = torch.from_numpy(rng.integers((6, 9), size=(30, 2)))
    links = Links(pairs[:, 0], pairs[:, 1], (6, 9))
    weights, users, items = torch.rand(30), torch.rand(6, 3), torch.rand(9, 3)
    dense = torch.zeros(6, 9).index_put_((pairs[:, 0], pairs[:, 1]), weights, accumulate=True)
    torch.testing.assert_close(links.sum_to_users(weights, items), dense @ items)
    torch.testing.assert_close(links.sum_to_items(weights, users), dense.T @ users)


def test_scores_over_links_are_dot_products_in_the_order_of_the_pairs():
    rng = np.random.default_rng(1)
    pairs = torch.from_numpy(rng.integers((6, 9), size=(30, 2)))  # in no order, and some twice
    links = Links(pairs[:, 0], pairs[:, 1], (6, 9))
    sides = [(torch.rand(6, 3), torch.rand(9, 3)) for _ in range(2)]
    wanted = sum((users[pairs[:, 0]] * items[pairs[:, 1]]).sum(dim=1) for users, items in sides)
    torch.testing.assert_close(links.scores(*sides), wanted)


@pytest.fixture
def curvature() -> tuple[GaussNewtonMatrix, np.ndarray]:
    """Of 4 users and 5 items in 3 dimensions, and the matrix it stands for, column by column."""
    rng = np.random.default_rng(2)
    pairs = torch.from_numpy(rng.integers((4, 5), size=(12, 2)))
    links = Links(pairs[:, 0], pairs[:, 1], (4, 5))
    rng = Seed(5).torch()
    vectors = torch.randn(4, 3, generator=rng), torch.randn(5, 3, generator=rng)
    made = GaussNewtonMatrix(links, torch.rand(12, generator=rng), vectors)
    columns = []
    for number in range(27):
        unit = torch.zeros(27)
        unit[number] = 1
        columns.append(torch.cat([part.flatten() for part in made.product(unit[:12].view(4, 3), unit[12:].view(5, 3))]))
    return made, torch.stack(columns, dim=1).numpy()


def test_the_curvature_is_symmetric_and_has_no_negative_direction(curvature):
    _, matrix = curvature
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    assert np.linalg.eigvalsh(matrix).min() > -1e-5


def test_the_diagonal_is_the_mean_of_each_block(curvature):
    made, matrix = curvature
    found = torch.cat(made.diagonal()).numpy()
    np.testing.assert_allclose(found, np.diag(matrix).reshape(9, 3).mean(axis=1), rtol=0.35)


def test_one_pair_among_alike_items_bends_as_gauss_newton_says():
    """With all items but one equal, the mean over negatives is no approximation for the user's block."""
    items = torch.zeros(4000, 2)
    items[0] = torch.tensor([3.0, -1.0])
    user, links = torch.tensor([[0.5, 0.2]]), Links(torch.tensor([0]), torch.tensor([0]), (1, 4000))
    made = GaussNewtonMatrix(links, torch.tensor([0.25]), (user, items))
    change = torch.tensor([[1.0, 2.0]])
    wanted = 0.25 * (change @ items[0]) * items[0]
    torch.testing.assert_close(made.product(change, torch.zeros_like(items))[0][0], wanted, atol=0.01, rtol=0.01)
