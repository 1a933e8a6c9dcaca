"""Relearn time: training steps on the forgotten pairs until a copy of the model has learned them again."""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from mmrecun.auditing.keys import Probe, ProbeKey
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.models.base import Recommender, Vectors
from mmrecun.progress import Progress
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

STEPS, MOST_STEPS, NEGATIVES, NEAR = ProbeKey.named(Probe.RELEARN_STEPS), 200, 8, 0.95


def relearning(
    setup: AuditSetup, audited_runs: Sequence[AuditedRun], training: TrainConfig, progress: Progress
) -> list[dict[ProbeKey, float | str]]:
    """Count the training steps on the forgotten pairs that make them rank nearly as in the original.

    Over Gold's count this is the anamnesis index with alpha = 5 % (Chundawat et al., arXiv 2201.05629), of pairwise
    accuracy against `NEGATIVES` random items the user never had.

    Args:
        setup: the pairs under test.
        audited_runs: the original first.
        training: training of the original; a step is one of it, on at most one batch of the forgotten pairs, with its
            learning rate and new negatives.
        progress: called after every step.

    Returns:
        For each run `STEPS` -> number of steps, or why they were not counted.
    """
    if setup.branch:
        return _unassessed(
            "only features were taken out; their pairs were kept, so none is learned again", audited_runs
        )
    if not len(setup.forgotten):
        return _unassessed("no pair was forgotten", audited_runs)
    lesson, (original, *others) = _Lesson(setup, training), audited_runs
    target = 1 - NEAR * (1 - misranked(setup.cache.original(original.model), lesson.watched(original.model)))
    late = f"after {MOST_STEPS} steps they did not rank near the original"
    counts = [lesson.steps(audited, target, progress) for audited in others]
    return [{STEPS: 0.0}, *({STEPS: late if count is None else float(count)} for count in counts)]


def relearning_note(training: TrainConfig) -> str:
    """Describe how the steps were counted."""
    return (
        f"Learning again: training steps on the forgotten pairs (at most {training.batch_size:,}), in a copy of the "
        "model with newcomers for what was removed, until they rank above a random item that the user never had "
        f"{NEAR:.0%} as often as in the original; at most {MOST_STEPS}."
    )


def _unassessed(reason: str, audited_runs: Sequence[AuditedRun]) -> list[dict[ProbeKey, float | str]]:
    return [{STEPS: reason} for _ in audited_runs]


def relearn_time(step: Callable[[], None], level: Callable[[], float], target: float, most: int) -> int | None:
    """Count the training steps on the forgotten pairs that bring their error down to `target`; None if `most` do not.

    Divided by Gold's count: far below 1 means that something was left to build on, far above 1 that it was pushed away.

    Args:
        step: one training step on the forgotten pairs.
        level: their error now.
        target: their error in the original model.
    """
    for done in range(most + 1):
        if level() <= target:
            return done
        if done < most:
            step()
    return None


def misranked(vectors: Vectors, triples: Triples) -> float:
    """Compute the share of B triples whose positive does not score above the negative.

    >>> import torch
    >>> one = torch.eye(2)
    >>> misranked(Vectors(one, one), Triples(*torch.tensor([[0, 1], [0, 0], [1, 1]])))
    0.5
    """
    return (vectors.of_triples(triples).margins() <= 0).double().mean().item()


class _Lesson:
    """The forgotten pairs as training material, the same for every state."""

    def __init__(self, setup: AuditSetup, training: TrainConfig) -> None:
        original = setup.cache.partition.original
        self.cache, self.rate = setup.cache, training.learning_rate
        self.seed = Seed(20).child("relearning")
        self.pairs = setup.forgotten.sample(training.batch_size, self.seed.child("pairs").numpy())
        self.sampler = NegativeSampler.of_dataset(original)

    def triples(self, model: Recommender, rng: np.random.Generator) -> Triples:
        """Return all pairs with new negatives."""
        return next(bpr_batches(self.pairs, self.sampler, len(self.pairs), rng, next(model.parameters()).device))

    def watched(self, model: Recommender) -> Triples:
        """Return the triples that are looked at, `NEGATIVES` of every pair."""
        rng = self.seed.child("watched").numpy()
        return reduce(Triples.joined, (self.triples(model, rng) for _ in range(NEGATIVES)))

    def steps(self, audited: AuditedRun, target: float, progress: Progress) -> int | None:
        """Count the steps that a copy of the state needs."""
        model = self.cache.padded_model(audited.model)
        inputs, watched = self.cache.padded_inputs(model), self.watched(model)
        optimizer, rng = adam(model, self.rate), self.seed.child("steps").numpy()
        done = 0

        def step() -> None:
            nonlocal done
            train_batches(
                [self.triples(model, rng)],
                lambda some: training_loss(model, model.batch_vectors(inputs, some)),
                optimizer,
            )
            done += 1
            progress(done, MOST_STEPS, f"{audited.kind} {audited.folder.name}: learning again")

        def level() -> float:
            return misranked(self.cache.padded_of(model), watched)

        return relearn_time(step, level, target, MOST_STEPS)
