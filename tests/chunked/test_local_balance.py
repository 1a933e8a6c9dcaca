"""Rows that are brought into balance with the pairs that they keep."""

import numpy as np
import pytest
import torch

from mmrecun import jobs
from mmrecun.chunked import local_balance, run
from mmrecun.chunked.erasure import erasure_of, lost_partners
from mmrecun.chunked.local_balance import PairTerms, ReducedRow, restore
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun import expected_bpr
from tests.chunked.test_erasure import pairs_of


def pull(margin: float) -> float:
    """At two thirds of a margin's way, in float64."""
    return float(1 / (1 + np.exp(2 / 3 * margin)))


@pytest.mark.parametrize("free", [[0, 1, 2, 3, 4, 5], [0, 1, 3, 5]], ids=["the whole row", "some columns"])
def test_a_solved_row_is_in_balance_with_what_is_retained(free: list[int]):
    """In the columns that are its own; the others stay."""
    rng = np.random.default_rng(0)
    vectors, offsets = rng.normal(size=(40, 6)), rng.normal(size=(40, 3))
    signs, before = np.sign(rng.normal(size=40)), rng.uniform(0.5, 2, 40)
    after, row, kept = before * (np.arange(40) > 7), rng.normal(size=6) * 0.3, 0.8

    def gradient(at: np.ndarray, weights: np.ndarray) -> np.ndarray:
        total = np.zeros(6)
        for vector, offset, sign, weight in zip(vectors, offsets, signs, weights, strict=True):
            mean = np.mean([pull(sign * (at @ vector) + each) for each in offset])
            total -= weight * mean * sign * vector
        return total

    terms = PairTerms(*(each.astype(np.float32) for each in (vectors, offsets, signs, before, after)))
    touched = ReducedRow(row.astype(np.float32), terms, kept, np.array(free))
    found = touched.solved().astype(np.float64)
    old = gradient(row, before)
    decay = max(-(old[free] @ row[free]) / (row[free] @ row[free]), 1e-6)
    rest = kept * (old + decay * row)
    missing = rest - gradient(found, after) - kept * decay * found
    at_first = rest - gradient(row, after) - kept * decay * row
    assert np.linalg.norm(missing[free]) < 0.02 * np.linalg.norm(at_first[free])
    others = np.setdiff1d(np.arange(6), free)
    np.testing.assert_array_equal(found[others].astype(np.float32), row[others].astype(np.float32))


def test_a_row_that_lost_nothing_stays(parent: run.MappedRun):
    """The balance of before, solved for again, is the row itself."""
    rng = np.random.default_rng(1)
    vectors, offsets = (rng.normal(size=(30, width)).astype(np.float32) for width in (4, 2))
    ones, row = np.ones(30, dtype=np.float32), rng.normal(size=4).astype(np.float32)
    terms = PairTerms(vectors, offsets, ones, ones, ones)
    np.testing.assert_allclose(ReducedRow(row, terms, 1.0, np.arange(4)).solved(), row, rtol=1e-4, atol=1e-4)


def test_pairs_weigh_as_in_the_method_in_memory():
    margins = np.linspace(-300, 300, 5001, dtype=np.float32)
    pulls = local_balance.gradient_weight(margins)
    wanted = expected_bpr.gradient_weight(torch.from_numpy(margins))
    np.testing.assert_allclose(pulls, wanted.numpy(), atol=2e-7)
    np.testing.assert_allclose(local_balance.hessian_weight(pulls), expected_bpr.hessian_weight(wanted), atol=2e-7)


def test_forgotten_pairs_fall_and_others_stay(parent: run.MappedRun):
    """Of single pairs of forty users the scores fall by far more than those of other pairs of the same users."""
    train = {(user, item) for user, item, split in pairs_of(parent) if split == Split.TRAIN}
    of_user: dict[int, list[int]] = {}
    for user, item in sorted(train):
        of_user.setdefault(user, []).append(item)
    chosen = {user: items[0] for user, items in of_user.items() if len(items) > 6}
    chosen = dict(list(chosen.items())[:40])
    names = [
        (parent.names("users", np.array([u]))[0], parent.names("items", np.array([i]))[0]) for u, i in chosen.items()
    ]
    lost = lost_partners(parent, erasure_of(parent, ForgetRequest(pairs=names)))
    moved = restore(parent, lost, Seed(0)).moved
    tables = {side: parent.vectors(side, np.arange(parent.size(side))) for side in run.SIDES}
    after = {side: table.clone() for side, table in tables.items()}
    for side, (at, values) in moved.items():
        after[side][torch.from_numpy(at)] = torch.from_numpy(values)

    def fall(pairs):
        users, items = (torch.tensor(column) for column in zip(*pairs, strict=True))
        scores = [(of["users"][users] * of["items"][items]).sum(dim=1) for of in (tables, after)]
        return float((scores[0] - scores[1]).mean())

    others = [(user, item) for user in chosen for item in of_user[user][1:]]
    assert fall(list(chosen.items())) > 5 * abs(fall(others)) > 0


@pytest.mark.parametrize("side", run.SIDES)
def test_rows_read_together_are_those_read_one_by_one(parent: run.MappedRun, monkeypatch, side: str):
    """Also where a sample of partners is drawn for each."""
    monkeypatch.setattr(local_balance, "_MOST", 5)
    request = ForgetRequest(**{side: parent.names(side, np.array([3, 5]))})
    lost = lost_partners(parent, erasure_of(parent, request))
    found = []
    for rows in (1, 7, 32):
        monkeypatch.setattr(local_balance, "_ROWS", rows)
        found.append(restore(parent, lost, Seed(0)).moved)
    assert max(len(rows) for rows, _ in found[0].values()) > 7
    for other in found[1:]:
        for name in run.SIDES:
            for one, both in zip(found[0][name], other[name], strict=True):
                np.testing.assert_array_equal(one, both)


@pytest.mark.parametrize("side", run.SIDES)
def test_negatives_are_retained_items_where_nearly_all_are_removed(
    parent: run.MappedRun, tmp_path, monkeypatch, side: str
):
    """Of 90 items six are left, and of 200 users twelve, so that all that is drawn first is of removed ones."""
    popular = np.argsort([-len(each) for each in parent.pairs_of("items").lists(np.arange(90))])
    active = np.argsort([-len(each) for each in parent.pairs_of("users").lists(np.arange(200))])
    request = {
        "items": parent.names("items", np.sort(popular[6:])),
        "users": parent.names("users", np.sort(active[12:])),
    }
    jobs.unlearn_mapped(parent.folder, request, tmp_path / "few")
    few = run.read(tmp_path / "few")
    monkeypatch.setattr(local_balance, "_NEGATIVES", 1)
    monkeypatch.setattr(local_balance, "_USERS", 1)
    rows = few.retained(side)
    lost = lost_partners(few, erasure_of(few, ForgetRequest(**{side: few.names(side, rows[:1])})))
    for seed in range(8):
        found = restore(few, lost, Seed(seed))
        assert np.isfinite(found.explained)
        assert sum(len(at) for at, _ in found.moved.values()) > 0
        assert all(np.isfinite(values).all() for _, values in found.moved.values())


def test_rows_that_are_not_finite_are_not_written(parent: run.MappedRun, tmp_path, monkeypatch):
    monkeypatch.setattr(ReducedRow, "solved", lambda self: self.row * np.nan)
    with pytest.raises(DivergedError, match="could not be solved for: they are no longer finite"):
        jobs.unlearn_mapped(parent.folder, {"users": parent.names("users", np.array([3]))}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
