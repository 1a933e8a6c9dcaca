"""Training steps on CUDA as replays of a captured graph: one launch a step instead of hundreds."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor

from mmrecun.cuda_graph import CapturedCall
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender
from mmrecun.training.losses import training_loss


class Steps:
    """Takes the training steps of one model, batch by batch, and adds up their losses on its device.

    On a CUDA device there is one captured graph for each length of a batch; those of an epoch are of one length (see
    `DeviceTriples`). The first step is taken without capture (see `CapturedCall`). New inputs, such as those of a model
    that prunes its graph each epoch, are captured again.

    Args:
        model: the model to train, in place.
        optimizer: Adam, from `loop.adam`.
        capture: whether to capture steps, which is possible on CUDA only.

    Attributes:
        noise: generator of the model's dropout masks; the caller seeds it.
    """

    def __init__(self, model: Recommender, optimizer: torch.optim.Optimizer, capture: bool) -> None:
        self._model, self._optimizer = model, optimizer
        self._device = next(model.parameters()).device
        self.noise = torch.Generator(self._device)
        self._total = torch.zeros((), device=self._device)
        self._calls: dict[int, tuple[CapturedCall, Triples]] = {}
        self._inputs: GraphInputs | None = None
        self._stream = torch.cuda.Stream(self._device) if capture else None

    def run(self, batches: Iterable[Triples], inputs: GraphInputs) -> float:
        """Take a step for each batch and return the mean loss, the only value that is read back."""
        if inputs is not self._inputs:
            self._calls.clear()
            self._inputs = inputs
        self._total.zero_()
        steps = 0
        for triples in batches:
            self._step(triples, inputs)
            steps += 1
        return self._total.item() / max(steps, 1)

    def _step(self, triples: Triples, inputs: GraphInputs) -> None:
        if self._stream is None:
            self._take(triples, inputs)
            return
        if len(triples) not in self._calls:
            room = Triples(*(column.clone() for column in triples.columns()))
            work = partial(self._take, room, inputs)
            self._calls[len(triples)] = CapturedCall(work, self._stream, (self.noise,)), room
        call, room = self._calls[len(triples)]
        torch._foreach_copy_(room.columns(), triples.columns())
        call()

    def _take(self, triples: Triples, inputs: GraphInputs) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        loss = training_loss(self._model, self._model.batch_vectors(inputs, triples))
        loss.backward()
        self._optimizer.step()
        return self._total.add_(loss.detach())
