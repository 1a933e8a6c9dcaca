"""The model contract, where tests of this repository have always found it."""

from mmrecun.testing.models import *  # noqa: F403
