"""Unlearn rows that another library trained to rank: our method, which never retrains its model."""

from mmrecun.errors import ForgetError
from mmrecun.unlearning.base import Task, UnlearnResult
from mmrecun.unlearning.mmrecun.method import MMRecUn


class RankingRows(MMRecUn):
    """MMRecUn for foreign rows; if they cannot be solved for, it refuses instead of retraining."""

    def unsolved(self, task: Task, why: str) -> UnlearnResult:  # noqa: ARG002
        """Refuse to retrain.

        Raises:
            ForgetError: always, since a training by our own rules would give another model.
        """
        raise ForgetError(
            f"{why}: this model was hardly trained to rank by dot products, or not on these data, and cannot be solved "
            "for; train it again with its own library on the retained data"
        )
