"""Contract tests for packages that add models, methods, adapters or importers; they need pytest.

In a test module, inherit a contract and import its fixtures by name:

    from mmrecun.testing import ModelContract, dataset

    class TestMine(ModelContract):
        name = "mine"
"""

import pytest

for _part in ("models", "methods", "adapters", "importers"):
    pytest.register_assert_rewrite(f"{__name__}.{_part}")

from mmrecun.testing.adapters import AdapterContract, SavedModel  # noqa: E402
from mmrecun.testing.fixtures import dataset  # noqa: E402
from mmrecun.testing.importers import ImporterContract  # noqa: E402
from mmrecun.testing.methods import GradientContract, UnlearnerContract, trained  # noqa: E402
from mmrecun.testing.models import ModelContract  # noqa: E402

__all__ = [
    "AdapterContract",
    "GradientContract",
    "ImporterContract",
    "ModelContract",
    "SavedModel",
    "UnlearnerContract",
    "dataset",
    "trained",
]
