"""How soon the forgotten pairs are learned again: a probe of an audit that trains a copy of each state."""

from collections.abc import Sequence

import numpy as np
import torch

from mmrecun.audit.audit import Closer, Subject, Told
from mmrecun.audit.examine import relearn_time
from mmrecun.audit.measure import Measured
from mmrecun.audit.probes import Probe, sample
from mmrecun.data.triples import NegativeSampler, Triples, epoch
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import Report, adam, one_pass
from mmrecun.training.losses import bpr, training_loss

STEPS, MOST_STEPS = "relearn_steps", 200


def relearn_probe(training: TrainConfig, report: Report) -> Closer:
    """How many training steps on the forgotten pairs bring their loss back to the original's; see `relearn_time`.

    Args:
        training: of the original; a step is one of its, on at most one batch of the forgotten pairs, with its learning
            rate and fresh negatives.
        report: told of every step.
    """

    def look(probe: Probe, subjects: Sequence[Subject], _: Sequence[Measured]) -> list[Told]:
        reason = "" if len(probe.forgotten) else "no pair was forgotten"
        if probe.branch:
            reason = "only features were taken out; their pairs were kept, so there is none to learn again"
        if reason:
            return [Told(unassessed={STEPS: reason}) for _ in subjects]
        lesson = _Lesson(probe, training)
        with torch.no_grad():
            target = bpr(probe.stage.original(subjects[0].model).at(lesson.fixed(subjects[0].model)).margins()).item()
        counts = [lesson.steps(subject, target, report) for subject in subjects[1:]]
        return [Told({STEPS: 0.0}), *(_counted(count) for count in counts)]

    note = (
        f"Learning again: steps of training on the forgotten pairs ({training.batch_size:,} at most), in a copy of the "
        f"model with newcomers for what was removed, until their loss is that of the original; {MOST_STEPS} at most."
    )
    return Closer(note, look)


def _counted(steps: int | None) -> Told:
    if steps is None:
        return Told(unassessed={STEPS: f"{MOST_STEPS} steps did not bring the loss back to the original's"})
    return Told({STEPS: float(steps)})


class _Lesson:
    """The forgotten pairs as training material, the same for every state."""

    def __init__(self, probe: Probe, training: TrainConfig) -> None:
        original = probe.stage.parts.original
        self.stage, self.rate = probe.stage, training.learning_rate
        self.seed = Seed(20).child("relearning")
        self.pairs = sample(probe.forgotten, training.batch_size, self.seed.child("pairs").numpy())
        self.sampler = NegativeSampler(original.train, len(original.users), len(original.items))

    def triples(self, model: Recommender, rng: np.random.Generator) -> Triples:
        """All pairs with new negatives."""
        batch = next(epoch(self.pairs, self.sampler, len(self.pairs), rng))
        return batch.to(next(model.parameters()).device)

    def fixed(self, model: Recommender) -> Triples:
        """Those whose loss is watched."""
        return self.triples(model, self.seed.child("watched").numpy())

    def steps(self, subject: Subject, target: float, report: Report) -> int | None:
        """How many a copy of the state needs."""
        model = self.stage.with_rows(subject.model)
        inputs, watched = self.stage.shown_inputs(model), self.fixed(model)
        optimizer, rng = adam(model, self.rate), self.seed.child("steps").numpy()
        done = 0

        def step() -> None:
            nonlocal done
            one_pass([self.triples(model, rng)], lambda some: training_loss(model, model.at(inputs, some)), optimizer)
            done += 1
            report(done, MOST_STEPS, f"{subject.name} {subject.folder.name}: learning again")

        @torch.no_grad()
        def level() -> float:
            return bpr(model.at(inputs, watched).margins()).item()

        return relearn_time(step, level, target, MOST_STEPS)
