import numpy as np
import pytest
import torch

from mmrecun.auditing import exposure as module
from mmrecun.auditing.exposure import exposure
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation import ranking

NOTHING = Interactions(*(np.empty(0, dtype=np.int64) for _ in range(2)), np.empty(0, dtype=np.int8))


def test_exposure_equals_a_loop():
    rng = torch.Generator().manual_seed(1)
    users, items = torch.randn(30, 4, generator=rng), torch.randn(12, 4, generator=rng)
    removed = np.arange(12) < 3
    found = exposure(users, items, NOTHING, np.arange(30), removed, k=2)
    scores = (users @ items.T).numpy()
    listed = [bool(set(np.argsort(-row)[:2]) & {0, 1, 2}) for row in scores]
    places = [(row < row[item]).sum() / 11 for row in scores for item in range(3)]
    assert found["top2"] == pytest.approx(np.mean(listed))
    assert found["percentile"] == pytest.approx(np.mean(places))


def test_seen_items_leave_the_lists_and_ties_count_half():
    users, items = torch.ones(1, 1), torch.ones(3, 1)
    seen = Interactions(np.array([0]), np.array([0]), np.zeros(1, dtype=np.int8))
    found = exposure(users, items, seen, np.array([0]), np.array([True, False, False]), k=3)
    assert found == {"top3": 0.0, "percentile": 0.5}


def test_without_removed_items_there_is_none():
    assert exposure(torch.ones(1, 1), torch.ones(3, 1), NOTHING, np.array([0]), np.zeros(3, dtype=bool)) == {}


def test_small_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch):
    rng = torch.Generator().manual_seed(2)
    users, items = torch.randn(9, 4, generator=rng), torch.randn(12, 4, generator=rng)
    arguments = (users, items, NOTHING, np.arange(9), np.arange(12) < 3)
    whole = exposure(*arguments)
    monkeypatch.setattr(module, "_FEW", 2)  # sorted instead of compared
    assert exposure(*arguments) == whole
    monkeypatch.setattr(ranking, "_FEWEST", 2)
    monkeypatch.setattr(ranking, "_BLOCK_BYTES", 4 * 12 * 2)
    assert exposure(*arguments) == pytest.approx(whole)
