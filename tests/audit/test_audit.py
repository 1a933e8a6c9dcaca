import pytest

from mmrecun.audit.audit import _gaps, _gold_checks
from mmrecun.audit.verdict import Check, Figures, State, conclude


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
