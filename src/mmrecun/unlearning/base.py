"""The contract of every unlearning method: a trained model and a partition in, a model of the retained data out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
import torch

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.errors import ForgetError
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target
from mmrecun.forget.views import View
from mmrecun.models.base import ModelConfig, Recommender, Sizes, transfer_rows
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.settings import Hyperparameters
from mmrecun.training.fit import TrainConfig
from mmrecun.training.validation import validation_score


class UnlearnConfig(Hyperparameters):
    """Base of every method's settings."""


class Architecture(NamedTuple):
    """A kind of model: its class and its settings."""

    model: type[Recommender]
    config: ModelConfig

    @classmethod
    def of(cls, model: Recommender) -> Self:
        """Return the kind of `model`."""
        return cls(type(model), model.config)

    def modalities(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the modalities of `dataset` that such a model learns from; nothing of its size is allocated."""
        with torch.device("meta"):
            return self.model(self.config, Sizes.of_dataset(dataset), None).modalities()


@dataclass(frozen=True)
class Task:
    """The input of a method.

    Attributes:
        model: the trained recommender; never changed.
        partition: what is retained and what is forgotten.
        training: settings with which the model was trained.
        seed: random seed.
        validate: computes Recall@20 of a model of the retained data on the retained validation pairs.
        progress: called with the progress.
        carried: what the method left with the model when it unlearned it last (see `UnlearnResult`); empty at first.
        epochs: for which the model was trained; 0 if that is not known.
        trained_as: what was trained, where `model` is the plain vectors that an earlier method made of it; None where
            that is a model such as `model`.
    """

    model: Recommender
    partition: Partition
    training: TrainConfig
    seed: Seed
    validate: Callable[[Recommender, GraphInputs], float]
    progress: Progress = no_progress
    carried: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0
    trained_as: Architecture | None = None
    _item_graphs: dict[bytes, sp.csr_array] = field(default_factory=dict, repr=False)  # views may share them

    @classmethod
    def of(
        cls,
        model: Recommender,
        partition: Partition,
        training: TrainConfig,
        seed: Seed,
        progress: Progress = no_progress,
        carried: Mapping[str, Any] | None = None,
        epochs: int = 0,
        trained_as: Architecture | None = None,
    ) -> Self:
        """Set up a task whose models are validated on the retained validation pairs."""

        def validate(current: Recommender, inputs: GraphInputs) -> float:
            return validation_score(current, inputs, partition.retained)

        return cls(model, partition, training, seed, validate, progress, carried or {}, epochs, trained_as)

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    @property
    def architecture(self) -> Architecture:
        """What is trained where a model is trained anew."""
        return self.trained_as or Architecture.of(self.model)

    def inputs(self, view: Callable[[Partition], View], model: Recommender | None = None) -> GraphInputs:
        """Build the graphs and features of one of `views` of the data, as far as `model` reads them; `self.model`'s."""
        required = (model or self.model).required_inputs()
        return view(self.partition).inputs(required, self.device, self._item_graphs)


@dataclass(frozen=True)
class UnlearnResult:
    """The result of a method.

    Attributes:
        model: model of the retained users, items and modalities.
        stop_reason: why it ended.
        history: one row per pass.
        setup_seconds: time spent on what would exist before any request, such as shard models.
        best_epoch, valid: epoch that validated best, and its score; 0 and None for a method that chooses nothing by
            validation.
        carried: facts that a later request to the same method reads, in JSON's types; no ids or rows.
    """

    model: Recommender
    stop_reason: str
    history: list[dict[str, float]]
    setup_seconds: float = 0.0
    best_epoch: int = 0
    valid: float | None = None
    carried: Mapping[str, Any] = field(default_factory=dict)


class Unlearner:
    """Base of every method. A subclass defines its settings, its targets and how it runs.

    Attributes:
        summary: what the method does, in one line.
        source: its paper.
        forgets: the targets that it can forget; a request for any other is refused.
        validates: whether it chooses epochs by validation, so that a request must leave validation pairs.
    """

    Config: ClassVar[type[UnlearnConfig]] = UnlearnConfig
    summary: ClassVar[str] = ""
    source: ClassVar[str] = ""
    forgets: ClassVar[frozenset[Target]] = frozenset(Target)
    validates: ClassVar[bool] = False
    config: UnlearnConfig

    def __init__(self, config: UnlearnConfig) -> None:
        self.config = config

    @classmethod
    def check(cls, partition: Partition) -> None:
        """Refuse a request that this method cannot forget.

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
        """Forget what `task.partition` removes."""
        raise NotImplementedError


def retained_negatives(partition: Partition) -> NegativeSampler:
    """Return a sampler of retained items outside the user's whole history, in original rows."""
    return NegativeSampler.of_dataset(partition.original, partition.item_rows)


def presence(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return modality -> bool [I], true for items that have it."""
    return {name: modality.present for name, modality in dataset.modalities.items()}


def working_copy(task: Task) -> Recommender:
    """Copy the trained model, with all rows in their places."""
    source = task.model
    original = task.partition.original
    users, items = np.arange(source.sizes.users), np.arange(source.sizes.items)
    return transfer_rows(source, source.sizes, users, items, presence(original), task.seed.child("fresh rows"))


def untrained_model(task: Task, data: Dataset, seed: Seed) -> Recommender:
    """Build the model anew for `data`, with the settings of the trained one, on its device."""
    kind = task.architecture
    return kind.model(kind.config, Sizes.of_dataset(data), seed.child("model").torch()).to(task.device)


def retained_model(task: Task, working: Recommender) -> Recommender:
    """Copy the retained rows and branches of `working` into a model of the retained data."""
    partition = task.partition
    sizes = Sizes.of_dataset(partition.retained)
    seed = task.seed.child("fresh rows")
    return transfer_rows(working, sizes, partition.user_rows, partition.item_rows, presence(partition.retained), seed)


def with_fresh_rows(model: Recommender, users: Ints, items: Ints, seed: Seed) -> Recommender:
    """Copy a model with untrained rows for `users` and `items` (int64), in every table."""
    user_rows, item_rows = np.arange(model.sizes.users), np.arange(model.sizes.items)
    user_rows[users], item_rows[items] = -1, -1
    kept = {name: np.ones(model.sizes.items, dtype=bool) for name in model.sizes.widths}
    return transfer_rows(model, model.sizes, user_rows, item_rows, kept, seed)
