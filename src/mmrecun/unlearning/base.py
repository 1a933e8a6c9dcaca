"""The contract of every unlearning method: a trained model and a partition in, a model of the retained data out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.errors import ForgetError
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target
from mmrecun.models.base import Recommender, Sizes, carry_over
from mmrecun.rng import Seed
from mmrecun.settings import Settings
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import Report, silent


class UnlearnConfig(Settings):
    """Base of every method's settings."""


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes:
        model: the trained recommender; never changed.
        parts: what is retained and what is forgotten.
        training: how the model was trained.
        seed: of everything drawn.
        validate: Recall@20 of a model of the retained data on the retained validation pairs.
        report: receives progress.
    """

    model: Recommender
    parts: Partition
    training: TrainConfig
    seed: Seed
    validate: Callable[[Recommender, GraphInputs], float]
    report: Report = silent

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    def inputs(self) -> GraphInputs:
        """Graphs and features of the retained data."""
        return build_inputs(self.parts.retained, self.model.spec(), self.device)


@dataclass(frozen=True)
class Unlearned:
    """What a method gives back.

    Attributes:
        model: of the retained users, items and modalities.
        stop: why it ended.
        history: one row per pass.
        setup_seconds: of the run that were spent on what would be there before any request, such as shard models.
        best_epoch, valid: where a training on the retained data validated best, and its score; 0 and None for a method
            that chooses nothing by validation.
    """

    model: Recommender
    stop: str
    history: list[dict[str, float]]
    setup_seconds: float = 0.0
    best_epoch: int = 0
    valid: float | None = None


class Unlearner:
    """Base of every method. A subclass states its settings, its targets and how it runs."""

    Config: ClassVar[type[UnlearnConfig]] = UnlearnConfig
    forgets: ClassVar[frozenset[Target]] = frozenset(Target)

    def __init__(self, config: UnlearnConfig) -> None:
        self.settings = config

    @classmethod
    def check(cls, parts: Partition) -> None:
        """Refuse what this method cannot forget.

        Raises:
            ForgetError: when the request has a target outside `forgets`.
        """
        beyond = targets_of(parts) - cls.forgets
        if beyond:
            raise ForgetError(
                f"this method does not forget {', '.join(sorted(beyond))}, only {', '.join(sorted(cls.forgets))}; "
                "choose another --method, such as mmrecun or retrain"
            )

    def run(self, task: Task) -> Unlearned:
        """Forget what `task.parts` left out."""
        raise NotImplementedError


def presence(dataset: Dataset) -> dict[str, np.ndarray]:
    """Modality -> bool [I]."""
    return {name: modality.present for name, modality in dataset.modalities.items()}


def working_copy(task: Task) -> Recommender:
    """The trained model, every row in its place, as a copy to work on."""
    source = task.model
    original = task.parts.original
    users, items = np.arange(source.sizes.users), np.arange(source.sizes.items)
    return carry_over(source, source.sizes, users, items, presence(original), task.seed.child("fresh rows"))


def original_inputs(task: Task) -> GraphInputs:
    """What the model was trained on; for a frozen teacher, never for a model that is given back."""
    return build_inputs(task.parts.original, task.model.spec(), task.device)


def stand_in_inputs(task: Task) -> GraphInputs:
    """Retained graph in original rows, with what was removed attached as newcomers."""
    return build_inputs(task.parts.stand_in(), task.model.spec(), task.device, task.parts.newcomers())


def served_inputs(task: Task) -> GraphInputs:
    """As `stand_in_inputs`, without the removed features of retained items: what the new model will see."""
    data, parts = task.parts.stand_in(), task.parts
    modalities = {
        name: modality.without(parts.lost_features[name]) if name in parts.lost_features else modality
        for name, modality in data.modalities.items()
    }
    return build_inputs(replace(data, modalities=modalities), task.model.spec(), task.device, parts.newcomers())


def export(task: Task, working: Recommender) -> Recommender:
    """The rows and branches of `working` that are retained, as a model of the retained data."""
    parts = task.parts
    sizes = Sizes.of_dataset(parts.retained)
    seed = task.seed.child("fresh rows")
    return carry_over(working, sizes, parts.user_rows, parts.item_rows, presence(parts.retained), seed)


def with_fresh_rows(model: Recommender, users: Ints, items: Ints, seed: Seed) -> Recommender:
    """A copy in which the rows of `users` and `items` (int64) are as at the start of a training, in every table."""
    user_rows, item_rows = np.arange(model.sizes.users), np.arange(model.sizes.items)
    user_rows[users], item_rows[items] = -1, -1
    kept = {name: np.ones(model.sizes.items, dtype=bool) for name in model.sizes.widths}
    return carry_over(model, model.sizes, user_rows, item_rows, kept, seed)
