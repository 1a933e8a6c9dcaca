import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.sparse import SparseMatrix
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun import partner_effect
from mmrecun.unlearning.mmrecun.partner_effect import lean_of_lost_pairs

USER, OTHER = 5, 9


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make(SyntheticConfig(users=600, items=900, interactions=7000, groups=6, width=4), Seed(1))[0]


def drawn(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 16, generator=Seed(seed).torch())


def leaning(data: Dataset, by: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of items and what explains them; each leans by `by` towards a direction of each of its users."""
    explained, directions = drawn(len(data.items), 2), drawn(len(data.users), 3)
    rest = 0.3 * drawn(len(data.items), 4)
    users, items = (torch.tensor(end) for end in (data.train.users, data.train.items))
    rest.index_add_(0, items, by * torch.nn.functional.normalize(directions, dim=1)[users])
    return explained + rest, explained


def lost(data: Dataset, by: float, request: ForgetRequest) -> torch.Tensor:
    partition = Partition.from_request(data, request)
    pairs = SparseMatrix.of(data.train.matrix(len(data.users), len(data.items)), torch.device("cpu"))
    return lean_of_lost_pairs(partition, pairs, 1, *leaning(data, by), Seed(6).numpy())


def without(data: Dataset, *rows: int) -> ForgetRequest:
    return ForgetRequest(users=tuple(data.users.names[row] for row in rows))


def items_of(data: Dataset, user: int) -> np.ndarray:
    return data.train.items[data.train.users == user]


def towards_others(data: Dataset, rows: torch.Tensor, user: int) -> np.ndarray:
    """The direction of the sum of a user's other rows for each item [I, 16], by loops; rows less their mean."""
    centred = rows.numpy() - np.mean([rows[item].numpy() for item in data.train.items], axis=0)
    found, own = np.zeros_like(centred), items_of(data, user)
    for item in range(len(found)):
        others = centred[own[own != item]].sum(axis=0)
        found[item] = others / np.linalg.norm(others)
    return found


def test_rows_of_a_lost_partner_lean_towards_one_another_no_more(data: Dataset):
    """In the mean over users, their items' rests then agree with one another hardly more than with others."""
    rows, explained = leaning(data, 0.8)
    rest, before, after = (rows - explained).numpy(), [], []
    for user in np.flatnonzero((data.degrees[0] > 5) & (data.degrees[0] < 20))[:40].tolist():
        direction, liked = towards_others(data, rows, user), items_of(data, user)
        others = np.setdiff1d(np.arange(len(data.items)), liked)
        for part, into in ((rest, before), (rest - lost(data, 0.8, without(data, user)).numpy(), after)):
            agreed = (part * direction).sum(axis=1)
            into.append(agreed[liked].mean() - agreed[others].mean())
    assert np.mean(before) > 0.3
    assert abs(np.mean(after)) < 0.6 * np.mean(before)


def test_it_lies_along_the_direction_of_the_other_rows(data: Dataset):
    found, liked = lost(data, 0.8, without(data, USER)).numpy(), items_of(data, USER)
    direction = towards_others(data, leaning(data, 0.8)[0], USER)
    length = np.linalg.norm(found[liked], axis=1)
    assert (length > 0).mean() > 0.8
    np.testing.assert_allclose(found[liked], length[:, None] * direction[liked], atol=1e-4)


def test_rows_that_lose_no_pair_lose_nothing(data: Dataset):
    found = lost(data, 0.8, without(data, USER)).numpy()
    assert not found[np.setdiff1d(np.arange(len(data.items)), items_of(data, USER))].any()


def test_rests_that_owe_nothing_to_partners_hardly_change(data: Dataset):
    owing, not_owing = (lost(data, by, without(data, USER)).norm(dim=1) for by in (0.8, 0.0))
    assert not_owing.sum() < 0.25 * owing.sum()


def test_partners_of_the_same_rows_count_once(data: Dataset):
    """An item that loses two users leans no further towards either than it would towards one alone."""
    both = np.intersect1d(items_of(data, USER), items_of(data, OTHER))
    assert len(both)
    rows, one = leaning(data, 0.8)[0], [lost(data, 0.8, without(data, user)).numpy() for user in (USER, OTHER)]
    together = lost(data, 0.8, without(data, USER, OTHER)).numpy()
    lengths = [np.linalg.norm(part, axis=1) for part in one]
    agreed = sum(
        size[both] * (together * towards_others(data, rows, user)).sum(axis=1)[both]
        for size, user in zip(lengths, (USER, OTHER), strict=True)
    )
    wanted = sum(size[both] ** 2 for size in lengths)
    added = (one[0] + one[1])[both]
    aligned = (added**2).sum(axis=1) >= wanted
    np.testing.assert_allclose(agreed[aligned], wanted[aligned], rtol=0.02)
    np.testing.assert_allclose(together[both][~aligned], added[~aligned], atol=1e-3)


def test_many_pairs_are_taken_in_pieces(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    whole = lost(data, 0.8, without(data, USER, OTHER))
    monkeypatch.setattr(partner_effect, "_BLOCK", 3)
    torch.testing.assert_close(lost(data, 0.8, without(data, USER, OTHER)), whole, atol=1e-5, rtol=1e-4)


def test_too_few_non_members_tell_nothing(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(partner_effect, "FEWEST", 10_000)
    assert not lost(data, 0.8, without(data, USER)).any()
