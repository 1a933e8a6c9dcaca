"""TRU-style targeted reverse update of the most affected modules, bounded in each branch (arXiv 2604.02183).

Formulas are not published in full; module choice, branch scale and gate are this implementation's reading. The paper's
gate at the output needs no code here: a removed item or feature has no row, hence no score. A gate for a single pair
would have to store the pair in the model, so there is none.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.models.per_modality import modality_of_parameters
from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step

Gradients = Sequence[Tensor | None]


class TRUConfig(GradientConfig):
    """Settings of the TRU-style update."""

    epochs: PositiveInt = Field(default=5, description="passes over the forget set")
    forget_weight: float = Field(
        default=0.5, gt=0, lt=1, description="weight of the forget term (w); the retain term has 1 - w"
    )
    share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of the modules that are updated: those with the largest ratio of forget to retain gradient",
    )
    tau: PositiveFloat = Field(
        default=2.0,
        description="largest norm of a branch's forget gradient, in multiples of that of its retain gradient",
    )
    probe_batches: PositiveInt = Field(
        default=4, description="steps, before the first update, from which the ratio of the gradients is measured"
    )


class TRURun(GradientRun):
    """Minimises the objective of mmrecun-paper, with the forget gradient kept apart, so that it can be scaled.

    Attributes:
        chosen: whether each parameter is updated.
        branch: the modality of each parameter; empty for parameters that all modalities share.
    """

    config: TRUConfig

    def __init__(self, task: Task, config: TRUConfig) -> None:
        super().__init__(task, config)
        names, modalities = [name for name, _ in self.model.named_parameters()], modality_of_parameters(self.model)
        modules = self._most_affected(names)
        self.chosen = [module_of(name) in modules for name in names]
        self.branch = [modalities.get(name, "") for name in names]

    def _most_affected(self, names: list[str]) -> list[str]:
        """Return the modules that feel the forget set most, relative to the retain set."""
        forget, retain = dict.fromkeys(map(module_of, names), 0.0), dict.fromkeys(map(module_of, names), 0.0)
        for step in islice(self.sampler.forget_pass(0), self.config.probe_batches):
            _, down, hold = self._gradients(step)
            for name, one, two in zip(names, down, hold, strict=True):
                forget[module_of(name)] += squared(one)
                retain[module_of(name)] += squared(two)
        ratio = {module: forget[module] / max(retain[module], 1e-30) for module in forget}
        return sorted(ratio, key=lambda module: -ratio[module])[: max(1, round(self.config.share * len(ratio)))]

    def loss(self, step: Step) -> Tensor:
        """Return the value of (1 - w) * training loss + w * reverse BPR, with the scaled and masked gradient.

        A scalar.
        """
        value, down, hold = self._gradients(step)
        scales = branch_scales(self.branch, down, hold, self.config.tau)
        weight, mixed = self.config.forget_weight, {}
        for number, parameter in enumerate(self.model.parameters()):
            if self.chosen[number]:
                parts = ((weight * scales[self.branch[number]], down[number]), (1 - weight, hold[number]))
                zero = torch.zeros_like(parameter)
                mixed[parameter] = sum((factor * part for factor, part in parts if part is not None), start=zero)
        return with_gradient(value, list(mixed), list(mixed.values()))

    def _gradients(self, step: Step) -> tuple[Tensor, Gradients, Gradients]:
        """Return the value of the objective, and what each parameter gets from the forget and from the retain term."""
        kept, forgotten = self.forward(step)
        reverse = torch.stack([reverse_bpr(margins, Reverse.SWAPPED) for margins in forgotten]).sum()
        retain, parameters = self.retain_loss(kept), list(self.model.parameters())
        down = torch.autograd.grad(reverse, parameters, retain_graph=True, allow_unused=True)
        hold = torch.autograd.grad(retain, parameters, allow_unused=True)
        weight = self.config.forget_weight
        return ((1 - weight) * retain + weight * reverse).detach(), down, hold


class TRU(GradientUnlearner):
    """Updates the modules that forgetting affects most."""

    Config = TRUConfig
    Run = TRURun
    summary = "reverse BPR in the most affected modules only, bounded in each branch"
    source = "after Zhou et al., arXiv 2604.02183"


def module_of(parameter: str) -> str:
    """Return the name of the module that owns a parameter.

    >>> module_of("gates.image.weight")
    'gates.image'
    """
    return parameter.rpartition(".")[0]


def branch_scales(branches: Sequence[str], down: Gradients, hold: Gradients, tau: float) -> dict[str, float]:
    """Compute branch -> min(1, tau * ||its retain gradient|| / ||its forget gradient||)."""
    scales = {}
    for branch in set(branches):
        inside = [number for number, name in enumerate(branches) if name == branch]
        one, two = (sum(squared(gradients[number]) for number in inside) ** 0.5 for gradients in (down, hold))
        scales[branch] = min(1.0, tau * two / one) if one else 1.0
    return scales


def squared(gradient: Tensor | None) -> float:
    """Compute the squared norm; zero where there is no gradient."""
    return 0.0 if gradient is None else float(gradient.square().sum())


def with_gradient(value: Tensor, parameters: list[Tensor], gradients: list[Tensor]) -> Tensor:
    """Return a scalar of the given value whose gradient in each of `parameters` is the given one."""
    result: Tensor = _Given.apply(value, gradients, *parameters)  # type: ignore[no-untyped-call]
    return result


class _Given(torch.autograd.Function):
    """A value whose gradients are given, whatever it was computed from."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:  # noqa: ARG004
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(outer * gradient for gradient in ctx.gradients)
