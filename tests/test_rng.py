"""Seeds."""

import numpy as np
import pytest

from mmrecun.errors import ConfigError
from mmrecun.rng import Seed


@pytest.mark.parametrize("value", ["7", 1.0, None, True, -1, 1 << 63])
def test_what_starts_no_generator_is_refused_in_one_line(value: object):
    with pytest.raises(ConfigError, match=r"^seed: .* is not a whole number from 0 to 9223372036854775807$"):
        Seed(value)


def test_numbers_of_arrays_are_seeds():
    assert Seed(np.int64(7)).child("a") == Seed(7).child("a")
