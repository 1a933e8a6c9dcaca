import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.audit.membership import auc, histogram, random_controls
from mmrecun.data.dataset import Dataset

shares = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=20)


@given(shares, shares)
def test_auc_equals_the_loop_over_all_pairs(positives: list[float], controls: list[float]):
    wins = sum((p > c) + 0.5 * (p == c) for p in positives for c in controls)
    assert np.isclose(auc(np.array(positives), np.array(controls)), wins / (len(positives) * len(controls)))


def test_auc_of_nothing_is_not_a_number():
    assert auc(np.array([]), np.array([1.0])) is None


def test_histogram_holds_every_percentile():
    assert histogram(np.array([0.0, 0.5, 1.0]), bins=2) == (1 / 3, 2 / 3)


def test_random_controls_were_never_seen(dataset: Dataset):
    train = dataset.train
    drawn = random_controls(train, train, len(dataset.users), len(dataset.items), np.random.default_rng(0))
    assert not train.contains(drawn.users, drawn.items, len(dataset.items)).any()
    assert set(drawn.users) <= set(train.users)
