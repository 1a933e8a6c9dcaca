import pytest

from mmrecun.errors import ForgetError
from mmrecun.forget.request import Target
from mmrecun.unlearning.base import Unlearner, targets_of
from tests.contracts.unlearning import Trained, task_of, without_effect

ALL = {
    "users": {Target.USERS},
    "items": {Target.ITEMS},
    "pairs": {Target.INTERACTIONS},
    "some audio": {Target.MODALITIES},
    "mixed": {Target.USERS, Target.ITEMS, Target.MODALITIES},
}


@pytest.mark.parametrize("target", list(ALL))
def test_targets_are_what_the_request_named(trained: Trained, target: str):
    assert targets_of(task_of(trained, target).partition) == ALL[target]


def test_a_target_that_cannot_be_forgotten_is_refused_by_name(trained: Trained):
    class Pairwise(Unlearner):
        forgets = frozenset({Target.INTERACTIONS})

    Pairwise.check(task_of(trained, "pairs").partition)
    with pytest.raises(ForgetError, match="does not forget users, only interactions"):
        Pairwise.check(task_of(trained, "users").partition)
    with pytest.raises(ForgetError, match="items, modalities, users"):
        Pairwise.check(task_of(trained, "mixed").partition)


def test_a_held_out_pair_is_no_target(trained: Trained):
    assert targets_of(task_of(trained, without_effect(trained.dataset)).partition) == set()
