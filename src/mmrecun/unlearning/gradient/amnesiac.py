"""Amnesiac unlearning: training continues with wrong labels for what is forgotten (Graves et al., AAAI 2021)."""

from collections.abc import Iterator
from enum import StrEnum

import torch
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.interactions import Interactions
from mmrecun.forget.request import Target
from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.sampling import Step


class Variant(StrEnum):
    """The two methods of the paper."""

    RELABEL = "relabel"
    SUBTRACT = "subtract"


class AmnesiacConfig(PassConfig):
    """Settings of amnesiac unlearning."""

    epochs: PositiveInt = Field(
        default=10,
        description="passes over all training pairs, the forgotten ones relabelled; 10 as in the authors' notebooks",
    )
    variant: Variant = Field(
        default=Variant.RELABEL,
        description="one of the paper's two methods; subtract is refused: no training logs the updates it needs",
    )

    @field_validator("variant")
    @classmethod
    def possible(cls, variant: Variant) -> Variant:
        """Refuse the variant `subtract`.

        It takes the parameter changes of all batches with forgotten pairs off the trained parameters. Trainings do not
        log them: with batches of 2048 nearly every batch holds a forgotten pair (all but one in 10^9 where 1 % is
        forgotten), the log would be as large as epochs x batches x model, and what is left after subtraction is the
        untrained model. Replaying the training to obtain them would read the forgotten data again, at more than the
        cost of `retrain`.
        """
        if variant is Variant.SUBTRACT:
            raise ValueError(
                "no training logs the update of each batch, and replaying it costs more than retraining; "
                "use variant=relabel, or the method retrain"
            )
        return variant


class AmnesiacRun(GradientRun):
    """Relabels forgotten pairs: the user prefers an item they never had to the forgotten one.

    The wrong item is redrawn in every pass, as negatives are. Features have no label that could be wrong.
    """

    def steps(self, number: int) -> Iterator[Step]:
        """Yield a pass over all original training pairs, forgotten ones relabelled."""
        for triples in self.sampler.full_pass(number):
            yield Step(retain=relabelled(triples, self.sampler.forget, self.model.sizes.items))

    def loss(self, step: Step) -> Tensor:
        """Return what training minimises, on relabelled triples; a scalar."""
        return self.retain_loss(self.forward(step)[0])


class Amnesiac(GradientUnlearner):
    """Continues training with forgotten pairs relabelled."""

    Config = AmnesiacConfig
    Run = AmnesiacRun
    summary = "continues training with forgotten pairs relabelled"
    source = "Graves et al., AAAI 2021"
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})


def relabelled(triples: Triples, wrong: Interactions, items: int) -> Triples:
    """Return the same with positive and negative exchanged where (user, positive) is among `wrong`; `items` is I."""
    found = wrong.contains(triples.users.cpu().numpy(), triples.positives.cpu().numpy(), items)
    swap = torch.from_numpy(found).to(triples.users.device)
    return Triples(
        triples.users,
        torch.where(swap, triples.negatives, triples.positives),
        torch.where(swap, triples.positives, triples.negatives),
    )
