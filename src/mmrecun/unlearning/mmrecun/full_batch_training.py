"""Train a model that draws no negatives anew, in few large steps, each over all retained pairs.

Its loss over all pairs costs little more than that of a batch, since the partners of a row are added up first. Its
gradient has no noise of batches, so that steps can be several times as long. Of the trained model only its
validation recall is read: what comes out knows of the forgotten pairs as little as Gold does.
"""

import math
from dataclasses import dataclass, field

import torch

from mmrecun.data.graph import GraphInputs
from mmrecun.errors import DivergedError
from mmrecun.models.full_batch import AllPairs, FullBatchRecommender
from mmrecun.training.loop import diverged
from mmrecun.unlearning.base import Task, UnlearnResult, untrained_model
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard

_FASTER = 3.0  # learning rate, relative to that of the training
_SLOWING = 60  # steps in which the shared layers' rate would fall to zero; see `shared_rate`
_BETWEEN, _PATIENCE, _MOST = 10, 30, 400  # steps between two validations, without a better one, and in all


@dataclass
class _Best:
    """The parameters that validated best."""

    score: float = -math.inf
    step: int = 0
    parameters: dict[str, torch.Tensor] = field(default_factory=dict)


def trained_in_full_batches(task: Task, inputs: GraphInputs, guard: ValidationGuard) -> UnlearnResult:
    """Train a fresh model of the retained data until it validates as well as the trained one, or no better for a while.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    retained, seed = task.partition.retained, task.seed
    model = untrained_model(task, retained, seed)
    assert isinstance(model, FullBatchRecommender)
    assert guard.trained is not None
    pairs = AllPairs(retained.train, (len(retained.users), len(retained.items)), task.device)
    optimizer = _adam(model, task.training.learning_rate)
    shared = optimizer.param_groups[1]
    noise = seed.child("noise").torch(task.device)
    best, done, history = _Best(), 0, list[dict[str, float]]()
    while best.score < guard.trained and done < min(best.step + _PATIENCE, _MOST):
        model.dropout_rng = noise
        for step in range(done + 1, done + _BETWEEN + 1):
            shared["lr"] = shared_rate(step) * task.training.learning_rate
            optimizer.zero_grad(set_to_none=True)
            total = model.full_batch_loss(inputs, pairs)
            total.backward()
            optimizer.step()
        model.dropout_rng, done = None, done + _BETWEEN
        loss = total.item()
        if not math.isfinite(loss):
            raise DivergedError(diverged(loss))
        valid = guard.score(model)
        if valid > best.score:
            best = _Best(valid, done, {name: value.clone() for name, value in model.state_dict().items()})
        history.append({"step": done, "loss": loss, "valid": valid})
        task.progress(done, _MOST, f"loss {loss:.4f}  best valid {best.score:.4f} @ {best.step}")
    model.load_state_dict(best.parameters)
    stop = f"trained anew on all retained pairs at once; best validation at step {best.step} of {done}"
    return UnlearnResult(model, stop, history)


def shared_rate(step: int) -> float:
    """Return the learning rate of the shared layers at a step, relative to that of the training.

    It is that of the rows at first, without which all rows would turn to one direction. Were it as high later, the
    predictor would change faster than rows of few pairs can follow.

    >>> [shared_rate(step) for step in (0, 30, 60)]
    [3.0, 1.5, 1.0]
    """
    return max(_FASTER * (1 - step / _SLOWING), 1.0)


def _adam(model: FullBatchRecommender, learning_rate: float) -> torch.optim.Adam:
    """Build Adam with a first group of the rows and a second one of the shared layers."""
    tables = [table.weight for table in model.tables().values()]
    rows = {id(weight) for weight in tables}
    shared = [parameter for parameter in model.parameters() if id(parameter) not in rows]
    return torch.optim.Adam([{"params": tables}, {"params": shared}], lr=_FASTER * learning_rate, fused=True)
