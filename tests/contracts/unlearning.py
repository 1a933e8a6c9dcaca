"""The method contract, where tests of this repository have always found it."""

from mmrecun.testing.methods import *  # noqa: F403
