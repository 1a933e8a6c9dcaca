"""Metrics against plain loops and against ranx."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.evaluation import metrics


def loop_metrics(hits, relevant):
    """One user's five metrics, written as the textbooks do."""
    k, found = len(hits), sum(hits)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(relevant, k)))
    gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
    return {
        "recall": found / relevant,
        "precision": found / k,
        "ndcg": gain / ideal,
        "average_precision": sum(precisions) / min(relevant, k),
        "hit_rate": float(found > 0),
    }


@given(
    rows=st.integers(1, 8).flatmap(
        lambda k: st.lists(
            st.tuples(st.lists(st.booleans(), min_size=k, max_size=k), st.integers(0, 5)), min_size=1, max_size=6
        )
    )
)
@settings(max_examples=150, deadline=None)
def test_every_metric_agrees_with_a_loop(rows):
    hits = np.array([row for row, _ in rows])
    relevant = np.array([max(1, sum(row) + extra) for row, extra in rows])
    for name in ("recall", "precision", "ndcg", "average_precision", "hit_rate"):
        values = getattr(metrics, name)(hits, relevant)
        expected = [loop_metrics(list(row), int(total))[name] for row, total in zip(hits, relevant, strict=True)]
        assert values.dtype == np.float64
        assert values.shape == (len(rows),)
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


def test_a_perfect_list_scores_one_and_an_empty_one_zero():
    relevant = np.array([3, 9])
    for name in ("ndcg", "average_precision", "hit_rate", "precision"):
        assert getattr(metrics, name)(np.ones((2, 3), dtype=bool), relevant).tolist() == pytest.approx([1, 1])
        assert getattr(metrics, name)(np.zeros((2, 3), dtype=bool), relevant).tolist() == [0, 0]


def test_a_user_without_right_items_gets_zero():
    for name in ("recall", "ndcg", "average_precision", "precision", "hit_rate"):
        assert getattr(metrics, name)(np.zeros((1, 3), dtype=bool), np.array([0])).tolist() == [0]


def test_coverage_counts_each_item_once_and_no_padding():
    assert metrics.coverage(np.array([[0, 1, -1], [1, 3, -1]]), 6) == 0.5
    assert metrics.coverage(np.full((2, 2), -1), 6) == 0


def test_every_metric_agrees_with_ranx(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling ranx takes far longer than this test
    ranx = pytest.importorskip("ranx")
    rng, users, items, k = np.random.default_rng(0), 40, 60, 10
    lists = np.argsort(rng.random((users, items)), axis=1)[:, :k]
    truth = rng.random((users, items)) < 0.2
    truth[:, 0] = True
    hits, relevant = np.take_along_axis(truth, lists, axis=1), truth.sum(axis=1)
    names = {user: f"u{user:02d}" for user in range(users)}
    qrels = ranx.Qrels({names[u]: {f"i{i}": 1 for i in np.flatnonzero(truth[u])} for u in range(users)})
    run = ranx.Run({names[u]: {f"i{i}": float(k - place) for place, i in enumerate(lists[u])} for u in range(users)})
    ours = {"recall": "recall", "precision": "precision", "ndcg": "ndcg", "map": "average_precision"}
    theirs = ranx.evaluate(qrels, run, [f"{name}@{k}" for name in (*ours, "hit_rate")], return_mean=False)
    # ranx divides average precision by all relevant items, RecBole and MMRec by those that fit into the list.
    theirs[f"map@{k}"] = theirs[f"map@{k}"] * relevant / np.minimum(relevant, k)
    assert (relevant > k).any()
    for theirs_name, name in {**ours, "hit_rate": "hit_rate"}.items():
        np.testing.assert_allclose(
            getattr(metrics, name)(hits, relevant), theirs[f"{theirs_name}@{k}"], rtol=1e-9, err_msg=name
        )
