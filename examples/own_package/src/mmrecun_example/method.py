"""Leave out the rows of what leaves, and shrink every parameter that is left."""

import torch
from pydantic import Field

from mmrecun.unlearning.base import Task, UnlearnConfig, UnlearnResult
from mmrecun.unlearning.unlink import Unlink


class ShrinkConfig(UnlearnConfig):
    """Settings of shrinking."""

    keep: float = Field(default=0.9, gt=0, le=1, description="factor on every parameter")


class Shrink(Unlink):
    """Leave out the rows of what leaves, and shrink the rest."""

    Config = ShrinkConfig
    config: ShrinkConfig

    def run(self, task: Task) -> UnlearnResult:
        """Return the retained model with every parameter times `keep`."""
        result = super().run(task)
        with torch.no_grad():
            for parameter in result.model.parameters():
                parameter.mul_(self.config.keep)
        return result
