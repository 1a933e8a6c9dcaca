import pytest

from mmrecun.errors import ConfigError
from mmrecun.unlearning.mmrecun import MMRecUnConfig
from tests.contracts.unlearning import Trained, UnlearnerContract, trained  # noqa: F401


class TestSwapped(UnlearnerContract):
    name = "mmrecun"
    settings = {"learning_rate": 0.02, "epochs": 3}


class TestNegated(UnlearnerContract):
    name = "mmrecun"
    settings = {"learning_rate": 0.02, "epochs": 3, "form": "negated"}


@pytest.mark.parametrize("case", [TestSwapped, TestNegated])
def test_the_branch_of_a_lost_feature_forgets_its_pairs(trained: Trained, case):  # noqa: F811
    case().assert_forgotten_falls(trained, "some audio")


def test_a_weight_of_one_would_leave_nothing_to_hold_the_rest():
    with pytest.raises(ConfigError, match="forget_weight"):
        MMRecUnConfig.of({"forget_weight": 1})
