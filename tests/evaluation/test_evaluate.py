"""Reports of a whole evaluation against a loop over users."""

import numpy as np
import pytest
import torch

from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.errors import ConfigError, DataError, DivergedError
from mmrecun.evaluation.evaluate import RankingReport, evaluate, evaluate_split
from mmrecun.rng import Seed


def pairs_of(mask, split=Split.TRAIN):
    users, items = np.nonzero(mask)
    return Interactions(users, items, np.full(len(users), split, dtype=np.int8))


@pytest.fixture(scope="module")
def dataset():
    return make(SyntheticConfig(users=60, items=50, interactions=700), Seed(3))[0]


@pytest.fixture(scope="module")
def vectors():
    generator = Seed(4).torch()
    return torch.randn(60, 8, generator=generator), torch.randn(50, 8, generator=generator)


def test_a_split_agrees_with_a_loop_over_users(dataset, vectors):
    users, items = vectors
    scores = (users @ items.T).numpy().astype(np.float64)
    train, test = (
        dataset.interactions.split(split).matrix(60, 50).toarray() > 0 for split in (Split.TRAIN, Split.TEST)
    )
    recalls, reached = [], set()
    for user in range(60):
        if not test[user].any():
            continue
        ranked = [item for item in np.argsort(-scores[user]) if not train[user, item]][:10]
        recalls.append(test[user, ranked].sum() / test[user].sum())
        reached |= set(ranked)
    report = evaluate_split(users, items, dataset, Split.TEST, (5, 10))
    assert report.users == len(recalls)
    assert report.cold_users == 0
    assert report.metrics["recall@10"] == pytest.approx(np.mean(recalls))
    assert report.metrics["coverage@10"] == pytest.approx(len(reached) / 50)
    assert report.seconds >= 0
    kinds = ("recall", "ndcg", "precision", "map", "hit_rate", "coverage")
    assert set(report.metrics) == {f"{kind}@{k}" for kind in kinds for k in (5, 10)}


def test_a_shorter_cutoff_is_the_head_of_the_longer_list(dataset, vectors):
    alone = evaluate_split(*vectors, dataset, Split.VALID, (5,)).metrics
    together = evaluate_split(*vectors, dataset, Split.VALID, (20, 5)).metrics
    assert {name: together[name] for name in alone} == alone


@pytest.mark.parametrize("seed", range(5))
def test_without_lists_the_figures_are_the_same(dataset, seed):
    generator = Seed(seed).torch()
    users, items = torch.randn(60, 8, generator=generator), torch.randn(50, 8, generator=generator)
    with_lists = evaluate_split(users, items, dataset, Split.TEST).metrics
    without = evaluate_split(users, items, dataset, Split.TEST, lists=False).metrics
    assert without == {name: value for name, value in with_lists.items() if not name.startswith("coverage")}


def test_without_lists_right_items_that_tie_come_after_wrong_ones_and_do_not_hide_each_other():
    seen, truth = pairs_of(np.array([[1, 0, 0, 0, 0]])), pairs_of(np.array([[0, 1, 1, 0, 0]]))
    items = torch.tensor([[9.0], [2.0], [2.0], [2.0], [1.0]])
    found = evaluate(torch.ones(1, 1), items, seen, truth, (1, 2, 3), lists=False).metrics
    assert [found[f"recall@{k}"] for k in (1, 2, 3)] == [0, 0.5, 1]


def test_vectors_that_know_the_truth_score_one():
    truth = np.eye(6, 8, dtype=bool)
    seen = np.zeros((6, 8), dtype=bool)
    seen[:, 7] = True
    report = evaluate(torch.eye(6), torch.eye(8, 6), pairs_of(seen), pairs_of(truth), (1,))
    assert report.metrics["recall@1"] == report.metrics["ndcg@1"] == report.metrics["map@1"] == 1


def test_users_without_seen_pairs_are_cold_and_do_not_count():
    seen = pairs_of(np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]]))
    truth = pairs_of(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    items = torch.tensor([[3.0], [2.0], [1.0]])
    report = evaluate(torch.ones(3, 1), items, seen, truth, (1,))
    assert (report.users, report.cold_users) == (1, 1)
    assert report.metrics["recall@1"] == 1
    everybody = evaluate(torch.ones(3, 1), items, seen, truth, (1,), include_cold=True)
    assert (everybody.users, everybody.cold_users) == (2, 0)
    assert everybody.metrics["recall@1"] == 0.5


def test_empty_places_are_never_hits():
    # An empty place is item -1; counted naively, that of user 1 would be the last item of user 0, which is a hit.
    seen = pairs_of(np.array([[1, 0, 0], [1, 0, 0]]))
    truth = pairs_of(np.array([[0, 0, 1], [0, 1, 0]]))
    report = evaluate(torch.ones(2, 1), torch.ones(3, 1), seen, truth, (10,))
    assert report.metrics["precision@10"] == pytest.approx(0.1)
    assert report.metrics["recall@10"] == 1


def test_what_cannot_be_evaluated_is_refused(vectors):
    users, items = vectors
    some, none = pairs_of(np.eye(60, 50)), pairs_of(np.zeros((60, 50)))
    with pytest.raises(DataError, match="nobody can be evaluated"):
        evaluate(users, items, none, some)
    with pytest.raises(DataError, match="there is no pair to be found"):
        evaluate(users, items, some, none)
    for lists in (True, False):
        with pytest.raises(DivergedError):
            evaluate(users * torch.nan, items, some, some, lists=lists)
    for cutoffs in ((), (0, 5)):
        with pytest.raises(ConfigError, match="cutoffs"):
            evaluate(users, items, some, some, cutoffs)


def test_what_a_notebook_shows_has_a_line_a_metric():
    report = RankingReport({"recall@5": 1 / 3, "ndcg@5": 0.25}, users=1_200, cold_users=1, seconds=0.5)
    assert repr(report) == "Ranking for 1,200 users; 1 cold user left out\n  recall@5: 0.3333\n  ndcg@5: 0.2500"
    assert report._repr_html_().count("<tr>") == 2
