"""Is what was planted there to be found?"""

import numpy as np
import pytest

from mmrecun.data.interactions import Split
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.errors import ConfigError
from mmrecun.rng import Seed


@pytest.fixture(scope="module")
def made():
    return make(SyntheticConfig(), Seed(0))


def test_the_same_seed_gives_the_same_bits(made):
    assert make(SyntheticConfig(), Seed(0))[0].digest == made[0].digest
    assert make(SyntheticConfig(), Seed(1))[0].digest != made[0].digest


def test_sizes_are_near_the_wish(made):
    dataset, _ = made
    assert (len(dataset.users), len(dataset.items)) == (600, 400)
    assert len(dataset.interactions) == pytest.approx(9000, rel=0.1)
    assert np.bincount(dataset.interactions.users, minlength=600).min() >= 3
    shares = [len(dataset.interactions.split(split)) / len(dataset.interactions) for split in Split]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_popularity_has_a_long_tail(made):
    dataset, truth = made
    counts = np.bincount(dataset.interactions.items, minlength=400)
    assert np.sort(counts)[::-1][:80].sum() > 0.45 * counts.sum()
    assert np.corrcoef(np.argsort(np.argsort(counts)), np.argsort(np.argsort(truth.popularity)))[0, 1] > 0.6


def test_users_choose_what_they_like(made):
    dataset, truth = made
    pairs = dataset.interactions
    liked = (truth.user_groups[pairs.users] == truth.item_groups[pairs.items, None]).any(axis=1)
    assert liked.mean() > 0.7


@pytest.mark.parametrize("name", ["image", "audio"])
def test_visible_groups_are_separable_and_the_others_are_one_mass(made, name):
    dataset, truth = made
    modality, visible = dataset.modalities[name], truth.visible[name]
    assert visible.sum() == 4
    features, groups = modality.values()[modality.present], truth.item_groups[modality.present]
    odd = np.arange(len(groups)) % 2 == 1
    centres = np.stack([features[(groups == group) & odd].mean(axis=0) for group in range(8)])
    distance = np.linalg.norm(features[~odd, None] - centres[None], axis=2)
    right = distance.argmin(axis=1) == groups[~odd]
    shown = visible[groups[~odd]]
    assert right[shown].mean() > 0.95
    assert right[~shown].mean() < 0.5


def test_together_the_modalities_show_every_group(made):
    _, truth = made
    assert np.logical_or.reduce(list(truth.visible.values())).all()


def test_a_single_modality_shows_every_group():
    _, truth = make(SyntheticConfig(modalities=("image",)), Seed(0))
    assert truth.visible["image"].all()


def test_missing_features_are_absent_and_zero():
    dataset, _ = make(SyntheticConfig(missing=0.3), Seed(0))
    modality = dataset.modalities["image"]
    assert modality.present.mean() == pytest.approx(0.7, abs=0.1)
    assert not modality.features[~modality.present].any()


@pytest.mark.parametrize(
    "values",
    [{"modalities": ()}, {"groups": 1}, {"items": 3}, {"users": 1}, {"focus": 1.0}, {"groups": 30, "items": 20}],
)
def test_odd_sizes_still_make_a_dataset(values):
    config = SyntheticConfig.of({"users": 20, "items": 40, "interactions": 200, **values})
    dataset, _ = make(config, Seed(0))
    assert len(dataset.train)
    assert len(dataset.users) == config.users


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match=r"missing = 1\.5"):
        SyntheticConfig.of({"missing": 1.5})
