import numpy as np
import pytest
import torch

from mmrecun.audit.audit import _gaps, _gold_checks, _membership, _utility
from mmrecun.audit.probes import measure, probe_of
from mmrecun.audit.verdict import Check, Figures, State, conclude
from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, partition, retain
from mmrecun.models.base import Vectors


def figures(name: str, retain: float, forget: float, auc: float) -> Figures:
    retained, forgotten = {"recall@20": retain}, {"recall@20": forget}
    return Figures(name=name, run="r", seed=0, seconds=1, retain=retained, forget=forgotten, auc=auc)


GOLDS = [figures("gold", 0.10, 0.02, 0.40), figures("gold", 0.12, 0.04, 0.42), figures("gold", 0.11, 0.03, 0.41)]


def outcome(retain: float, forget: float, auc: float) -> list[State]:
    return [check.state for check in _gold_checks(_gaps(figures("unlearned", retain, forget, auc), GOLDS))]


def test_the_gap_is_signed_and_scaled_by_golds_spread():
    gap = _gaps(figures("unlearned", 0.13, 0.03, 0.31), GOLDS)
    assert gap["retain_recall@20"].difference == pytest.approx(0.02)
    assert gap["retain_recall@20"].z == pytest.approx(2.0)
    assert gap["auc"].difference == pytest.approx(-0.10)
    assert gap["auc"].tolerance == pytest.approx(0.02)


def test_forgetting_less_and_more_than_gold_both_fail():
    assert outcome(0.11, 0.03, 0.41) == [State.PASSED] * 3
    assert outcome(0.11, 0.20, 0.60) == [State.PASSED, State.FAILED, State.FAILED]
    assert outcome(0.11, 0.03, 0.10) == [State.PASSED, State.PASSED, State.FAILED]


def test_lost_utility_fails_and_better_utility_does_not():
    assert outcome(0.05, 0.03, 0.41)[0] is State.FAILED
    assert outcome(0.20, 0.03, 0.41)[0] is State.PASSED


def test_one_gold_has_no_z():
    gap = _gaps(figures("unlearned", 0.1, 0.0, 0.4), GOLDS[:1])
    assert gap["auc"].z is None
    assert gap["auc"].gold_std is None


def test_without_gold_nothing_is_claimed():
    assert {check.state for check in _gold_checks(_gaps(GOLDS[0], []))} == {State.NOT_ASSESSED}


def test_one_failed_check_fails_the_audit():
    passed, failed, unknown = (Check(name="c", state=state, detail="") for state in State)
    assert conclude((passed, failed, unknown)) is State.FAILED
    assert conclude((passed, unknown)) is State.PASSED
    assert conclude((unknown,)) is State.NOT_ASSESSED


@pytest.mark.parametrize(
    ("auc", "state", "said"),
    [
        (0.50, State.PASSED, "alike or harder"),
        (0.80, State.FAILED, "still recognised"),
        (0.02, State.FAILED, "over-forgotten"),
        (None, State.NOT_ASSESSED, "no pair was forgotten"),
    ],
)
def test_membership_without_gold(dataset: Dataset, auc: float | None, state: State, said: str):
    request = ForgetRequest(users=(dataset.users.names[0],))
    probe = probe_of(partition(dataset, retain(dataset, request)))
    check = _membership(figures("unlearned", 0.1, 0.0, auc), probe)
    assert check.state is state
    assert said in check.detail


def test_a_twentieth_of_the_utility_may_be_lost():
    before = figures("original", 0.100, 0, 0.5)
    assert _utility(before, figures("unlearned", 0.096, 0, 0.5)).state is State.PASSED
    assert _utility(before, figures("unlearned", 0.094, 0, 0.5)).state is State.FAILED


def test_the_probe_holds_what_left_and_controls_that_were_never_trained_on(dataset: Dataset):
    parts = partition(dataset, retain(dataset, ForgetRequest(items=tuple(dataset.items.names[:4]))))
    probe = probe_of(parts)
    train, items = dataset.train, len(dataset.items)
    assert probe.branch == ""
    assert set(probe.forgotten.items) <= {0, 1, 2, 3}
    assert len(probe.forgotten) == int((train.items < 4).sum())
    assert len(probe.seen) + len(probe.forgotten) == len(train)
    assert not train.contains(probe.controls.users, probe.controls.items, items).any()
    assert not train.contains(probe.random.users, probe.random.items, items).any()


def test_forget_figures_equal_a_loop_over_users(dataset: Dataset):
    train, names = dataset.train, (dataset.users.names, dataset.items.names)
    pairs = tuple((names[0][int(train.users[n])], names[1][int(train.items[n])]) for n in range(0, 300, 3))
    probe = probe_of(partition(dataset, retain(dataset, ForgetRequest(pairs=pairs))))
    rng = torch.Generator().manual_seed(0)
    vectors = Vectors(*(torch.randn(len(ids), 4, generator=rng) for ids in names))
    found = measure("original", "run", 0, 1.0, {}, vectors, probe)
    scores = (vectors.users @ vectors.items.T).numpy().astype(float)
    scores[probe.seen.users, probe.seen.items] = -np.inf
    recalls = []
    for user in np.unique(probe.forgotten.users):
        wanted = set(probe.forgotten.items[probe.forgotten.users == user])
        recalls.append(len(wanted & set(np.argsort(-scores[user])[:20])) / len(wanted))
    assert found.forget["recall@20"] == pytest.approx(np.mean(recalls))

    def shares(users: np.ndarray, items: np.ndarray) -> list[float]:
        """Of the user's other unseen items, the share that a pair's item beats."""
        ranked = []
        for user, item in zip(users, items, strict=True):
            others = np.delete(scores[user], item)
            others = others[np.isfinite(others)]
            ranked.append((others < scores[user, item]).mean())
        return ranked

    forgotten = shares(probe.forgotten.users, probe.forgotten.items)
    controls = shares(probe.controls.users, probe.controls.items)
    wins = np.mean([[(p > c) + 0.5 * (p == c) for c in controls] for p in forgotten])
    assert found.auc == pytest.approx(wins, abs=1e-6)
