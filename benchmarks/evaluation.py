"""Full ranking of every item for every user, against a plain loop over users and against the machine's dense limit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks import plain
from benchmarks.cases import chosen
from benchmarks.limits import dense, dense_flops, measure
from benchmarks.page import Table, arguments, write
from benchmarks.timing import Spread, interleaved, ratios
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.device import prepare
from mmrecun.evaluation.evaluate import evaluate
from mmrecun.rng import Seed

DIM = 64


def measured(dataset: Dataset, asked: int, rounds: int) -> dict[str, Any]:
    """One row of the table: `asked` test users at most, all items, random vectors.

    Ours with the places of the right items alone, as training validates, and with the lists, as a run is evaluated.

    Raises:
        AssertionError: when the two ways do not find the same.
    """
    rng = Seed(0).torch()
    users, items = (torch.randn(len(ids), DIM, generator=rng) for ids in (dataset.users, dataset.items))
    seen, test = dataset.train, dataset.interactions.split(Split.TEST)
    rows = np.intersect1d(test.users, seen.users)[:asked]
    truth = test.select(np.isin(test.users, rows))
    ways = {
        "places": lambda: evaluate(users, items, seen, truth, lists=False),
        "lists": lambda: evaluate(users, items, seen, truth),
        "plain": lambda: plain.evaluate(users, items, seen, truth),
    }
    for way in ("places", "lists"):
        found, loop = ways[way]().metrics, ways["plain"]()
        assert all(abs(found[name] - value) < 1e-3 for name, value in loop.items()), (way, found, loop)
    seconds = interleaved({**ways, "dense": dense()}, rounds)
    work = 2 * len(rows) * len(items) * DIM / dense_flops()
    return {
        "data": dataset.name,
        "users": len(rows),
        "items": len(items),
        **{f"{way}, s": Spread.of(seconds[way]) for way in ways},
        **{f"plain / {way}": ratios(seconds["plain"], seconds[way]) for way in ("places", "lists")},
        **{
            f"{way}, share of limit": ratios(seconds["dense"], seconds[way]).scaled(work) for way in ("places", "lists")
        },
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure every dataset."""
    parser = arguments("evaluation", rounds=7)
    parser.add_argument("--asked", type=int, default=2000, help="users that are evaluated, at most")
    options = parser.parse_args(given)
    prepare()
    datasets = chosen(options.data, options.sizes)
    rows = [measured(dataset, options.asked, options.rounds) for dataset in datasets]
    limits = measure(len(datasets[0].users) + len(datasets[0].items))
    write(options.out, "evaluation", [Table("Recall, NDCG, precision, MAP, hit rate at 5, 10, 20, 50", rows)], limits)


if __name__ == "__main__":
    main()
