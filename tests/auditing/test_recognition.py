import numpy as np
import pytest

from mmrecun.auditing.checks import recognition_check
from mmrecun.auditing.keys import Kind
from mmrecun.auditing.membership import PairGroup
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.recognition import Comparison


def group(rng: np.random.Generator, size: int, owners: int, lift: float = 0.0) -> PairGroup:
    places = np.where(rng.random(size) < lift, rng.beta(8, 1, size), rng.random(size))
    return PairGroup(places.astype(np.float32), np.full(size, 64), rng.integers(owners, size=size))


def comparison(lift: float, traits: float = 0.0, size: int = 1500) -> Comparison:
    """Forgotten pairs of which a share `lift` is placed like known ones, and a trait that shifts them by `traits`."""
    rng = np.random.default_rng(0)
    held_out = group(rng, size, 120)
    seen = rng.normal(loc=(traits, 0), size=(size, 2)), rng.normal(size=(size, 2))
    data = rng.normal(size=(size, 1)), rng.normal(size=(size, 1))
    return Comparison(group(rng, size, 120, lift), held_out, group(rng, size, 120, 1.0), held_out, seen, data)


def test_pairs_that_nobody_knows_are_at_chance():
    found = comparison(0.0).figures()
    assert abs(found.auc - 0.5) < 3 * found.auc_error
    assert found.known_share_low < 0.02
    assert found.known_share_high < 0.15
    assert abs(found.attack_auc - found.attack_level) < 0.03
    assert abs(found.attack_level - 0.5) < 0.05
    assert (found.pairs, found.held_out) == (1500, 1500)


def test_a_third_that_is_known_is_said_to_be_a_third():
    found = comparison(1 / 3).figures()
    assert found.auc - 0.5 > 3 * found.auc_error
    assert found.known_share_low < 1 / 3 < found.known_share_high
    assert found.known_auc > 0.85


def test_an_attacker_sees_more_than_places():
    found = comparison(0.0, traits=1.0).figures()
    assert abs(found.auc - 0.5) < 3 * found.auc_error
    assert found.attack_auc > 0.7


def test_few_pairs_are_not_attacked():
    assert comparison(0.0, size=30).figures().attack_auc is None


def test_the_share_of_known_pairs_is_measured_against_their_own_held_out_ones():
    rng = np.random.default_rng(1)
    one, low = group(rng, 400, 50), group(rng, 400, 50)
    low = PairGroup(low.percentiles * 0.1, low.strata, low.owners)
    none = np.empty((400, 0)), np.empty((400, 0))
    assert Comparison(one, one, one, low, none, none).figures().known_auc > 0.9
    assert Comparison(one, one, one, one, none, none).figures().known_auc == pytest.approx(0.5, abs=1e-6)


def test_pairs_that_share_few_held_out_ones_tell_no_more_than_those():
    """A thousand pairs with three held-out ones, and twenty with a thousand: nothing is known, and nothing is found."""
    where, there = np.repeat([64, 128], [1000, 20]), np.repeat([64, 128], [3, 1000])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        forgotten, held_out = (
            PairGroup(rng.random(len(strata)).astype(np.float32), strata, rng.integers(300, size=len(strata)))
            for strata in (where, there)
        )
        traits = tuple(np.empty((len(strata), 0)) for strata in (where, there))
        found = Comparison(forgotten, held_out, forgotten, held_out, traits, traits).figures()
        assert found.comparable == pytest.approx(1000 * 3 / 1003 + 20 * 1000 / 1020)
        assert recognition_check(Kind("users"), found).state is not Outcome.FAILED


def test_what_the_data_show_without_the_model_is_no_attack():
    """Pairs are set apart by activity, which the model repeats: the attack finds it, and so does its level."""
    rng = np.random.default_rng(2)
    one, other = group(rng, 1500, 120), group(rng, 1500, 120)
    data = rng.normal(1, size=(1500, 1)), rng.normal(size=(1500, 1))
    seen = tuple(rows + rng.normal(scale=0.5, size=rows.shape) for rows in data)
    found = Comparison(one, other, one, other, seen, data).figures()
    assert found.attack_auc > 0.65
    assert found.attack_auc - found.attack_level < 0.03
