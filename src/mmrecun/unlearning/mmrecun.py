"""MMRecUn, made local and self-stopping: faded rows refilled by what is retained, then rank-aware reverse BPR.

Built on the idea of Sinha, Mandal and Kankanhalli (AAAI 2025): reverse BPR on the forget set beside BPR on the retain
set. What is new here, in the order of a run:

1. Rows whose interactions or modalities were taken out fade, by the share they lost (see `fading`): towards fresh
   initial values where whole users or items left, towards what their retained neighbours say where single pairs did.
2. BPR refits those rows, on retained pairs around them. No other parameter ever moves. In a graph model only users'
   rows are refitted: those of items are refilled by the graph, and refitting them against users that remember would
   teach back what went together. A request too small to show is not refitted.
3. Single pairs that still stand higher than comparable held-out positives are pushed below the item at whose rank an
   unlearned pair would stand (reverse BPR with a rank-matched negative), until the two can no longer be told apart.
   An item's row, which all its users share, moves half as fast as a user's.

The third step needs no Gold and looks at validation pairs only. Users and items that leave take their rows with them;
what is left of them in the rows of their partners goes in the first two steps.
"""

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mmrecun.data.forget import Partition
from mmrecun.data.graph import GraphInputs, graph_of
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.triples import NegativeSampler, Triples
from mmrecun.errors import DivergedError
from mmrecun.evaluation.matching import degrees, strata, stratified_auc
from mmrecun.shapes import Ints
from mmrecun.training.losses import bpr, reverse_bpr
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearned,
    Unlearner,
    export,
    served_inputs,
    working_copy,
)
from mmrecun.unlearning.fading import Fade, Kept, faded, kept_shares, neighbourly
from mmrecun.unlearning.row_adam import RowAdam
from mmrecun.unlearning.standing import Compared, at_standing, standing, unlearned_standing

_MOST_PAIRS, _CANDIDATES, _ITEM_PACE = 8192, 1024, 0.5
Rows = dict[nn.Parameter, Tensor]


class MMRecUnConfig(UnlearnConfig):
    """Settings of MMRecUn.

    Attributes:
        user_fade: a user's row that lost the share f of its pairs turns away from its value and keeps (1 - f)^user_fade
            of it.
        item_fade: the same of an item's row.
        feature_fade: an item that lost the share f of its modalities shrinks to (1 - f)^feature_fade of its value.
        refit: steps of BPR on retained pairs around the request.
        refit_rate: learning rate of the first of them; it falls to zero.
        worth: share of the training pairs whose users must have lost what they knew for a graph model to be refitted.
        rounds: of pushing down, at most; each looks at the ranks anew.
        steps: in each round.
        push_rate: learning rate of the pushing.
        forget_weight: of the reverse term beside the retain term.
        margin: AUC above 0.5 at which forgotten and held-out pairs count as alike.
        batch_size: retained pairs a step.
    """

    user_fade: PositiveFloat = 64.0
    item_fade: PositiveFloat = 24.0
    feature_fade: PositiveFloat = 1.0
    refit: NonNegativeInt = 40
    refit_rate: PositiveFloat = 2e-2
    worth: float = Field(default=0.01, ge=0, le=1)
    rounds: NonNegativeInt = 20
    steps: PositiveInt = 2
    push_rate: PositiveFloat = 2e-2
    forget_weight: PositiveFloat = 0.2
    margin: float = Field(default=0.01, ge=0, lt=0.5)
    batch_size: PositiveInt = 4096


