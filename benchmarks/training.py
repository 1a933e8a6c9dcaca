"""One step and one epoch of training, against plain PyTorch and against the machine's limits."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch

from benchmarks.cases import chosen
from benchmarks.counting import shares
from benchmarks.limits import measure
from benchmarks.page import Table, arguments, write
from benchmarks.plain import PlainTraining
from benchmarks.timing import Spread, interleaved, ratios
from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.device import prepare
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

MODELS = ("mgcn", "lightgcn", "vbpr", "bprmf")
BATCHES = (2048, TrainConfig().batch_size)


@dataclass(frozen=True)
class Training:
    """Our training of one model beside the plain one: the same first parameters, the same triples.

    Attributes:
        model: ours.
        dataset: what is learned from.
        batch: triples a step.
        ours, plain: one step each.
    """

    model: Recommender
    dataset: Dataset
    batch: int
    ours: Callable[[Triples], object]
    plain: Callable[[Triples], object]

    @classmethod
    def of(cls, name: str, dataset: Dataset, batch: int) -> "Training":
        """With the default settings but for the batch."""
        kind, rate = model_class(name), TrainConfig().learning_rate
        model = kind(kind.Config(), Sizes.of_dataset(dataset), Seed(0).torch())
        other = PlainTraining(copy.deepcopy(model), dataset, rate)
        inputs, optimizer = build_inputs(dataset, model.required_inputs(), torch.device("cpu")), adam(model, rate)

        def ours(triples: Triples) -> None:
            train_batches([triples], lambda given: training_loss(model, model.batch_vectors(inputs, given)), optimizer)

        return cls(model, dataset, batch, ours, other.step)

    def triples(self) -> Sequence[Triples]:
        """Those of one epoch."""
        sampler = NegativeSampler(self.dataset.train, len(self.dataset.users), len(self.dataset.items))
        return list(bpr_batches(self.dataset.train, sampler, self.batch, Seed(0).numpy()))

    def epoch(self, step: Callable[[Triples], object]) -> None:
        """Draw the triples and take every step."""
        for triples in self.triples():
            step(triples)


def measured(name: str, dataset: Dataset, batch: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    training = Training.of(name, dataset, batch)
    whole = [triples for triples in training.triples() if len(triples) == batch] or training.triples()
    ours, plain = cycle(whole), cycle(whole)
    actions = {"ours": lambda: training.ours(next(ours)), "plain": lambda: training.plain(next(plain))}
    steps = interleaved(actions, rounds, warm=2)
    actions = {"ours": lambda: training.epoch(training.ours), "plain": lambda: training.epoch(training.plain)}
    epochs = interleaved(actions, max(1, rounds // 5), warm=0)
    found = shares(lambda: training.ours(next(ours)), len(dataset.users) + len(dataset.items), max(1, rounds // 3))
    if training.model.required_inputs().user_item and found["hops"] is None:
        raise RuntimeError(f"{name}: no hop over its graph was counted; mend the names in benchmarks/counting.py")
    return {
        "data": dataset.name,
        "model": name,
        "batch": batch,
        "step, ms": Spread.of(steps["ours"]).scaled(1e3),
        "plain step, ms": Spread.of(steps["plain"]).scaled(1e3),
        "plain / ours": ratios(steps["plain"], steps["ours"]),
        "epoch, s": Spread.of(epochs["ours"]),
        "plain epoch / ours": ratios(epochs["plain"], epochs["ours"]),
        "dense share of limit": found["dense"],
        "hops share of limit": found["hops"],
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure every model at both batches."""
    parser = arguments("training", rounds=15)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    options = parser.parse_args(given)
    prepare()
    datasets = chosen(options.data, options.sizes)
    rows = [
        measured(name, dataset, batch, options.rounds)
        for dataset in datasets
        for name in options.models
        for batch in options.batches
    ]
    limits = measure(len(datasets[0].users) + len(datasets[0].items))
    write(options.out, "training", [Table("Steps and epochs", rows)], limits)


if __name__ == "__main__":
    main()
