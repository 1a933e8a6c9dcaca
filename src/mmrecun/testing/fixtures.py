"""The small dataset on which the contracts are tested."""

import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

SMALL = SyntheticConfig(users=80, items=50, interactions=1200, groups=4, width=6, missing=0.1)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """Make 80 users, 50 items and 1,200 interactions with planted tastes, two modalities and absent features."""
    return make(SMALL, Seed(3))[0]