class MMRecUn(Unlearner):
    """Moves the rows that the request touched, and nothing else."""

    Config = MMRecUnConfig

    def __init__(self, config: MMRecUnConfig) -> None:
        super().__init__(config)
        self.config = config

    def run(self, task: Task) -> Unlearned:
        """Fade, refit, push down.

        Raises:
            DivergedError: when a row is no longer finite.
        """
        fade = Fade(self.config.user_fade, self.config.item_fade, self.config.feature_fade)
        kept = kept_shares(task.parts, task.model.modalities(), fade)
        if not any(kept.touched(of).any() for of in ("users", "items")):
            return Unlearned(export(task, task.model), "no row that stays was touched", [])
        pairs = single_pairs(task.parts)
        visible = not task.model.spec().user_item or lost_knowledge(task.parts, kept) >= self.config.worth
        if not visible and not len(pairs):
            kept = kept.of_rows(task.parts.user_rows, task.parts.item_rows)
            model = faded(export(task, task.model), kept, task.seed.child("faded rows"))
            task.report(1, 1, "faded")
            return Unlearned(model, "faded; the graph refills the rows", [])
        work = _Work(task, kept, pairs, self.config.batch_size)
        history = self._refit(work) if visible and work.refitted else []
        stop = self._push(work, history)
        if not all(weight[rows].isfinite().all() for weight, rows in work.rows.items()):
            raise DivergedError("a row is no longer finite; lower refit_rate or push_rate")
        return Unlearned(export(task, work.model), stop, history)

    def _refit(self, work: "_Work") -> list[dict[str, float]]:
        optimizer, losses = RowAdam(work.opened(work.refitted)), list[Tensor]()
        for step in range(self.config.refit):
            losses.append(work.loss())
            optimizer.step(self.config.refit_rate * (1 - step / self.config.refit))
            work.task.report(step + 1, self.config.refit + self.config.rounds, "refit")
        return [{"step": step, "loss": loss.item()} for step, loss in enumerate(losses, start=1)]

    def _push(self, work: "_Work", history: list[dict[str, float]]) -> str:
        if not len(work.forgotten.pairs):
            return "faded; no single pair to push down"
        if not len(work.controls.pairs):
            return "faded; no validation pair says where forgotten pairs should stand, so none was pushed"
        optimizer = RowAdam(work.opened(work.rows), dict.fromkeys(work.of_items, _ITEM_PACE))
        for number in range(self.config.rounds + 1):
            triples, auc = work.too_high()
            if auc <= 0.5 + max(self.config.margin, chance(len(work.forgotten.pairs), len(work.controls.pairs))):
                return f"forgotten pairs stand like held-out ones (AUC {auc:.3f}) after {number} rounds"
            if number == self.config.rounds:
                return f"{number} rounds; AUC {auc:.3f} of forgotten against held-out pairs"
            for _ in range(self.config.steps):
                loss = work.loss(triples, self.config.forget_weight)
                optimizer.step(self.config.push_rate)
            history.append({"step": len(history) + 1, "loss": loss.item(), "auc": auc})
            work.task.report(self.config.refit + number + 1, self.config.refit + self.config.rounds, f"AUC {auc:.3f}")
        raise AssertionError


def single_pairs(parts: Partition) -> Interactions:
    """Forgotten training pairs whose user and item both stay, in original rows."""
    pairs = parts.forgotten
    return pairs.select(~parts.lost_users[pairs.users] & ~parts.lost_items[pairs.items])


def lost_knowledge(parts: Partition, kept: Kept) -> float:
    """Share of the original training pairs whose users have lost what they knew of them."""
    users = np.unique(parts.forgotten.users)
    return float(parts.original.degrees[0][users] @ (1 - kept.users[users])) / len(parts.original.train)


def chance(forgotten: int, controls: int) -> float:
    """Standard error of an AUC between two like groups of these sizes (Mann and Whitney, 1947).

    >>> round(chance(100, 100), 3)
    0.041
    """
    return float(np.sqrt((forgotten + controls + 1) / (12 * forgotten * controls)))


