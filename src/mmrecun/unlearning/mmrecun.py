"""MMRecUn, made local and self-stopping: faded rows refilled by what is retained, then rank-aware reverse BPR.

Built on the idea of Sinha, Mandal and Kankanhalli (AAAI 2025): reverse BPR on the forget set beside BPR on the retain
set. What is new here, in the order of a run:

1. Rows whose interactions or modalities were taken out fade, by the share they lost (see `fading`): towards what their
   retained neighbours say, or fresh initial values for users who lost whole items.
2. BPR refits those rows, on retained pairs around them. No other parameter ever moves. In a graph model only users'
   rows are refitted: those of items are refilled by the graph, and refitting them against users that remember would
   teach back what went together.
3. Users and items that leave take their rows with them, but their partners still know of each other (see `ties`).
   Reverse BPR loosens what is tied closer than held-out positives are.
4. Single pairs that still stand higher than comparable held-out positives are pushed below the item at whose rank an
   unlearned pair would stand (reverse BPR with a rank-matched negative), until the two can no longer be told apart.
   An item's row, which all its users share, moves half as fast as a user's.

Steps 3 and 4 need no Gold and look at validation pairs only. A request too small to show is neither refitted nor are
its ties loosened.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Interactions
from mmrecun.errors import DivergedError
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearned, Unlearner, export
from mmrecun.unlearning.fading import Fade, Kept, Side, faded, kept_shares
from mmrecun.unlearning.pushing import Pushed, PushedPairs, PushedTies
from mmrecun.unlearning.row_adam import RowAdam
from mmrecun.unlearning.touched import Touched


class MMRecUnConfig(UnlearnConfig):
    """Settings of MMRecUn.

    Attributes:
        user_fade: a user's row that lost the share f of its pairs turns away from its value and keeps (1 - f)^user_fade
            of it.
        item_fade: the same of an item's row.
        feature_fade: an item that lost the share f of its modalities shrinks to (1 - f)^feature_fade of its value.
        refit: steps of BPR on retained pairs around the request.
        refit_rate: learning rate of the first of them; it falls to zero.
        worth: share of the training pairs of which users must have lost what they knew for a graph model to be
            refitted, and partners of those who left for their ties to be loosened.
        tie_rate: learning rate of the loosening.
        tie_margin: how far above 0.5 the AUC of ties of those who left against held-out ones may end.
        rounds: of loosening and of pushing down, at most; each looks at the ranks anew.
        steps: in each round.
        push_rate: learning rate of the pushing.
        forget_weight: of its reverse term beside the retain term.
        margin: the same of forgotten pairs against held-out ones.
        batch_size: retained pairs a step.
    """

    user_fade: PositiveFloat = 64.0
    item_fade: PositiveFloat = 24.0
    feature_fade: PositiveFloat = 1.0
    refit: NonNegativeInt = 20
    refit_rate: PositiveFloat = 3e-2
    worth: float = Field(default=0.01, ge=0, le=1)
    tie_rate: PositiveFloat = 2e-2
    tie_margin: float = Field(default=0.03, ge=0, lt=0.5)
    rounds: NonNegativeInt = 20
    steps: PositiveInt = 2
    push_rate: PositiveFloat = 3e-2
    forget_weight: PositiveFloat = 0.2
    margin: float = Field(default=0.0, ge=0, lt=0.5)
    batch_size: PositiveInt = 4096


class MMRecUn(Unlearner):
    """Moves the rows that the request touched, and nothing else."""

    Config = MMRecUnConfig

    def __init__(self, config: MMRecUnConfig) -> None:
        super().__init__(config)
        self.config = config

    def run(self, task: Task) -> Unlearned:
        """Fade, refit, loosen, push down.

        Raises:
            DivergedError: when a row is no longer finite.
        """
        fade = Fade(self.config.user_fade, self.config.item_fade, self.config.feature_fade)
        kept = kept_shares(task.parts, task.model.modalities(), fade)
        if not any(kept.touched(of).any() for of in ("users", "items")):
            return Unlearned(export(task, task.model), "no row that stays was touched", [])
        pairs, tied = single_pairs(task.parts), self._tied(task.parts, kept)
        visible = not task.model.spec().user_item or self._shows(task.parts, kept, "users")
        if not (visible or tied or len(pairs)):
            kept = kept.of_rows(task.parts.user_rows, task.parts.item_rows)
            model = faded(export(task, task.model), kept, task.seed.child("faded rows"))
            task.report(1, 1, "faded")
            return Unlearned(model, "faded; the graph refills the rows", [])
        work = Touched(task, kept, pairs, self.config.batch_size)
        history = self._refit(work) if visible and work.refitted else []
        stops = [self._push(work, what, history) for what in self._pushed(work, tied, pairs)]
        if not all(weight[rows].isfinite().all() for weight, rows in work.rows.items()):
            raise DivergedError("a row is no longer finite; lower refit_rate, tie_rate or push_rate")
        return Unlearned(export(task, work.model), "; ".join(["faded", *stops]), history)

    def _tied(self, parts: Partition, kept: Kept) -> list[Side]:
        """The sides whose partners left, where that shows."""
        left: list[tuple[Side, bool]] = [
            ("items", bool(parts.lost_users.any())),
            ("users", bool(parts.lost_items.any())),
        ]
        return [of for of, gone in left if gone and self._shows(parts, kept, of)]

    def _shows(self, parts: Partition, kept: Kept, of: Side) -> bool:
        return lost_knowledge(parts, kept, of) >= self.config.worth

    def _pushed(self, work: Touched, tied: list[Side], pairs: Interactions) -> Iterator[Pushed]:
        for of in tied:
            yield PushedTies(work, of, self.config.tie_rate, self.config.tie_margin)
        if len(pairs):
            yield PushedPairs(work, pairs, self.config.forget_weight, self.config.push_rate, self.config.margin)

    def _refit(self, work: Touched) -> list[dict[str, float]]:
        optimizer, losses = RowAdam(work.opened(work.refitted)), list[Tensor]()
        for step in range(self.config.refit):
            loss = work.loss()
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            optimizer.step(self.config.refit_rate * (1 - step / self.config.refit))
            work.task.report(step + 1, self.config.refit + self.config.rounds, "refit")
        return [{"step": step, "loss": loss.item()} for step, loss in enumerate(losses, start=1)]

    def _push(self, work: Touched, what: Pushed, history: list[dict[str, float]]) -> str:
        if not what.contest.comparable:
            return f"no validation pair says where {what.name} should stand, so none was pushed"
        optimizer = RowAdam(work.opened(what.rows), what.pace)
        (before, high), in_all = what.look(), self.config.refit + self.config.rounds
        work.task.report(self.config.refit, in_all, f"{what.name}: AUC {before:.3f}")
        if before <= what.alike or not high:
            return f"{what.name} stand like held-out ones (AUC {before:.3f})"
        for number in range(1, self.config.rounds + 1):
            values = work.values(what.rows)
            for _ in range(self.config.steps):
                loss = what.loss()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step(what.rate)
            auc, high = what.look()
            history.append({"step": len(history) + 1, "loss": loss.item(), "auc": auc})
            work.task.report(self.config.refit + number, in_all, f"{what.name}: AUC {auc:.3f}")
            if auc <= what.level:
                work.back(what.rows, values, (what.level - auc) / (before - auc))
                return f"{what.name} stand like held-out ones (AUC {what.level:.3f}) after {number} rounds"
            if not high:
                return f"{what.name} stand like held-out ones (AUC {auc:.3f}) after {number} rounds"
            before = auc
        return f"{self.config.rounds} rounds; AUC {before:.3f} of {what.name} against held-out pairs"


def single_pairs(parts: Partition) -> Interactions:
    """Forgotten training pairs whose user and item both stay, in original rows."""
    pairs = parts.forgotten
    return pairs.select(~parts.lost_users[pairs.users] & ~parts.lost_items[pairs.items])


def lost_knowledge(parts: Partition, kept: Kept, of: Side) -> float:
    """Share of the original training pairs whose users (or items) have lost what they knew of them."""
    lost, degree, shares = (
        (parts.forgotten.users, parts.original.degrees[0], kept.users)
        if of == "users"
        else (parts.forgotten.items, parts.original.degrees[1], kept.items)
    )
    touched = np.unique(lost)
    return float(degree[touched] @ (1 - shares[touched])) / len(parts.original.train)
