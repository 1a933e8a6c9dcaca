"""The contract of every unlearning method: a trained model and a partition in, a model of the retained data out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.errors import ForgetError
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target
from mmrecun.forget.views import View
from mmrecun.models.base import Recommender, Sizes, transfer_rows
from mmrecun.rng import Seed
from mmrecun.settings import Settings
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import Progress, no_progress
from mmrecun.training.validation import validation_score


class UnlearnConfig(Settings):
    """Base of every method's settings."""


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes:
        model: the trained recommender; never changed.
        partition: what is retained and what is forgotten.
        training: how the model was trained.
        seed: of everything drawn.
        validate: Recall@20 of a model of the retained data on the retained validation pairs.
        progress: receives progress.
    """

    model: Recommender
    partition: Partition
    training: TrainConfig
    seed: Seed
    validate: Callable[[Recommender, GraphInputs], float]
    progress: Progress = no_progress

    @classmethod
    def of(
        cls,
        model: Recommender,
        partition: Partition,
        training: TrainConfig,
        seed: Seed,
        progress: Progress = no_progress,
    ) -> Self:
        """Set up a task whose models are validated on the retained validation pairs."""

        def validate(current: Recommender, inputs: GraphInputs) -> float:
            return validation_score(current, inputs, partition.retained)

        return cls(model, partition, training, seed, validate, progress)

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(self.model.parameters()).device

    def inputs(self, view: Callable[[Partition], View]) -> GraphInputs:
        """Build the graphs and features of one of `views` of the data, as far as the model reads them."""
        return view(self.partition).inputs(self.model.required_inputs(), self.device)


@dataclass(frozen=True)
class UnlearnResult:
    """What a method gives back.

    Attributes:
        model: of the retained users, items and modalities.
        stop_reason: why it ended.
        history: one row per pass.
        setup_seconds: of the run that were spent on what would be there before any request, such as shard models.
        best_epoch, valid: where a training on the retained data validated best, and its score; 0 and None for a method
            that chooses nothing by validation.
    """

    model: Recommender
    stop_reason: str
    history: list[dict[str, float]]
    setup_seconds: float = 0.0
    best_epoch: int = 0
    valid: float | None = None


class Unlearner:
    """Base of every method. A subclass states its settings, its targets and how it runs."""

    Config: ClassVar[type[UnlearnConfig]] = UnlearnConfig
    forgets: ClassVar[frozenset[Target]] = frozenset(Target)
    config: UnlearnConfig

    def __init__(self, config: UnlearnConfig) -> None:
        self.config = config

    @classmethod
    def check(cls, partition: Partition) -> None:
        """Refuse what this method cannot forget.

        Raises:
            ForgetError: when the request has a target outside `forgets`.
        """
        beyond = targets_of(partition) - cls.forgets
        if beyond:
            raise ForgetError(
                f"this method does not forget {', '.join(sorted(beyond))}, only {', '.join(sorted(cls.forgets))}; "
                "choose another --method, such as mmrecun or retrain"
            )

    def run(self, task: Task) -> UnlearnResult:
        """Forget what `task.partition` took out."""
        raise NotImplementedError


def presence(dataset: Dataset) -> dict[str, np.ndarray]:
    """Modality -> bool [I]."""
    return {name: modality.present for name, modality in dataset.modalities.items()}


def working_copy(task: Task) -> Recommender:
    """Return the trained model, every row in its place, as a copy to work on."""
    source = task.model
    original = task.partition.original
    users, items = np.arange(source.sizes.users), np.arange(source.sizes.items)
    return transfer_rows(source, source.sizes, users, items, presence(original), task.seed.child("fresh rows"))


def retained_model(task: Task, working: Recommender) -> Recommender:
    """Return the rows and branches of `working` that are retained, as a model of the retained data."""
    partition = task.partition
    sizes = Sizes.of_dataset(partition.retained)
    seed = task.seed.child("fresh rows")
    return transfer_rows(working, sizes, partition.user_rows, partition.item_rows, presence(partition.retained), seed)


def with_fresh_rows(model: Recommender, users: Ints, items: Ints, seed: Seed) -> Recommender:
    """Return a copy whose rows of `users` and `items` (int64), in every table, are as at the start of a training."""
    user_rows, item_rows = np.arange(model.sizes.users), np.arange(model.sizes.items)
    user_rows[users], item_rows[items] = -1, -1
    kept = {name: np.ones(model.sizes.items, dtype=bool) for name in model.sizes.widths}
    return transfer_rows(model, model.sizes, user_rows, item_rows, kept, seed)