class _Work:
    """The model under the knife, in original rows, and everything drawn for it.

    Args:
        task: as given.
        kept: of `kept_shares`.
        pairs: of `single_pairs`.
        batch_size: retained pairs a step.

    Attributes:
        model: its touched rows have faded; all else is as trained.
        rows: of its tables that the request touched.
        of_items: those tables whose rows are items'.
        refitted: of `rows`, those that BPR refits.
        forgotten, controls: `pairs` and validation pairs, at most 8192 of each, beside 1024 items at most.
    """

    def __init__(self, task: Task, kept: Kept, pairs: Interactions, batch_size: int) -> None:
        parts, original = task.parts, task.parts.original
        self.task, self.batch_size, self.rng = task, batch_size, task.seed.child("steps").numpy()
        self.inputs: GraphInputs = served_inputs(task)
        train = parts.held.part(Split.TRAIN)
        copy = working_copy(task)
        towards = None
        if len(pairs):
            graph = self.inputs.user_item or graph_of(train, len(original.users), len(original.items), task.device)
            towards = neighbourly(copy, graph, pairs)
        self.model = faded(copy, kept, task.seed.child("faded rows"), towards)
        self.rows = self._touched(kept)
        self.of_items = {table.weight for table in self.model.tables().values() if table.of == "items"}
        left = self.of_items if self.inputs.user_item else set[nn.Parameter]()
        self.refitted = {weight: rows for weight, rows in self.rows.items() if weight not in left}
        near = kept.touched("users")[train.users] | kept.touched("items")[train.items]
        self.retained = train.select(near) if near.any() else train
        self.negatives = NegativeSampler(original.train, len(original.users), len(original.items), parts.item_rows)
        degree, drawn = degrees(train, len(original.users), len(original.items)), self._candidates()
        known = original.train.matrix(len(original.users), len(original.items))
        self.forgotten, self.controls = (
            Compared.of(self._some(those), drawn, known) for those in (pairs, parts.held.part(Split.VALID))
        )
        self.strata = strata(self.forgotten.pairs, *degree), strata(self.controls.pairs, *degree)

    def _candidates(self) -> Ints:
        drawn: Ints = self.rng.permutation(self.task.parts.item_rows)[:_CANDIDATES]
        return drawn

    def _touched(self, kept: Kept) -> Rows:
        touched = {of: torch.from_numpy(np.flatnonzero(kept.touched(of))) for of in ("users", "items")}
        rows = {table.weight: touched[table.of].to(self.task.device) for table in self.model.tables().values()}
        return {weight: chosen for weight, chosen in rows.items() if len(chosen)}

    def opened(self, rows: Rows) -> Rows:
        """`rows`, whose tables alone take gradients from now on."""
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter in rows)
        return rows

    def _some(self, pairs: Interactions) -> Interactions:
        if len(pairs) <= _MOST_PAIRS:
            return pairs
        mask = np.zeros(len(pairs), dtype=bool)
        mask[self.rng.choice(len(pairs), _MOST_PAIRS, replace=False)] = True
        return pairs.select(mask)

    def loss(self, reverse: Triples | None = None, weight: float = 0.0) -> Tensor:
        """BPR on retained pairs, and reverse BPR on `reverse` triples if there are any; leaves its gradients."""
        drawn = self._drawn()
        margins = self.model.at(self.inputs, drawn.joined(reverse) if reverse else drawn).margins()
        loss = bpr(margins[: len(drawn)])
        if reverse:
            loss = loss + weight * reverse_bpr(margins[len(drawn) :])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _drawn(self) -> Triples:
        count = len(self.retained)
        rows = (
            self.rng.permutation(count) if count <= self.batch_size else self.rng.integers(count, size=self.batch_size)
        )
        users, positives = self.retained.users[rows], self.retained.items[rows]
        return self._triples(users, positives, self.negatives.draw(users, self.rng))

    def _triples(self, *columns: Ints) -> Triples:
        return Triples(*(torch.from_numpy(column) for column in columns)).to(self.task.device)

    @torch.no_grad()
    def too_high(self) -> tuple[Triples, float]:
        """Forgotten pairs that stand too high, each with the item where it should stand; and the AUC of all."""
        vectors = self.model.vectors(self.inputs)
        own, others = self.forgotten.scores((vectors.users, vectors.items))
        places = standing(own, others)
        controls = standing(*self.controls.scores((vectors.users, vectors.items)))
        wanted = unlearned_standing(places, self.strata[0], controls, self.strata[1])
        high = np.flatnonzero(places > wanted + 1 / others.shape[1])
        columns = at_standing(others[high], wanted[high])
        auc = stratified_auc(places, self.strata[0], controls, self.strata[1])
        assert auc is not None
        pairs = self.forgotten.pairs
        return self._triples(pairs.users[high], pairs.items[high], self.forgotten.items[columns]), auc
