"""Rows as they are at the start of a training."""

import pytest

from mmrecun.models.base import EmbeddingTable
from mmrecun.rng import Seed


def test_fresh_rows_are_drawn_like_those_of_a_new_table():
    table = EmbeddingTable("items", 300, 100, Seed(0).torch())
    fresh = table.fresh(500, Seed(1).torch())
    bound = (6 / 400) ** 0.5
    assert fresh.abs().max() <= bound
    assert fresh.std().item() == pytest.approx(table.weight.std().item(), rel=0.02)
    assert fresh.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_a_table_that_starts_from_zeros_has_zeros_for_fresh_rows():
    table = EmbeddingTable("items", 3, 4, Seed(0).torch(), zeros=True)
    assert not table.weight.any()
    assert not table.fresh(2, Seed(1).torch()).any()


def test_without_a_generator_nothing_is_drawn():
    assert not EmbeddingTable("users", 3, 4, None).weight.any()
