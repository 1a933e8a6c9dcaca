"""Unlearn rows that a foreign library trained to rank: our method, which never trains somebody else's model anew."""

from mmrecun.errors import ForgetError
from mmrecun.unlearning.base import Task, UnlearnResult
from mmrecun.unlearning.mmrecun.method import MMRecUn


class RankingRows(MMRecUn):
    """MMRecUn for foreign rows; where they cannot be solved for, it says so instead of training another model."""

    def unsolved(self, task: Task, why: str) -> UnlearnResult:  # noqa: ARG002
        """Refuse.

        Raises:
            ForgetError: always; a training by our own rules would be another model than the one given.
        """
        raise ForgetError(
            f"{why}: this model was hardly trained to rank by dot products, or not on these data, and cannot be solved "
            "for; train it again with its own library on the retained data"
        )
