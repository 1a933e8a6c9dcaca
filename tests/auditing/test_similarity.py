import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from mmrecun.auditing import similarity
from mmrecun.auditing.similarity import jensen_shannon, rank_biased_overlap, shares

ranking = st.permutations(list(range(8)))


def webber(first: list[int], second: list[int], p: float) -> float:
    """Equation 30 of the paper for lists of one length, term by term."""
    size = len(first)
    total = 0.0
    for depth in range(1, size + 1):
        total += len(set(first[:depth]) & set(second[:depth])) / depth * p**depth
    return len(set(first) & set(second)) / size * p**size + (1 - p) / p * total


@settings(deadline=None)
@given(ranking, ranking, st.sampled_from([0.5, 0.9]))
def test_rank_biased_overlap_is_the_papers_sum(first: list[int], second: list[int], p: float):
    lists = np.array([first[:5]]), np.array([second[:5]])
    assert rank_biased_overlap(*lists, p)[0] == pytest.approx(webber(first[:5], second[:5], p))


def test_equal_lists_agree_and_others_do_not():
    same, other = np.array([[1, 2, 3]]), np.array([[7, 8, 9]])
    assert rank_biased_overlap(same, same)[0] == pytest.approx(1)
    assert rank_biased_overlap(same, other)[0] == 0


@settings(deadline=None)
@given(ranking, ranking, st.integers(1, 6), st.sampled_from([0.5, 0.9]))
def test_empty_places_are_no_part_of_a_list(first: list[int], second: list[int], size: int, p: float):
    short = np.array([first[:size]]), np.array([second[:size]])
    longer = tuple(np.pad(lists, ((0, 0), (0, 4)), constant_values=-1) for lists in short)
    assert rank_biased_overlap(*longer, p)[0] == pytest.approx(webber(first[:size], second[:size], p))
    nothing = np.full((1, 3), -1)
    assert rank_biased_overlap(nothing, nothing, p)[0] == 1
    assert rank_biased_overlap(nothing, np.array([[4, -1, -1]]), p)[0] == 0


def test_jensen_shannon_is_scipys():
    rng = torch.Generator().manual_seed(0)
    users, items = torch.randn(6, 3, generator=rng), torch.randn(9, 3, generator=rng)
    first, second = shares(users, items), shares(items[:6], items)
    expected = [jensenshannon(a, b, base=2) for a, b in zip(first.numpy(), second.numpy(), strict=True)]
    assert jensen_shannon(first, second).sqrt().tolist() == pytest.approx(expected)
    disjoint = torch.eye(2, dtype=torch.float64)
    assert jensen_shannon(disjoint[:1], disjoint[1:]).item() == pytest.approx(1)


def test_the_mean_in_blocks_is_that_of_all_at_once(monkeypatch: pytest.MonkeyPatch):
    rng = torch.Generator().manual_seed(3)
    first, second = ((torch.randn(7, 3, generator=rng), torch.randn(9, 3, generator=rng)) for _ in range(2))
    expected = jensen_shannon(shares(*first), shares(*second)).mean().item()
    monkeypatch.setattr(similarity, "_BLOCK_BYTES", 8 * 9 * 2)
    assert similarity.mean_divergence(first, second) == pytest.approx(expected)
